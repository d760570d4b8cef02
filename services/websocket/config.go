package main

import "github.com/taskwire/taskwire/pkg/platform/config"

// app is the service's app id: its name to Dapr and its consumer group's stem (one group for each replica).
const app = "websocket"

// Config is the service's environment.
type Config struct {
	config.Base
	AllowedOrigins []string `env:"ALLOWED_ORIGINS" envSeparator:","`         // pages that may connect; none: pages of the same host
	MaxConnections int      `env:"MAX_CONNECTIONS" envDefault:"20000"`       // of this process
	MaxPerUser     int      `env:"MAX_CONNECTIONS_PER_USER" envDefault:"50"` // browser tabs and devices of one user, on this process
}
