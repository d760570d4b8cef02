package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// icsTask converts a VTODO to a task.
type icsTask struct {
	item    Item
	zone    *time.Location
	due     time.Time
	hasDue  bool
	started *property
	tags    []string // of all CATEGORIES
	rule    string
	anchor  string
}

var icsStatus = map[string]string{"NEEDS-ACTION": "pending", "IN-PROCESS": "in_progress", "COMPLETED": "completed", "CANCELLED": "cancelled"}

// icsKnown has the properties that are ignored without a note: they say nothing about the task itself.
var icsKnown = map[string]bool{"DTSTAMP": true, "LAST-MODIFIED": true, "SEQUENCE": true, "CLASS": true, "PERCENT-COMPLETE": true}

func (t *icsTask) read(list, alarm []property) (Item, error) {
	var content strings.Builder
	done := false
	for _, p := range list {
		if p.name != "DTSTAMP" && p.name != "LAST-MODIFIED" { // these depend on the time of the export
			content.WriteString(p.name + ":" + p.value + "\n")
		}
		if p.name == "STATUS" {
			done = strings.EqualFold(p.value, "COMPLETED")
		}
		if err := t.take(p); err != nil {
			return Item{}, err
		}
	}
	if !done {
		t.item.CompletedAt = nil
	}
	t.item.Content = content.String()
	if !t.hasDue && t.started != nil {
		t.setDue(*t.started)
		t.item.note("DTSTART", "is used as the due date, because there is no DUE")
	}
	if t.rule != "" {
		t.item.recur(t.rule, t.anchor)
	}
	t.remind(alarm)
	return t.item, nil
}

func (t *icsTask) take(p property) error {
	switch p.name {
	case "UID":
		t.item.Source = p.value
	case "SUMMARY":
		t.item.set("title", icsText(p.value))
	case "DESCRIPTION":
		t.item.set("description", icsText(p.value))
	case "CATEGORIES":
		for _, tag := range icsList(p.value) {
			if tag = strings.TrimSpace(tag); tag != "" {
				t.tags = append(t.tags, tag)
			}
		}
		t.item.set("tags", t.tags)
	case "STATUS":
		status, ok := icsStatus[strings.ToUpper(p.value)]
		if !ok {
			return &Refused{p.line, "STATUS", "must be NEEDS-ACTION, IN-PROCESS, COMPLETED or CANCELLED"}
		}
		t.item.set("status", status)
	case "PRIORITY":
		n, err := strconv.Atoi(p.value)
		if err != nil || n < 0 || n > 9 {
			return &Refused{p.line, "PRIORITY", "must be 0 to 9"}
		}
		// Nine priorities become four: 1 urgent, 2 to 4 high, 5 and 0 (none) medium, 6 to 9 low.
		t.item.set("priority", []string{"medium", "urgent", "high", "high", "high", "medium", "low", "low", "low", "low"}[n])
	case "DUE":
		t.setDue(p)
	case "DTSTART":
		t.started = &p
	case "RRULE":
		t.rule = p.value
	case "CREATED":
		t.item.CreatedAt = t.stamp(p)
	case "COMPLETED":
		t.item.CompletedAt = t.stamp(p)
	case "RECURRENCE-ID":
		return &Skipped{p.line, p.name, "makes it an exception of a series; exceptions are not imported"}
	case "X-TASKWIRE-TIMEZONE":
		t.item.set("timezone", icsText(p.value))
	case "X-TASKWIRE-ANCHOR":
		t.anchor = p.value
	case "X-TASKWIRE-POSITION":
		if n, err := strconv.ParseFloat(p.value, 64); err == nil && n-n == 0 { // finite
			t.item.set("position", n)
		}
	case "RELATED-TO":
		t.note(p, "makes it a subtask: imported as a separate task")
	default:
		if !icsKnown[p.name] && !strings.HasPrefix(p.name, "X-") {
			t.note(p, "is not imported")
		}
	}
	return nil
}

func (t *icsTask) note(p property, reason string) {
	t.item.Notes = append(t.item.Notes, Note{p.line, fmt.Sprintf("%.50s", p.name), reason})
}

// setDue accepts a date, an instant in UTC, or a wall-clock time in the zone of its TZID or of the account.
func (t *icsTask) setDue(p property) {
	at, clock, zone, ok := t.time(p)
	if !ok {
		t.note(p, "is not a date or time: imported without a due date")
		return
	}
	t.due, t.hasDue = at, true
	t.item.due(at, clock)
	if zone != "" && t.item.Fields["timezone"] == nil {
		t.item.set("timezone", zone)
	}
}

func (t *icsTask) time(p property) (at time.Time, clock bool, zone string, ok bool) {
	if at, err := time.ParseInLocation("20060102", p.value, t.zone); err == nil {
		return at, false, "", true
	}
	if at, err := time.Parse("20060102T150405Z", p.value); err == nil {
		return at, true, "", true
	}
	loc := t.zone
	if name := p.params["TZID"]; name != "" {
		l, err := time.LoadLocation(name)
		if err != nil || name == "Local" {
			t.note(p, "has a TZID that is not an IANA time zone: the account's zone is used")
		} else {
			loc, zone = l, name
		}
	}
	at, err := time.ParseInLocation("20060102T150405", p.value, loc)
	return at, true, zone, err == nil
}

func (t *icsTask) stamp(p property) *time.Time {
	at, clock, _, ok := t.time(p)
	if !ok || !clock {
		t.note(p, "is not a time: not imported")
		return nil
	}
	at = at.UTC()
	return &at
}

// remind uses the first alarm that has a time.
func (t *icsTask) remind(alarm []property) {
	taken := false
	for _, p := range alarm {
		if p.name != "TRIGGER" {
			continue
		}
		at, clock, _, ok := t.time(p)
		if !ok {
			d, isDuration := icsDuration(p.value)
			at, clock, ok = t.due.Add(d), true, isDuration && t.hasDue
		}
		switch {
		case !ok || !clock:
			t.note(p, "has no time, or needs a due date for it: not imported")
		case !t.hasDue:
			t.note(p, "is not imported: a reminder needs a due date")
		case taken:
			t.note(p, "is not imported: a task has one reminder")
		default:
			t.item.set("remind_at", instant(at))
			taken = true
		}
	}
}
