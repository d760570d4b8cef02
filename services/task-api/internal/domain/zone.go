package domain

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Zone returns the IANA time zone of that name, and reports whether there is one. It accepts the same names as the events.
func Zone(name string) (*time.Location, bool) {
	loc, err := events.LoadZone(name)
	return loc, err == nil
}
