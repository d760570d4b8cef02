package exchange

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// icsTask is a VTODO whose values are read. finish makes an Item of it.
type icsTask struct {
	item  Item
	env   icsEnv
	zones *icsZones // only while the values are read
	loc   *time.Location
	size  int // of the component, in bytes

	title        string
	descriptions []string
	tags         []string
	status       string // of STATUS; "" if there is none that is known
	percent      int
	completed    *property
	completedAt  *time.Time
	timezone     string

	start, due, recurrenceID *moment
	duration                 *span
	rule                     *property
	ruleText                 string            // of RRULE, as the file has it
	own                      map[string]string // the values that Taskwire wrote (see ics_own.go)
	anchor                   string
	exdates                  []moment
	alarms                   []icsAlarm
	recurs                   *icsRule // the rule, once it is translated
	shifted                  int      // calendar days after the occurrence in the file
}

// icsOnce has the properties that may stand once (RFC 5545, section 3.6.2) and whose second value would replace the first one.
var icsOnce = []string{"UID", "SUMMARY", "STATUS", "PRIORITY", "DUE", "DTSTART", "DURATION", "RRULE", "CREATED", "COMPLETED", "RECURRENCE-ID", "PERCENT-COMPLETE"}

// icsSilent has the properties that are left out without a note: they say nothing about the task itself.
var icsSilent = []string{"DTSTAMP", "LAST-MODIFIED", "SEQUENCE"}

// newICSTask reads the values of a VTODO.
func newICSTask(env icsEnv, zones *icsZones, c component) *icsTask {
	t := &icsTask{item: Item{Line: c.line, Content: string(c.content)}, env: env, zones: zones, loc: env.zone, size: c.size + propertyCost, own: map[string]string{}}
	for _, p := range c.list {
		if p.name == "X-TASKWIRE-TIMEZONE" { // it is the zone of other values
			t.timezone = icsText(p.value)
			if loc, err := events.LoadZone(t.timezone); err == nil {
				t.loc = loc
			}
		}
	}
	seen := map[string]bool{}
	for _, p := range c.list {
		if !strings.HasPrefix(p.name, "X-") {
			t.noteBytes(p)
		}
		if slices.Contains(icsOnce, p.name) && strings.TrimSpace(p.value) != "" {
			if seen[p.name] {
				t.keep(p, "occurs more than once: the first one counts")
				continue
			}
			seen[p.name] = true
		}
		if strings.HasPrefix(p.name, "X-") || p.name == "DESCRIPTION" || strings.TrimSpace(p.value) != "" || p.left > 0 { // an empty value says nothing
			t.take(p)
		}
	}
	for _, part := range c.parts {
		t.alarms = append(t.alarms, t.alarm(part))
	}
	if c.left > 0 {
		t.noteLine(c.line, c.kind, fmt.Sprintf("is larger than %d KiB: %d properties are left out", MaxTask>>10, c.left))
	}
	t.settleTimes()
	t.zones = nil
	return t
}

// take reads a property.
func (t *icsTask) take(p property) {
	switch p.name {
	case "UID":
		t.item.Source = p.value
	case "SUMMARY":
		t.title = icsText(p.value)
	case "DESCRIPTION":
		if len(t.descriptions) > 0 {
			t.note(p, "occurs more than once: the texts are joined")
		}
		t.descriptions = append(t.descriptions, icsText(p.value))
	case "CATEGORIES":
		t.tags = append(t.tags, icsList(p.value)...)
	case "STATUS", "PERCENT-COMPLETE", "PRIORITY":
		t.takeState(p)
	case "DUE", "DTSTART", "RECURRENCE-ID", "DURATION", "EXDATE":
		t.takeTime(p)
	case "RRULE":
		t.rule, t.ruleText = &p, p.value
	case "CREATED":
		t.item.CreatedAt = t.stamp(p)
	case "COMPLETED":
		t.completed, t.completedAt = &p, t.stamp(p)
	case "CLASS":
		if !strings.EqualFold(p.value, "PUBLIC") {
			t.note(p, fmt.Sprintf("%.50q is not imported: a task is private to its account", p.value))
		}
	case "X-TASKWIRE-ANCHOR":
		t.anchor = p.value
	case "X-TASKWIRE-POSITION":
		if n, err := strconv.ParseFloat(p.value, 64); err == nil && n >= -domain.MaxPosition && n <= domain.MaxPosition {
			t.item.set("position", n)
		}
	case "ATTACH":
		if p.left > 0 {
			t.note(p, fmt.Sprintf("has %d bytes, which are not imported: a task has no attachments", p.left))
			return
		}
		t.keep(p, "is not imported")
	case "RELATED-TO":
		t.keep(p, "makes it a subtask: imported as a separate task")
	case "":
		t.keep(p, "is not a line of iCalendar (NAME:value)")
	default:
		if field, ok := strings.CutPrefix(p.name, ownICS("")); ok {
			t.own[field] = icsText(p.value)
		}
		if !slices.Contains(icsSilent, p.name) && !strings.HasPrefix(p.name, "X-") { // other programs may ignore X- (section 3.8.8.2)
			t.keep(p, "is not imported")
		}
	}
}

// stamp reads a time that the server sets for other tasks: CREATED or COMPLETED. It is side data: the fitter drops one that cannot be.
func (t *icsTask) stamp(p property) *time.Time {
	m, ok := t.moment(p)
	if !ok {
		t.note(p, fmt.Sprintf("%.50q is not a time: not imported", p.value))
		return nil
	}
	if !m.clock {
		t.note(p, "has no time of day: the beginning of the day is used")
	}
	at := m.at.UTC()
	return &at
}

// inSeries reports whether the entry is the master of a series, or an exception of one.
func (t *icsTask) inSeries() bool {
	return t.item.Source != "" && (t.rule != nil || t.recurrenceID != nil)
}

// finish returns the item.
func (t *icsTask) finish() Item {
	t.translateRule()
	t.setState()
	t.setTimes()
	t.remind()
	t.setTexts()
	t.restore()
	return t.item
}

// from returns the moment from which a rule counts.
func (t *icsTask) from() *moment {
	if t.start != nil {
		return t.start
	}
	return t.due
}

// translateRule translates RRULE. A rule that Taskwire does not support is kept in the description.
func (t *icsTask) translateRule() {
	if t.rule == nil || t.recurs != nil {
		return
	}
	p := *t.rule
	t.rule = nil
	if t.from() == nil {
		t.keep(p, "has no date to count from: not imported")
		return
	}
	rule, err := readRule(p.value, *t.from())
	for _, note := range rule.notes {
		t.note(p, note)
	}
	if err != nil {
		t.keep(p, fmt.Sprintf("is not imported: %.200s", err))
		return
	}
	t.recurs = &rule
}
