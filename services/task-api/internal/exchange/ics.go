package exchange

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// icsReader reads the VTODO components of an iCalendar file (RFC 5545). It returns a task as soon as its entry was read, with two
// exceptions. An entry of a series waits for the end of the file, because its exceptions may stand anywhere. An entry with a TZID
// that is not defined yet waits for the end of its calendar. Both wait in bounded memory (maxHeld).
type icsReader struct {
	lines *unfolder
	env   icsEnv
	begun bool // BEGIN:VCALENDAR was read

	calendar *icsZones   // the zones of the calendar that is read; nil outside of a calendar
	waiting  []component // entries whose zone is not defined yet
	waits    int         // their size in bytes
	series   icsSeries
	ready    []icsResult
	end      error // what follows after the last result
}

// icsEnv has what an entry needs from outside the file.
type icsEnv struct {
	zone *time.Location // of the account
	now  time.Time
	defs *icsDefinitions
}

// icsResult is what Next returns.
type icsResult struct {
	item Item
	err  error
}

// maxHeld bounds the entries that wait, in bytes of their texts: a daily task with its exceptions for 20 years. Above it, the entries that
// have waited longest are imported with what was read so far, and the report says so.
const maxHeld = 4 << 20

func newICS(r io.Reader, now time.Time, zone *time.Location) *icsReader {
	env := icsEnv{zone: zone, now: now, defs: newICSDefinitions(now, zone)}
	return &icsReader{lines: &unfolder{lines: newLines(r)}, env: env}
}

// Next implements Reader.
func (r *icsReader) Next() (Item, error) {
	for len(r.ready) == 0 {
		if r.end == nil {
			if err := r.read(); err != nil {
				r.closeCalendar()
				r.end = err
			}
			continue
		}
		group, ok := r.series.pop()
		if !ok {
			return Item{}, r.end
		}
		r.finish(group, false)
	}
	next := r.ready[0]
	r.ready[0] = icsResult{}
	if r.ready = r.ready[1:]; len(r.ready) == 0 {
		r.ready = nil
	}
	return next.item, next.err
}

// read reads up to the end of the next component, or the end of a calendar.
func (r *icsReader) read() error {
	l, err := r.lines.next()
	switch {
	case errors.Is(err, io.EOF) && !r.begun:
		return fmt.Errorf("%w: it is not iCalendar, because it has no BEGIN:VCALENDAR", ErrFile)
	case errors.Is(err, io.EOF) && r.calendar != nil:
		return fmt.Errorf("%w: the file ends before END:VCALENDAR: it may be cut", ErrFile)
	case err != nil:
		return err
	}
	text := marker(l)
	if ended, ok := ends(text); ok && ended == "VCALENDAR" {
		r.closeCalendar()
		return nil
	}
	kind, ok := begins(text)
	switch {
	case !ok:
	case kind == "VCALENDAR":
		r.closeCalendar()
		r.begun, r.calendar = true, newICSZones(r.env.defs)
	case !r.begun:
		return fmt.Errorf("%w: it is not iCalendar, because line %d comes before BEGIN:VCALENDAR", ErrFile, l.no)
	case kind == "VTODO" || kind == "VTIMEZONE":
		c, err := r.component(kind, l.no, true)
		if refused := (*Refused)(nil); errors.As(err, &refused) {
			r.ready = append(r.ready, icsResult{err: refused})
			return nil
		} else if err != nil {
			return err
		}
		r.take(c)
	default:
		_, err := r.component(kind, l.no, false)
		if refused := (*Refused)(nil); err != nil && !errors.As(err, &refused) {
			return err
		}
		r.ready = append(r.ready, icsResult{err: &Skipped{l.no, fmt.Sprintf("%.50s", kind), "is not imported: only VTODO is"}})
	}
	return nil
}

// take decides what happens with a component.
func (r *icsReader) take(c component) {
	if r.calendar == nil {
		r.calendar = newICSZones(r.env.defs) // the component is after END:VCALENDAR
	}
	if c.kind == "VTIMEZONE" {
		r.calendar.define(c)
		return
	}
	if !r.calendar.defines(c) {
		r.waits += c.size
		if r.waiting = append(r.waiting, c); r.waits > maxHeld {
			r.releaseWaiting()
		}
		return
	}
	r.convert(c)
}

// closeCalendar converts the entries that wait for a zone. What is still not defined is known by its name, or not at all.
func (r *icsReader) closeCalendar() {
	r.releaseWaiting()
	r.calendar = nil
}

func (r *icsReader) releaseWaiting() {
	for _, c := range r.waiting {
		r.convert(c)
	}
	r.waiting, r.waits = nil, 0
}

// convert reads the values of an entry. An entry of a series then waits for the others.
func (r *icsReader) convert(c component) {
	t := newICSTask(r.env, r.calendar, c)
	if !t.inSeries() {
		r.ready = append(r.ready, icsResult{item: t.finish()})
		return
	}
	r.series.add(t)
	for r.series.size > maxHeld {
		group, ok := r.series.pop()
		if !ok {
			return
		}
		r.finish(group, true)
	}
}

// finish returns the tasks of a series. early says that the rest of the file was not read.
func (r *icsReader) finish(g *icsGroup, early bool) {
	for _, item := range g.items(early) {
		r.ready = append(r.ready, icsResult{item: item})
	}
}
