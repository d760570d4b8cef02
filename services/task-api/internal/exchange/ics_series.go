package exchange

import (
	"fmt"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// This file continues a series where it is. The file has a master with the rule, and an entry with RECURRENCE-ID for each occurrence that
// was done, cancelled or changed (RFC 5545, section 3.8.4.4). The master becomes the first occurrence that is open. If that one has
// values of its own, it is an exception of the series (scope "this"). The other entries become tasks of their own.

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
		var current *icsTask
		if m.recurs == nil {
			g.orphans("belongs to a series whose rule is not imported")
		} else if !m.done() && len(g.exceptions)+len(m.exdates) > 0 {
			current = g.advance()
		}
		item := m.finish()
		if current != nil {
			item = current.finishCurrent(item)
		}
		items = append(items, item)
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

// advance moves the master to its next open occurrence, and gives the exceptions before it their numbers. If that occurrence is an
// exception, advance returns it. Later days with an exception are left out of the rule.
func (g *icsGroup) advance() (current *icsTask) {
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
	for ; ; no++ {
		at := from.shift(days)
		day := at.day(from.loc)
		t := byDay[day]
		if !excluded[day] && (t == nil || !t.done()) {
			current = t
			break
		}
		if t != nil {
			t.item.Series, t.item.Occurrence = m.item.Source, no
		}
		more, ok := m.next(at, no)
		if !ok {
			g.over(no)
			return nil
		}
		days += more
	}
	m.shiftDays(days)
	if len(g.exceptions) > 0 || no > 1 {
		m.item.Series, m.item.Occurrence = m.item.Source, no
	}
	g.exceptions = slices.DeleteFunc(g.exceptions, func(t *icsTask) bool { return t == current })
	for _, t := range g.exceptions {
		if t.recurrenceID.day(from.loc) > m.from().day(from.loc) {
			m.exdates = append(m.exdates, *t.recurrenceID)
		}
		if !t.done() {
			t.noteLine(t.recurrenceID.line, "RECURRENCE-ID", "is a later occurrence with other values: imported as a task of its own, and the series leaves it out")
		}
	}
	return current
}

// next returns after how many days the occurrence with the number no is followed by another one.
func (t *icsTask) next(current moment, no int) (days int, ok bool) {
	data := t.recurs.task(current)
	data.OccurrenceNo = no
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
	t.closeGap()
}

// over ends a series without an open occurrence: the master becomes its last one, the one with the number no.
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

// finishCurrent returns the item of the open occurrence of a series that has values of its own. series has those of the series.
func (t *icsTask) finishCurrent(series Item) Item {
	t.noteLine(t.recurrenceID.line, "RECURRENCE-ID", fmt.Sprintf("is the open occurrence of the series on line %d: imported with it", series.Line))
	item := t.finishException(nil)
	item.Source, item.Content, item.Line, item.Series, item.Occurrence = series.Source, series.Content, series.Line, series.Series, series.Occurrence
	item.Notes = append(series.Notes, item.Notes...)
	for _, field := range []string{"title", "timezone", "recurrence", "position"} {
		_, own := item.Fields[field]
		if value := series.Fields[field]; value != nil && (!own || field == "recurrence" || field == "title" && isBlank(t.title)) {
			item.Fields[field] = value
		}
	}
	series.Notes = nil
	item.series = &series
	return item
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
