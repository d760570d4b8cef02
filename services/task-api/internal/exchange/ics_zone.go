package exchange

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// This file reads VTIMEZONE (RFC 5545, section 3.6.5): which offset a definition has at a wall-clock time. ics_zone_name.go finds the
// IANA zone of a definition.

// observance is a STANDARD or DAYLIGHT part of a definition.
type observance struct {
	from, to time.Duration // the offsets before and after the onset
	start    time.Time     // the wall-clock time of the first onset, with the offset from
	more     []time.Time   // RDATE
	rule     string        // "" if the onset does not recur
}

// onset is a change of the offset.
type onset struct {
	wall     time.Time // with the offset from
	from, to time.Duration
}

// zoneDefinition is a VTIMEZONE.
type zoneDefinition struct {
	names []string // the names that may be those of an IANA zone, besides its TZID
	list  []observance
	years map[int][]onset    // the onsets around a year, as far as they were needed
	found map[string]icsZone // by TZID
	steps *int               // of all rules of the file
}

const (
	// maxObservances bounds the parts of the definitions of a calendar, and the onsets of RDATE. A definition has 2 usually, and
	// some hundred if its program lists every change since 1900.
	maxObservances = 20_000
	// maxZoneYears bounds the years whose onsets a definition keeps.
	maxZoneYears = 200
	// maxOnsets bounds the steps of one rule: once a year since 1601, where Windows begins.
	maxOnsets = 600
	// maxSteps bounds the steps of all rules of a file. Some microseconds each, they take less than a second. After it, a definition
	// counts as not there.
	maxSteps = 100_000
)

// icsDefinitions keeps the definitions of a file. A file often has the same one in each of its calendars.
type icsDefinitions struct {
	byContent map[uint64]*zoneDefinition
	size      int // observances
	seed      maphash.Seed
	account   *time.Location
	now       time.Time
	byName    map[string]string // the IANA zone of a TZID without a definition
	searches  int               // definitions that were compared with all zones
	steps     int               // of the rules of all definitions
}

func newICSDefinitions(now time.Time, account *time.Location) *icsDefinitions {
	return &icsDefinitions{byContent: map[uint64]*zoneDefinition{}, byName: map[string]string{}, seed: maphash.MakeSeed(), account: account, now: now}
}

// icsZones has the definitions of one calendar.
type icsZones struct {
	all    *icsDefinitions
	byTZID map[string]*zoneDefinition
	size   int
}

func newICSZones(all *icsDefinitions) *icsZones {
	return &icsZones{all: all, byTZID: map[string]*zoneDefinition{}}
}

// define adds a definition. One without valid parts counts as not there: its TZID may be a known name.
func (z *icsZones) define(c component) {
	if z.all.steps >= maxSteps {
		return
	}
	tzid, key := "", maphash.Hash{}
	key.SetSeed(z.all.seed)
	names := []string{}
	for _, p := range c.list {
		switch p.name {
		case "TZID":
			tzid = strings.TrimSpace(icsText(p.value))
		case "X-LIC-LOCATION":
			names = append(names, strings.TrimSpace(icsText(p.value)))
		}
		_, _ = key.WriteString(p.name + ":" + p.value + "\n") // never fails
	}
	for _, part := range c.parts {
		_, _ = key.WriteString(part.kind + "\n" + string(part.content))
	}
	def, ok := z.all.byContent[key.Sum64()]
	if !ok {
		def = &zoneDefinition{names: names, years: map[int][]onset{}, found: map[string]icsZone{}, steps: &z.all.steps}
		for _, part := range c.parts {
			if o, ok := readObservance(part); ok {
				def.list = append(def.list, o)
			}
		}
		if z.all.size += def.size(); z.all.size > maxObservances {
			z.all.byContent, z.all.size = map[uint64]*zoneDefinition{}, def.size()
		}
		z.all.byContent[key.Sum64()] = def
	}
	if _, again := z.byTZID[tzid]; again || tzid == "" || z.size+def.size() > maxObservances {
		return
	}
	z.size += def.size()
	z.byTZID[tzid] = def
}

func (d *zoneDefinition) size() int {
	n := 1
	for _, o := range d.list {
		n += 1 + len(o.more)
	}
	return n
}

// defines reports whether the calendar has a definition of every TZID of an entry.
func (z *icsZones) defines(c component) bool {
	for _, p := range c.list {
		if tzid := strings.TrimSpace(p.params["TZID"]); tzid != "" && z.byTZID[tzid] == nil {
			return false
		}
	}
	return true
}

