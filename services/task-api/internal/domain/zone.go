package domain

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are read the same on a machine without zone files

	"github.com/taskwire/taskwire/pkg/events"
)

// zones caches what LoadLocation reads from a file each time. Only names that exist are kept, about 600.
var zones sync.Map

// Zone returns an IANA time zone; false for anything else, "Local" too, which is another one on every machine.
func Zone(name string) (*time.Location, bool) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), true
	}
	switch {
	case name == "", len(name) > events.MaxTimezone, name == "Local", name == "localtime", name == "posixrules",
		strings.HasPrefix(name, "right/"), strings.HasPrefix(name, "posix/"):
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	zones.Store(name, loc)
	return loc, true
}
