package exchange

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// This file finds the IANA zone of a TZID: by its definition in the file, which decides (RFC 5545, section 3.2.19), or by its name.

// icsZone is what a TZID means.
type icsZone struct {
	name string         // the IANA zone; "" for the zone of the account
	loc  *time.Location // its rules
	// def is set if the file defines the zone. In the years from and to, and everywhere if always is set, loc has the same offsets.
	def      *zoneDefinition
	from, to int
	always   bool
	note     string // what the report says about the TZID
}

// at returns the instant of a wall-clock time.
func (z icsZone) at(wall time.Time) time.Time {
	if z.def != nil && !z.always && (wall.Year() < z.from || wall.Year() > z.to) {
		return z.def.at(wall)
	}
	return placeWall(wall, z.loc)
}

const (
	// yearsBefore and yearsAfter are the years that matter, counted from the import: a zone is the one that a definition means if it has
	// the same offsets in them. Tasks are rarely planned further ahead.
	yearsBefore, yearsAfter = 1, 5
	// maxSearches bounds the definitions of a file that are compared with all zones. IANA has about 600 zones.
	maxSearches = 1000
	// maxNames bounds the names that are kept with their zones.
	maxNames = 1000
)

// zone returns the meaning of a TZID.
func (z *icsZones) zone(tzid string) icsZone {
	name := z.all.name(tzid)
	def := z.byTZID[tzid]
	if def == nil || len(def.list) == 0 {
		if name == "" {
			return icsZone{loc: z.all.account, note: fmt.Sprintf("has the TZID %.100q, which is neither defined in the file nor known: the account's zone is used", tzid)}
		}
		loc, _ := events.LoadZone(name) // name returns only names that can be loaded
		return icsZone{name: name, loc: loc}
	}
	found, ok := def.found[tzid]
	if !ok {
		found = z.all.find(def, tzid, name)
		def.found[tzid] = found
	}
	return found
}

// sample is a wall-clock time with its instant by a definition.
type sample struct{ wall, at time.Time }

// find returns the IANA zone that has the offsets of a definition: preferably one that its names say, then the account's, then any.
func (a *icsDefinitions) find(def *zoneDefinition, tzid, name string) icsZone {
	var named []string
	for _, n := range append(def.names, tzid) {
		if known := a.name(n); known != "" {
			named = append(named, known)
		}
	}
	year := a.now.Year()
	result := icsZone{def: def, from: year - yearsBefore, to: year + yearsAfter}
	now, edges := def.samples(result.from, result.to)
	listed, first, last := def.listed()
	var then, thenEdges []sample
	if listed { // the definition lists some years only, and says nothing about the others
		then, thenEdges = def.samples(first, last)
	}
	// try takes the first zone that agrees also at the hours of the changes, or else the first one that agrees.
	try := func(zones []string, samples, edges []sample) bool {
		for _, zone := range zones {
			loc, err := events.LoadZone(zone)
			if err != nil || len(samples) == 0 || !agrees(loc, samples) {
				continue
			}
			exact := agrees(loc, edges)
			if result.loc == nil || exact {
				result.name, result.loc = zone, loc
			}
			if exact {
				break
			}
		}
		return result.loc != nil
	}
	all := func() []string {
		if a.searches++; a.searches > maxSearches {
			return nil
		}
		return append([]string{a.account.String()}, ianaZones...)
	}
	switch {
	case try(named, now, edges):
	case try(named, then, thenEdges):
		result.always = true
	case strings.Contains(name, "/") && def.partOf(name, now):
		// Some programs define the standard time of a zone only. A place like Europe/Berlin says what is meant.
		result.name, result.always = name, true
		result.loc, _ = events.LoadZone(name)
	case try(all(), now, edges):
	case try(all(), then, thenEdges):
		result.always = true
	default:
		result.loc, result.from, result.to = a.account, 0, -1
		if loc, err := events.LoadZone(name); err == nil {
			result.name, result.loc = name, loc
		}
		result.note = fmt.Sprintf("has the TZID %.100q, whose definition in the file fits no IANA time zone: the time is by that definition, the zone is %s", tzid, result.loc)
		return result
	}
	if name == tzid && result.name != name {
		result.note = fmt.Sprintf("has the TZID %.100q, which the file defines with the offsets of %s: that zone is used", tzid, result.name)
	}
	return result
}

