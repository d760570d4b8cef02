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

// takeTime reads a date or a duration. A value that cannot be read is kept in the description.
func (t *icsTask) takeTime(p property) {
	if p.name == "DURATION" {
		if d, ok := icsDuration(p.value); ok {
			t.duration = &d
		} else {
			t.keep(p, "is not a duration")
		}
		return
	}
	if p.name == "EXDATE" {
		for v := range strings.SplitSeq(p.value, ",") {
			one := p
			one.value = v
			if m, ok := t.moment(one); ok {
				t.exdates = append(t.exdates, m)
			} else {
				t.keep(one, "is not a date or time: not imported")
			}
		}
		return
	}
	m, ok := t.moment(p)
	switch {
	case !ok:
		t.keep(p, "is not a date or time: not imported")
	case p.name == "RECURRENCE-ID":
		if strings.EqualFold(p.params["RANGE"], "THISANDFUTURE") {
			t.note(p, "changes all following occurrences too: only this one is imported with its values")
		}
		t.recurrenceID = &m
	case !m.inRange():
		t.keep(p, fmt.Sprintf("is not in the years %d to %d: not imported", domain.MinYear, domain.MaxYear))
	case p.name == "DUE":
		t.due = &m
	default:
		t.start = &m
	}
}

// settleTimes makes start and due date fit together: both days or both instants, and the start not after the due date.
func (t *icsTask) settleTimes() {
	if t.start == nil && t.due == nil && t.recurrenceID != nil && t.recurrenceID.inRange() {
		t.start = t.recurrenceID // an exception at its own time may leave the time out
	}
	if t.start != nil && t.due == nil && t.duration != nil {
		if due := t.start.plus(*t.duration); due.inRange() && !due.at.Before(t.start.at) {
			due.line = t.start.line
			t.due = &due
		}
	}
	for _, m := range []*moment{t.due, t.start} {
		if m != nil && m.zone != "" {
			if t.timezone == "" {
				t.timezone, t.loc = m.zone, m.loc
			}
		}
	}
	for _, m := range []*moment{t.due, t.start} { // an instant with its offset has the wall-clock time of the task's zone
		if m != nil && m.clock && m.zone == "" && strings.HasSuffix(strings.ToUpper(m.value), "Z") {
			m.loc, m.wall = t.loc, wallIn(m.at, t.loc)
		}
	}
	switch s, d := t.start, t.due; {
	case s == nil, d == nil && t.ownValue("due") == none:
	case d == nil:
		t.noteLine(s.line, "DTSTART", "is used as the due date too, because there is no DUE")
		t.due, t.start = s, nil
	case s.at.After(d.at):
		t.keepLine("DTSTART", s, "is after DUE: not imported")
		t.start = nil
	case s.clock && !d.clock:
		t.noteLine(s.line, "DTSTART", "has a time of day, and DUE has none: the start is its day")
		s.clock = false
		s.wall = s.wall.Truncate(24 * time.Hour)
		s.at = placeWall(s.wall, s.loc)
	case !s.clock && d.clock:
		t.noteLine(s.line, "DTSTART", "has no time of day, and DUE has one: the start is the beginning of that day")
		s.clock = true
	}
}

func (t *icsTask) keepLine(name string, m *moment, reason string) {
	t.keep(property{name: name, value: m.value, line: m.line}, reason)
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

// setTimes sets start, due date, time zone and recurrence.
func (t *icsTask) setTimes() {
	if t.timezone != "" {
		if _, err := events.LoadZone(t.timezone); err == nil {
			t.item.set("timezone", t.timezone)
		} else {
			t.noteLine(t.item.Line, "X-TASKWIRE-TIMEZONE", "is not an IANA time zone: the account's zone is used")
		}
	}
	t.setMoment("start", t.start)
	t.setMoment("due", t.due)
	if t.recurs == nil {
		for _, m := range t.exdates {
			t.keepLine("EXDATE", &m, "is not imported: the task does not recur")
		}
		return
	}
	members := map[string]any{"rrule": t.recurs.text}
	if anchor := t.anchor; anchor != "" || t.recurs.anchor != "" {
		if !events.Anchor(anchor).Valid() {
			anchor = string(t.recurs.anchor)
		}
		if anchor != "" {
			members["anchor"] = anchor
		}
	}
	if from := t.from(); from.zone != "" && from.zone != t.timezone {
		members["timezone"] = from.zone
	}
	if days := t.excluded(); len(days) > 0 {
		members["exdates"] = days
	}
	t.item.set("recurrence", members)
}

func (t *icsTask) setMoment(name string, m *moment) {
	switch {
	case m == nil:
	case m.clock:
		t.item.set(name+"_at", instant(m.at))
	default:
		t.item.set(name+"_date", m.wall.Format(time.DateOnly))
	}
}

// excluded returns the days that the rule leaves out, from the first day of the task on: earlier ones are over.
func (t *icsTask) excluded() (days []string) {
	from := t.from()
	first := from.day(from.loc)
	for _, m := range t.exdates {
		if day := m.day(from.loc); day > first && m.inRange() {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	days = slices.Compact(days)
	if len(days) > events.MaxExDates {
		lost := property{name: "EXDATE", value: strings.Join(days[events.MaxExDates:], ", "), line: t.item.Line}
		t.keep(lost, fmt.Sprintf("has more than %d days: the later ones are not left out", events.MaxExDates))
		days = days[:events.MaxExDates]
	}
	return days
}
