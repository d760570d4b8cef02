package exchange

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// icsWriter writes a VTODO for each task, for programs that know RFC 5545 and nothing of Taskwire. Times are wall-clock times with
// TZID, so that a rule keeps its time of day over a change of the clocks, and the VTIMEZONE of a zone comes before its first use. Values
// without a property in iCalendar are in X-TASKWIRE-… properties (see own.go).
type icsWriter struct {
	w     io.Writer
	zones map[string]bool // the zones that have a VTIMEZONE
}

func newICSWriter(w io.Writer) (*icsWriter, error) {
	_, err := io.WriteString(w, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Taskwire//Taskwire//EN\r\n")
	return &icsWriter{w, map[string]bool{}}, err
}

const (
	icsStamp = "20060102T150405Z"
	icsWall  = "20060102T150405"
	icsDay   = "20060102"
)

var icsPriorities = map[events.Priority]string{events.PriorityUrgent: "1", events.PriorityHigh: "3", events.PriorityMedium: "5", events.PriorityLow: "9"}

// Write implements Writer.
func (w *icsWriter) Write(t domain.Task) error {
	todo, err := newICSTodo(t)
	if err != nil {
		return err
	}
	var b strings.Builder
	if todo.usesZone && !w.zones[todo.zone.String()] {
		w.zones[todo.zone.String()] = true
		writeVTimezone(&b, todo.zone)
	}
	todo.write(&b)
	_, err = io.WriteString(w.w, b.String())
	return err
}

// Close implements Writer.
func (w *icsWriter) Close() error {
	_, err := io.WriteString(w.w, "END:VCALENDAR\r\n")
	return err
}

// icsTodo is a task on its way to a VTODO.
type icsTodo struct {
	domain.Task
	zone     *time.Location // of the rule if there is one, else of the task
	usesZone bool
	timed    bool                 // start and due date are written as instants
	walls    map[string]time.Time // the wall-clock times of start and due in the zone, as written
	lines    []string
}

func newICSTodo(t domain.Task) (*icsTodo, error) {
	name := t.Timezone
	if t.Recurrence != nil && t.Recurrence.Timezone != "" {
		name = t.Recurrence.Timezone
	}
	zone, err := events.LoadZone(name)
	if err != nil {
		return nil, fmt.Errorf("write task %s: zone %q: %w", t.ID, name, err)
	}
	todo := &icsTodo{Task: t, zone: zone, walls: map[string]time.Time{}}
	todo.texts()
	todo.times()
	todo.rule()
	todo.own()
	todo.alarm()
	return todo, nil
}

func (t *icsTodo) write(b *strings.Builder) {
	fold(b, "BEGIN:VTODO")
	for _, line := range t.lines {
		fold(b, line)
	}
	fold(b, "END:VTODO")
}

func (t *icsTodo) add(name, value string) { t.lines = append(t.lines, name+":"+value) }

func (t *icsTodo) texts() {
	t.add("UID", t.ID)
	t.add("DTSTAMP", t.UpdatedAt.UTC().Format(icsStamp))
	t.add("LAST-MODIFIED", t.UpdatedAt.UTC().Format(icsStamp))
	t.add("CREATED", t.CreatedAt.UTC().Format(icsStamp))
	t.add("SUMMARY", icsEscape(t.Title))
	if t.Description != "" {
		t.add("DESCRIPTION", icsEscape(t.Description))
	}
	for name, status := range icsStatus {
		if status == string(t.Status) {
			t.add("STATUS", name)
		}
	}
	t.add("PRIORITY", icsPriorities[t.Priority])
	if len(t.Tags) > 0 {
		tags := make([]string, len(t.Tags))
		for i, tag := range t.Tags {
			tags[i] = icsEscape(tag)
		}
		t.add("CATEGORIES", strings.Join(tags, ","))
	}
	if t.CompletedAt != nil {
		t.add("COMPLETED", t.CompletedAt.UTC().Format(icsStamp))
	}
}

// own adds the values that iCalendar has no property for, and instants that its properties cannot express exactly.
func (t *icsTodo) own() {
	t.add(ownICS("timezone"), icsEscape(t.Timezone))
	t.add(ownICS("position"), strconv.FormatFloat(t.Position, 'g', -1, 64))
	for _, at := range []struct {
		field string
		at    *time.Time
	}{{"created_at", &t.CreatedAt}, {"completed_at", t.CompletedAt}, {"remind_at", t.RemindAt}} {
		if at.at != nil && !at.at.Equal(at.at.Truncate(time.Second)) {
			t.add(ownICS(at.field), instant(*at.at))
		}
	}
	if t.SeriesID != "" {
		t.add(ownICS("series_id"), t.SeriesID)
		t.add(ownICS("occurrence_no"), strconv.Itoa(t.OccurrenceNo))
	}
	if t.Recurrence != nil {
		t.add(ownICS("rrule"), t.ruleForOthers()) // as RRULE: whether another program has changed that since
		t.add(ownICS("recurrence"), icsEscape(string(mustMarshal(t.Recurrence))))
	}
	if clocks := clocksText(t.Task); clocks != "" {
		t.add(ownICS("clocks"), icsEscape(clocks))
	}
	if series := seriesText(t.Task); series != "" {
		t.add(ownICS("series"), icsEscape(series))
	}
}

// mustMarshal encodes a value that has only texts, numbers and lists of them.
func mustMarshal(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("exchange: a value cannot be written as JSON: " + err.Error())
	}
	return raw
}

var icsEscaper = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`)

func icsEscape(s string) string { return icsEscaper.Replace(s) }

// maxFold is the largest length of a line in bytes (RFC 5545, section 3.1).
const maxFold = 75

// fold writes a line in pieces, and never splits a character.
func fold(b *strings.Builder, line string) {
	room := maxFold
	for len(line) > room {
		n := room
		for n > 0 && !utf8.RuneStart(line[n]) {
			n--
		}
		if n == 0 {
			n = room
		}
		b.WriteString(line[:n] + "\r\n ")
		line, room = line[n:], maxFold-1
	}
	b.WriteString(line + "\r\n")
}
