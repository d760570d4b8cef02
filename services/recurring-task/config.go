package main

import "github.com/taskwire/taskwire/pkg/platform/config"

// appID is the service's name on the bus and in its metrics.
const appID = "recurring-task"

// settings is what the service is told by its environment; there is nothing of its own yet.
type settings struct{ config.Base }