func readObservance(c component) (observance, bool) {
	var o observance
	var begun, from, to bool
	for _, p := range c.list {
		switch p.name {
		case "DTSTART":
			if w, ok := parseTime(p.value); ok {
				o.start, begun = w.wall, true
			}
		case "TZOFFSETFROM":
			o.from, from = parseOffset(p.value)
		case "TZOFFSETTO":
			o.to, to = parseOffset(p.value)
		case "RDATE":
			for v := range strings.SplitSeq(p.value, ",") {
				if w, ok := parseTime(v); ok && len(o.more) < maxObservances {
					o.more = append(o.more, w.wall)
				}
			}
		case "RRULE":
			rule, err := readRule(p.value, moment{wall: o.start, clock: true})
			if err != nil || !strings.Contains(rule.text, "FREQ=YEARLY") {
				return o, false
			}
			o.rule = rule.text
		}
	}
	if o.rule != "" && !strings.Contains(o.rule, "DAY=") { // the day is that of the first onset
		if !strings.Contains(o.rule, "BYMONTH=") {
			o.rule += fmt.Sprintf(";BYMONTH=%d", o.start.Month())
		}
		o.rule += fmt.Sprintf(";BYMONTHDAY=%d", o.start.Day())
	}
	return o, begun && from && to
}

// at returns the instant of a wall-clock time. A time that the clocks skip is read with the offset before the gap, and of two equal
// times the first counts (RFC 5545, section 3.3.5).
func (d *zoneDefinition) at(wall time.Time) time.Time {
	current := onset{from: d.first(), to: d.first()}
	for _, o := range d.around(wall.Year()) {
		if o.wall.After(wall) {
			break
		}
		current = o
	}
	if gap := current.to - current.from; gap > 0 && wall.Before(current.wall.Add(gap)) {
		return wall.Add(-current.from)
	}
	return wall.Add(-current.to)
}

// first returns the offset before the first onset.
func (d *zoneDefinition) first() time.Duration {
	return slices.MinFunc(d.list, func(a, b observance) int { return a.start.Compare(b.start) }).from
}

// around returns the onsets that matter in a year, in their order: the last one before it, and all of the year.
func (d *zoneDefinition) around(year int) []onset {
	if list, ok := d.years[year]; ok {
		return list
	}
	var list []onset
	begin := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, o := range d.list {
		var last onset // of this part, before the year
		o.onsets(begin.AddDate(-1, 0, -1), begin.AddDate(1, 0, 0), d.steps, func(wall time.Time) {
			switch {
			case !wall.Before(begin):
				list = append(list, onset{wall, o.from, o.to})
			case last.wall.IsZero() || wall.After(last.wall):
				last = onset{wall, o.from, o.to}
			}
		})
		if !last.wall.IsZero() {
			list = append(list, last)
		}
	}
	slices.SortStableFunc(list, func(a, b onset) int { return a.wall.Compare(b.wall) })
	if len(d.years) >= maxZoneYears {
		clear(d.years)
	}
	d.years[year] = list
	return list
}

// onsets calls yield with the onsets before end. It leaves out those before begin, except the first one and those of RDATE.
// It counts the steps of the rule.
func (o observance) onsets(begin, end time.Time, steps *int, yield func(wall time.Time)) {
	for _, wall := range append([]time.Time{o.start}, o.more...) {
		if wall.Before(end) {
			yield(wall)
		}
	}
	if o.rule == "" || !o.start.Before(end) {
		return
	}
	clock := o.start.Sub(o.start.Truncate(24 * time.Hour))
	t := events.TaskData{
		Timezone: "UTC", DueDate: o.start.Format(time.DateOnly), OccurrenceNo: 1,
		Recurrence: &events.Recurrence{RRule: o.rule, Anchor: events.AnchorSchedule, Timezone: "UTC", CatchUp: events.CatchUpAll},
	}
	if o.start.Before(begin) && !strings.Contains(o.rule, "COUNT=") && !strings.Contains(o.rule, "INTERVAL=") {
		t.DueDate = begin.Format(time.DateOnly) // the rule gives the same days from there
	}
	for range maxOnsets {
		*steps++
		next, ok, err := recurrence.SuccessorOf(t, time.Time{})
		if err != nil || !ok {
			return
		}
		t.DueDate, t.OccurrenceNo = next.DueDate, next.OccurrenceNo
		day, err := time.Parse(time.DateOnly, next.DueDate)
		if err != nil || !day.Before(end) {
			return
		}
		yield(day.Add(clock))
	}
}
