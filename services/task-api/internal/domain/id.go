package domain

// This file decides which ids a client may give a new task.

import (
	"time"

	"github.com/google/uuid"
)

const (
	// MaxIDAhead is how far the time in a client's id may be ahead of the server's clock. Clocks of devices are wrong by hours,
	// for example in another time zone, and rarely by more.
	MaxIDAhead = 24 * time.Hour
)

// minIDTime is before version 7 of UUIDs was drafted (RFC 9562 is of 2024). An earlier time comes from a clock that was never
// set.
var minIDTime = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// NewID returns the canonical form of an id that a client gives a new task: a UUID of version 7, whose time is about now or in
// the past. The error is an *Invalid.
func NewID(text string, now time.Time) (string, error) {
	refuse := func(message string) (string, error) {
		return "", &Invalid{Fields: []FieldError{{"id", message}}}
	}
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(uuid.Nil.String()) || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return refuse("must be a UUID of version 7 (RFC 9562)")
	}
	at := idTime(id)
	if at.Before(minIDTime) || at.After(now.Add(MaxIDAhead)) {
		return refuse("must have a time from 2020 to 24 hours from now: the clock that made it is wrong")
	}
	return id.String(), nil
}

// idTime returns the time in a UUID of version 7: milliseconds in the first 48 bits.
func idTime(id uuid.UUID) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}
