package main

import (
	"errors"
	"net/url"

	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/config"
)

// appID is the service's name to Dapr and the name of its secret.
const appID = apps.AuditSigner

// secretCheckpoint is the key of the service's secret: a signer key of x/mod/sumdb/note. Its name is the log's origin.
const secretCheckpoint = "checkpoint-signing-key"

// publishKafka is the value of CHECKPOINTS_TO for the topic audit-checkpoints.
const publishKafka = "kafka"

// settings are the service's environment variables.
type settings struct {
	config.Base
	// StateDir holds the last signed checkpoint. Nobody but the signer may write there, least of all the audit service.
	StateDir string `env:"STATE_DIR" envDefault:"/var/lib/taskwire/audit-signer"`
	// CheckpointsFile gets every signed checkpoint; "" is checkpoints.jsonl in StateDir.
	CheckpointsFile string `env:"CHECKPOINTS_FILE"`
	// CheckpointsTo is a second place to which they are sent: an http(s) URL, or kafka for the topic audit-checkpoints.
	CheckpointsTo string `env:"CHECKPOINTS_TO"`
}

// Validate returns the errors of well-formed values. config.Load calls it.
func (s settings) Validate() error {
	if s.StateDir == "" {
		return errors.New("STATE_DIR is empty")
	}
	u, err := url.Parse(s.CheckpointsTo)
	if s.CheckpointsTo == "" || s.CheckpointsTo == publishKafka || err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		return nil
	}
	return errors.New(`CHECKPOINTS_TO is neither an http(s) URL nor "kafka"`)
}
