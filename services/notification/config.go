package main

import (
	"time"

	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name to Dapr, the name of its secret and its consumer group.
const appID = apps.Notification

// secretDatabase is the key of the service's secret: the address of its database, as the role of the service.
const secretDatabase = "database-url"

// settings are the service's environment variables.
type settings struct {
	config.Base
	// AccountCheckEvery is the time between two checks for deleted accounts. The data of an account is removed after it
	// was missing in two checks. Accounts are rarely deleted, and a check costs the task API one index read for each
	// thousand users.
	AccountCheckEvery time.Duration `env:"ACCOUNT_CHECK_EVERY" envDefault:"10m"`
}
