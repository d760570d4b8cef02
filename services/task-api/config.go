package main

import (
	"time"

	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name on the bus, in the secret store and in its metrics.
const appID = "task-api"

// The secrets of the service.
const (
	secretDatabase  = "database-url"      // as the runtime role
	secretMigrate   = "migrate-url"       // as the owner
	secretSigning   = "token-signing-key" // PEM, PKCS8, Ed25519
	secretCursorKey = "cursor-key"        // 32 bytes in hex
)

// settings is what the service is told by its environment.
type settings struct {
	config.Base
	// TrustedProxies are the addresses and networks whose X-Forwarded-For is believed: the rate limits count by the
	// client's address. The default is the gateway of the same machine.
	TrustedProxies []string `env:"TRUSTED_PROXIES" envDefault:"127.0.0.1/32,::1/128"`
	// DatabaseConns bounds the connections to the database. A write holds one for its few statements.
	DatabaseConns int `env:"DATABASE_CONNS" envDefault:"16"`
}

const (
	// cursorKeyBytes is the length of an HMAC-SHA-256 key that is worth the name.
	cursorKeyBytes = 32
	// retryMigrating is what a client is told to wait while the database is made ready.
	retryMigrating = 2 * time.Second
	// sidecarGrace is how long the sidecar may take to start before its absence is worth a line.
	sidecarGrace = 10 * time.Second
	// sidecarPoll is between two looks for it.
	sidecarPoll = time.Second
)
