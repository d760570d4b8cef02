package main

import "github.com/taskwire/taskwire/pkg/platform/config"

// app is the service's app id: its name to Dapr, its secret's name, its consumer group.
const app = "audit"

// The keys of the service's secret.
const (
	secretDatabase   = "database-url"           // the role that reads and adds
	secretMigrate    = "migrate-url"            // the role that owns the tables
	secretCheckpoint = "checkpoint-signing-key" // x/mod/sumdb/note signer key; its name is the log's origin
)

// Config is the service's environment.
type Config struct {
	config.Base
}
