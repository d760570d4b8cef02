package events

import (
	"errors"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a zone is read the same on every machine, also on one without zone files
)

// maxZones bounds the cache of zones; IANA has about 600 names.
const maxZones = 1024

var zones = struct {
	sync.RWMutex
	byName map[string]*time.Location
}{byName: map[string]*time.Location{}}

var errNoZone = errors.New("not an IANA time zone")

// LoadZone is time.LoadLocation for the names that a task may have as its zone: those of IANA, the same on every
// machine. It keeps what it has read, where LoadLocation reads a file each time.
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

// isZoneName refuses what LoadLocation reads on some machines only: the machine's own zone, and the copies of the
// database that a distribution adds.
func isZoneName(name string) bool {
	switch name {
	case "", "Local", "localtime", "posixrules":
		return false
	}
	return !strings.HasPrefix(name, "right/") && !strings.HasPrefix(name, "posix/")
}
