package main

import (
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name to Dapr and its consumer group.
const appID = apps.RecurringTask

// settings are the service's environment variables. It has none of its own.
type settings struct{ config.Base }
