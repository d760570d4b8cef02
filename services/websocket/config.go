package main

import (
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name to Dapr. Its consumer groups begin with it: each replica has its own.
const appID = apps.WebSocket

// settings are the service's environment variables.
type settings struct {
	config.Base
	MaxConnections int `env:"MAX_CONNECTIONS" envDefault:"20000"`            // of this process
	MaxPerAddress  int `env:"MAX_CONNECTIONS_PER_ADDRESS" envDefault:"5000"` // connections of one address to this process
	MaxPerUser     int `env:"MAX_CONNECTIONS_PER_USER" envDefault:"50"`      // connections of one user to this process
}
