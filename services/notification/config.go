package main

import (
	"time"

	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name on the bus, in the secret store and in its metrics.
const appID = "notification"

// The secrets of the service.
const (
	secretDatabase = "database-url" // as the runtime role
	secretMigrate  = "migrate-url"  // as the owner
)

// settings is what the service is told by its environment.
type settings struct {
	config.Base
	// AccountCheckEvery is how often it is asked which accounts are gone. What is kept of one goes after two times. An
	// account that ends is rare, and asking about a thousand users is one read of an index at the task API.
	AccountCheckEvery time.Duration `env:"ACCOUNT_CHECK_EVERY" envDefault:"10m"`
}

const (
	// inboxRetention is how long an event's id is remembered: as long as the broker keeps events by default (7 days), and
	// a day more. An event that comes even later is still held off by its task's version.
	inboxRetention = 8 * 24 * time.Hour
	// pruneInterval is between two looks for ids that may be forgotten.
	pruneInterval = time.Hour
)
