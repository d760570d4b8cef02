package events

import (
	"errors"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are the same on every machine, even without zone files
)

// maxZones bounds the cache of zones; IANA has about 600 names.
const maxZones = 1024

var zones = struct {
	sync.RWMutex
	byName map[string]*time.Location
}{byName: map[string]*time.Location{}}

var errNoZone = errors.New("not an IANA time zone")

// LoadZone returns the IANA zone of that name. It refuses names whose meaning depends on the machine. It caches zones,
// because time.LoadLocation reads a file each time. Safe for concurrent use.
func LoadZone(name string) (*time.Location, error) {
	zones.RLock()
	loc, ok := zones.byName[name]
	zones.RUnlock()
	if ok {
		return loc, nil
	}
	if len(name) > MaxTimezone || !isZoneName(name) {
		return nil, errNoZone
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, errNoZone
	}
	zones.Lock()
	defer zones.Unlock()
	if len(zones.byName) < maxZones {
		zones.byName[name] = loc
	}
	return loc, nil
}

// isZoneName reports whether the name means the same on every machine. It refuses the machine's own zone, and the copies of
// the zone database that some distributions add.
func isZoneName(name string) bool {
	switch name {
	case "", "Local", "localtime", "posixrules":
		return false
	}
	return !strings.HasPrefix(name, "right/") && !strings.HasPrefix(name, "posix/")
}