// samples returns wall-clock times of the years from and to, at noon: some in each month, and those around each change. edges are the
// half hours before and after each change: Windows has other hours of change than IANA in some zones.
func (d *zoneDefinition) samples(from, to int) (out, edges []sample) {
	add := func(wall time.Time) { out = append(out, sample{wall, d.at(wall)}) }
	noon := func(t time.Time) time.Time { return t.Truncate(24 * time.Hour).Add(12 * time.Hour) }
	for year := from; year <= to; year++ {
		for month := time.January; month <= time.December; month++ {
			add(time.Date(year, month, 1, 12, 0, 0, 0, time.UTC))
			add(time.Date(year, month, 15, 12, 0, 0, 0, time.UTC))
		}
		for _, o := range d.around(year) {
			if o.wall.Year() == year && o.from != o.to {
				add(noon(o.wall.AddDate(0, 0, -1)))
				add(noon(o.wall.AddDate(0, 0, 1)))
				for _, edge := range []time.Duration{-30 * time.Minute, 30*time.Minute + max(o.to-o.from, 0)} {
					edges = append(edges, sample{o.wall.Add(edge), d.at(o.wall.Add(edge))})
				}
			}
		}
	}
	return out, edges
}

func agrees(loc *time.Location, samples []sample) bool {
	for _, s := range samples {
		if !placeWall(s.wall, loc).Equal(s.at) {
			return false
		}
	}
	return true
}

// maxListed bounds the years of a definition without rules that are compared.
const maxListed = 3

// listed reports whether the definition lists changes without a rule that goes on, and returns the last years of the list.
func (d *zoneDefinition) listed() (ok bool, first, last int) {
	changes := 0
	for _, o := range d.list {
		if o.rule != "" && !strings.Contains(o.rule, "UNTIL=") && !strings.Contains(o.rule, "COUNT=") {
			return false, 0, 0
		}
		for _, wall := range append([]time.Time{o.start}, o.more...) {
			if changes++; first == 0 || wall.Year() < first {
				first = wall.Year()
			}
			last = max(last, wall.Year())
		}
	}
	return changes > 1, max(first, last-maxListed+1), last
}

// partOf reports whether the definition has one offset only, and the zone has it too at one of the times.
func (d *zoneDefinition) partOf(zone string, samples []sample) bool {
	loc, err := events.LoadZone(zone)
	fixed := !slices.ContainsFunc(d.list, func(o observance) bool { return o.to != d.list[0].to })
	return err == nil && fixed && slices.ContainsFunc(samples, func(s sample) bool { return placeWall(s.wall, loc).Equal(s.at) })
}

// name returns the IANA zone that a TZID names, or "". A TZID may have another case, a prefix that says where its definition comes
// from, or be a name of Windows.
func (a *icsDefinitions) name(tzid string) string {
	if name, ok := a.byName[tzid]; ok {
		return name
	}
	name := ianaName(tzid)
	if len(a.byName) >= maxNames {
		clear(a.byName)
	}
	a.byName[tzid] = name
	return name
}

func ianaName(tzid string) string {
	if len(tzid) > 2*events.MaxTimezone {
		return ""
	}
	if _, err := events.LoadZone(tzid); err == nil {
		return tzid
	}
	if zone, ok := windowsZones[strings.ToLower(tzid)]; ok {
		return zone
	}
	parts := strings.Split(strings.ReplaceAll(tzid, " ", "_"), "/")
	for n := range min(len(parts), 3) { // Area/City, Area/Region/City, or one word
		tail := strings.Join(parts[max(len(parts)-3+n, 0):], "/")
		if _, err := events.LoadZone(tail); err == nil {
			return tail
		}
		if i := slices.IndexFunc(ianaZones, func(zone string) bool { return strings.EqualFold(zone, tail) }); i >= 0 {
			return ianaZones[i]
		}
		if strings.EqualFold(tail, "UTC") || strings.EqualFold(tail, "Z") {
			return "UTC"
		}
	}
	return ""
}
