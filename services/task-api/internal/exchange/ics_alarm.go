package exchange

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// This file turns VALARM into a reminder (RFC 5545, section 3.6.6, and RFC 9074).

// icsAlarm is a VALARM whose values are read.
type icsAlarm struct {
	line         int
	action       string
	trigger      *property
	at           *moment // of an absolute trigger
	before       span    // of a relative trigger
	end          bool    // the trigger is relative to the end
	acknowledged *time.Time
	repeats      bool
}

// icsActions are the actions of alarms that a reminder stands for. RFC 5545 says that alarms with others are ignored.
var icsActions = []string{"", "DISPLAY", "AUDIO", "EMAIL"}

// alarm reads the values of a VALARM.
func (t *icsTask) alarm(c component) icsAlarm {
	a := icsAlarm{line: c.line}
	for _, p := range c.list {
		switch p.name {
		case "ACTION":
			a.action = strings.ToUpper(strings.TrimSpace(p.value))
		case "TRIGGER":
			a.trigger, a.end = &p, strings.EqualFold(p.params["RELATED"], "END")
		case "ACKNOWLEDGED":
			if m, ok := t.moment(p); ok {
				a.acknowledged = &m.at
			}
		case "REPEAT":
			a.repeats = strings.TrimSpace(p.value) != "0"
		}
	}
	if a.trigger == nil || a.action == "NONE" {
		return a
	}
	d, ok := icsDuration(a.trigger.value)
	if ok {
		a.before = d
	} else if m, ok := t.moment(*a.trigger); ok && m.clock && m.inRange() {
		a.at = &m
	} else {
		t.keep(*a.trigger, "is not a duration or a time: not imported")
		a.trigger = nil
	}
	// The content of an entry has its alarms too, so that two entries with other alarms are not the same.
	t.item.Content += "VALARM\n" + string(c.content)
	return a
}

// remind sets the reminder: the first alarm that is one. A reminder that is past is kept; it never fires, but the next occurrences have
// it too.
func (t *icsTask) remind() {
	taken := false
	for _, a := range t.alarms {
		switch {
		case a.action == "NONE" || a.trigger == nil && slices.Contains(icsActions, a.action):
			continue // what is wrong with the trigger is reported already
		case !slices.Contains(icsActions, a.action):
			t.noteLine(a.line, "VALARM", fmt.Sprintf("has the action %.50q, which is not a reminder: not imported", a.action))
			continue
		case t.due == nil:
			t.keep(*a.trigger, "is not imported: a reminder needs a due date")
			continue
		}
		at := a.time(t)
		seen := a.acknowledged != nil && !a.acknowledged.Before(at.at)
		switch {
		case !at.inRange():
			t.keep(*a.trigger, "gives a time that a reminder cannot have: not imported")
		case seen && (t.recurs == nil || at.at.After(t.env.now)):
			t.note(*a.trigger, "is not imported: the alarm was acknowledged")
		case taken:
			t.keep(property{name: "TRIGGER", value: a.trigger.value + " (" + instant(at.at) + ")", line: a.trigger.line}, "is not imported: a task has one reminder")
		default:
			taken = true
			t.item.set("remind_at", instant(at.at))
			if a.repeats {
				t.note(*a.trigger, "is repeated in the file: the reminder comes once")
			}
		}
	}
}

// time returns when the alarm goes off. A duration counts from the start (RFC 5545, section 3.8.6.3), or from the due date if there is no
// start or RELATED=END says so. For a day, it counts from the beginning of the day.
func (a icsAlarm) time(t *icsTask) moment {
	if a.at != nil {
		return a.at.shift(t.shifted)
	}
	from := *t.due
	if t.start != nil && !a.end {
		from = *t.start
	}
	from.clock = true
	return from.plus(a.before)
}
