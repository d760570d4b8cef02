package exchange

import (
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/events"
)

// icsWriter writes a VTODO for each task. Time zone of a date, anchor and position have no property in iCalendar: they are in
// X-TASKWIRE-… properties. Series and occurrence numbers are lost.
type icsWriter struct{ w io.Writer }

func newICSWriter(w io.Writer) (*icsWriter, error) {
	_, err := io.WriteString(w, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Taskwire//Taskwire//EN\r\n")
	return &icsWriter{w}, err
}

const icsStamp = "20060102T150405Z"

// Write implements Writer.
func (w *icsWriter) Write(t events.TaskData) error {
	var b strings.Builder
	add := func(name, value string) { fold(&b, name+":"+value) }
	add("BEGIN", "VTODO")
	add("UID", t.ID)
	add("DTSTAMP", t.UpdatedAt.UTC().Format(icsStamp))
	add("CREATED", t.CreatedAt.UTC().Format(icsStamp))
	add("SUMMARY", icsEscape(t.Title))
	if t.Description != "" {
		add("DESCRIPTION", icsEscape(t.Description))
	}
	for name, status := range icsStatus {
		if status == string(t.Status) {
			add("STATUS", name)
		}
	}
	add("PRIORITY", map[events.Priority]string{events.PriorityUrgent: "1", events.PriorityHigh: "3", events.PriorityMedium: "5", events.PriorityLow: "9"}[t.Priority])
	if len(t.Tags) > 0 {
		tags := make([]string, len(t.Tags))
		for i, tag := range t.Tags {
			tags[i] = icsEscape(tag)
		}
		add("CATEGORIES", strings.Join(tags, ","))
	}
	switch {
	case t.DueDate != "":
		fold(&b, "DUE;VALUE=DATE:"+strings.ReplaceAll(t.DueDate, "-", ""))
	case t.DueAt != nil:
		add("DUE", t.DueAt.UTC().Format(icsStamp))
	}
	if t.CompletedAt != nil {
		add("COMPLETED", t.CompletedAt.UTC().Format(icsStamp))
	}
	if t.Recurrence != nil {
		add("RRULE", t.Recurrence.RRule)
		add("X-TASKWIRE-ANCHOR", string(t.Recurrence.Anchor))
	}
	add("X-TASKWIRE-TIMEZONE", icsEscape(t.Timezone))
	add("X-TASKWIRE-POSITION", strconv.FormatFloat(t.Position, 'g', -1, 64))
	if t.RemindAt != nil {
		add("BEGIN", "VALARM")
		add("ACTION", "DISPLAY")
		add("DESCRIPTION", icsEscape(t.Title))
		fold(&b, "TRIGGER;VALUE=DATE-TIME:"+t.RemindAt.UTC().Truncate(time.Second).Format(icsStamp))
		add("END", "VALARM")
	}
	add("END", "VTODO")
	_, err := io.WriteString(w.w, b.String())
	return err
}

// Close implements Writer.
func (w *icsWriter) Close() error {
	_, err := io.WriteString(w.w, "END:VCALENDAR\r\n")
	return err
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
