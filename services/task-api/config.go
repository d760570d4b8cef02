package main

import "github.com/taskwire/taskwire/pkg/platform/config"

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

// cursorKeyBytes is the length of an HMAC-SHA-256 key that is worth the name.
const cursorKeyBytes = 32
