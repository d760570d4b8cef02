package main

import (
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name to Dapr, the name of its secret and its consumer group.
const appID = apps.Audit

// secretDatabase is the key of the service's secret: the address of the role that reads and adds.
const secretDatabase = "database-url"

// settings are the service's environment variables. It has none of its own.
type settings struct{ config.Base }
