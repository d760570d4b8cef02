package exchange

import (
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// This file continues a series where it is. The file has a master with the rule, and an entry with RECURRENCE-ID for each occurrence that
// was done, cancelled or changed (RFC 5545, section 3.8.4.4). The master becomes the first occurrence without such an entry; the
// other entries become tasks of their own.

// icsGroup has the entries of a series.
type icsGroup struct {
	master     *icsTask
	exceptions []*icsTask
	copies     []*icsTask // other masters with the same UID
	size       int
}

// icsSeries has the series whose entries wait for the end of the file.
type icsSeries struct {
	order []string // UIDs, the oldest first
	byUID map[string]*icsGroup
	size  int // in bytes of the file
}

func (s *icsSeries) add(t *icsTask) {
	uid := t.item.Source
	g := s.byUID[uid]
	if g == nil {
		if s.byUID == nil {
			s.byUID = map[string]*icsGroup{}
		}
		g = &icsGroup{}
		s.byUID[uid] = g
		s.order = append(s.order, uid)
	}
	switch {
	case t.recurrenceID != nil:
		g.exceptions = append(g.exceptions, t)
	case g.master == nil:
		g.master = t
	default:
		g.copies = append(g.copies, t)
	}
	g.size += t.size
	s.size += t.size
}

// pop removes the oldest series.
func (s *icsSeries) pop() (*icsGroup, bool) {
	if len(s.order) == 0 {
		return nil, false
	}
	g := s.byUID[s.order[0]]
	delete(s.byUID, s.order[0])
	s.order, s.size = s.order[1:], s.size-g.size
	return g, true
}

// items returns the tasks of a series. early says that the rest of the file was not read.
func (g *icsGroup) items(early bool) (items []Item) {
	if m := g.master; m != nil {
		m.translateRule()
		if early {
			m.noteLine(m.item.Line, "RRULE", fmt.Sprintf("belongs to a series that is imported before the end of the file, because the series of the file need more than %d MiB: its entries after that are imported as separate tasks", maxHeld>>20))
		}
		if m.recurs == nil {
			g.orphans("belongs to a series whose rule is not imported")
		} else if len(g.exceptions)+len(m.exdates) > 0 {
			g.advance()
		}
		items = append(items, m.finish())
	} else {
		g.orphans("belongs to a series that is not in the file")
	}
	for _, t := range g.exceptions {
		items = append(items, t.finishException(g.master))
	}
	for _, t := range g.copies {
		items = append(items, t.finish())
	}
	return items
}

func (g *icsGroup) orphans(why string) {
	for _, t := range g.exceptions {
		t.noteLine(t.recurrenceID.line, "RECURRENCE-ID", why+": imported as a task of its own")
	}
}

// advance moves the master to its next open occurrence, and gives the exceptions before it their numbers. An exception that is still open
// is an open occurrence itself: the master goes on after it. Later days with an exception are left out of the rule.
func (g *icsGroup) advance() {
	m := g.master
	from := *m.from()
	byDay := map[string]*icsTask{}
	for _, t := range g.exceptions {
		if day := t.recurrenceID.day(from.loc); byDay[day] == nil {
			byDay[day] = t
		}
	}
	excluded := map[string]bool{}
	for _, e := range m.exdates {
		excluded[e.day(from.loc)] = true
	}
	days, no := 0, 1
	for current := from; ; no++ {
		day := current.day(from.loc)
		t := byDay[day]
		if t == nil && !excluded[day] {
			break
		}
		if t != nil {
			t.item.Series, t.item.Occurrence = m.item.Source, no
		}
		delete(byDay, day)
		next, ok := m.next(current, no)
		if !ok {
			g.over(no)
			return
		}
		days += next
		current = from.shift(days)
	}
	m.shiftDays(days)
	if len(g.exceptions) > 0 || no > 1 {
		m.item.Series, m.item.Occurrence = m.item.Source, no
	}
	for _, t := range byDay {
		if t.recurrenceID.day(from.loc) > m.from().day(from.loc) {
			m.exdates = append(m.exdates, *t.recurrenceID)
		}
	}
	for _, t := range g.exceptions {
		if !t.done() {
			t.noteLine(t.recurrenceID.line, "RECURRENCE-ID", "is an occurrence with other values: imported as a task of its own, and the series leaves it out")
		}
	}
}

// next returns after how many days the occurrence with the number no is followed by another one.
func (t *icsTask) next(current moment, no int) (days int, ok bool) {
	zone := current.loc.String()
	data := events.TaskData{
		Timezone: zone, OccurrenceNo: no,
		Recurrence: &events.Recurrence{RRule: t.recurs.text, Anchor: events.AnchorSchedule, Timezone: zone, CatchUp: events.CatchUpAll},
	}
	if current.clock {
		data.DueAt = &current.at
	} else {
		data.DueDate = current.day(current.loc)
	}
	s, ok, err := recurrence.SuccessorOf(data, time.Time{})
	if err != nil || !ok {
		return 0, false
	}
	next := s.DueDate
	if s.DueAt != nil {
		next = s.DueAt.In(current.loc).Format(time.DateOnly)
	}
	day, err := time.Parse(time.DateOnly, next)
	return int(day.Sub(current.wall.Truncate(24*time.Hour)) / (24 * time.Hour)), err == nil
}

// shiftDays moves the task by calendar days. The times of day stay.
func (t *icsTask) shiftDays(days int) {
	t.shifted = days
	for _, m := range []**moment{&t.start, &t.due} {
		if *m != nil {
			moved := (*m).shift(days)
			*m = &moved
		}
	}
}

// over ends a series without an open occurrence: the master becomes its last one.
func (g *icsGroup) over(no int) {
	m := g.master
	for i, t := range g.exceptions {
		if t.item.Occurrence != no || !t.done() {
			continue
		}
		g.exceptions = append(g.exceptions[:i:i], g.exceptions[i+1:]...)
		m.item.Series, m.item.Occurrence = m.item.Source, no
		m.start, m.due, m.alarms, m.exdates = t.start, t.due, t.alarms, nil
		m.status, m.percent, m.completed, m.completedAt = t.status, t.percent, t.completed, t.completedAt
		m.item.Notes, m.item.kept = append(m.item.Notes, t.item.Notes...), append(m.item.kept, t.item.kept...)
		m.noteLine(t.recurrenceID.line, "RECURRENCE-ID", "is the last occurrence of the series: imported with it")
		return
	}
	m.noteLine(m.item.Line, "RRULE", "has no open occurrence left: imported without recurrence")
	m.keep(property{name: "RRULE", value: m.recurs.text, line: m.item.Line}, "is not imported")
	m.recurs = nil
}

// done reports whether the task is completed or cancelled.
func (t *icsTask) done() bool {
	if t.status != "" {
		return t.status == string(events.StatusCompleted) || t.status == string(events.StatusCancelled)
	}
	return t.completed != nil || t.percent == 100
}

// finishException returns the item of an entry with RECURRENCE-ID. What the entry leaves out is as in the master.
func (t *icsTask) finishException(master *icsTask) Item {
	if t.rule != nil {
		t.keep(*t.rule, "is not imported: the rule of a series is in its master")
		t.rule = nil
	}
	if isBlank(t.title) && master != nil {
		t.title = master.title
	}
	id := t.recurrenceID.day(t.recurrenceID.loc)
	if t.recurrenceID.clock {
		id = instant(t.recurrenceID.at)
	}
	t.item.Source += "\x00" + id
	return t.finish()
}
