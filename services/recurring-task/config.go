package main

import (
	"time"

	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name on the bus and in its metrics.
const appID = "recurring-task"

// settings is what the service is told by its environment; there is nothing of its own yet.
type settings struct{ config.Base }

const (
	// sidecarGrace is how long the sidecar may take to start before its absence is worth a line.
	sidecarGrace = 10 * time.Second
	// sidecarPoll is between two looks for it.
	sidecarPoll = time.Second
)
