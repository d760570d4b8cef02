package main

import (
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name to Dapr, the name of its secret and its consumer group.
const appID = apps.Audit

// The keys of the service's secret.
const (
	secretDatabase   = "database-url"           // the role that reads and adds
	secretCheckpoint = "checkpoint-signing-key" // signer key of x/mod/sumdb/note; its name is the log's origin
)

// settings are the service's environment variables. It has none of its own.
type settings struct{ config.Base }
