package main

import (
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name to Dapr, the name of its secret and its consumer group.
const appID = apps.TaskAPI

// The keys of the service's secret.
const (
	secretDatabase  = "database-url"      // the role of the service
	secretSigning   = "token-signing-key" // PEM, PKCS8, Ed25519
	secretCursorKey = "cursor-key"        // 32 bytes in hex; the links in mails are signed with a key derived from it
	secretSMTP      = "smtp-url"          // optional: the mail server, as in SMTP_URL
)

// settings are the service's environment variables.
type settings struct {
	config.Base
	// DatabaseConns bounds the connections to the database. A write holds one for its few statements.
	DatabaseConns int `env:"DATABASE_CONNS" envDefault:"16"`
	// The quotas of one account; 0 means that there is none. The numbers of writes and imports are those of one replica.
	TasksPerAccount uint32 `env:"TASKS_PER_ACCOUNT" envDefault:"100000"`
	WritesPerMinute uint16 `env:"WRITES_PER_MINUTE" envDefault:"6000"`
	ImportsPerHour  uint16 `env:"IMPORTS_PER_HOUR" envDefault:"60"`

	// The mail server: smtp://user:password@host:587 (STARTTLS) or smtps://…:465. The key smtp-url of the secret comes first.
	// Without either the service sends no mail.
	SMTPURL string `env:"SMTP_URL"`
	// SMTPFrom is the sender of mails.
	SMTPFrom string `env:"SMTP_FROM"`
	// PublicURL is the address of the gateway for people, to which the links in mails lead.
	PublicURL string `env:"PUBLIC_URL"`
}

// cursorKeyBytes is the least length of the key: HMAC-SHA-256 needs as many bytes as its hash has (RFC 2104, section 3).
const cursorKeyBytes = 32
