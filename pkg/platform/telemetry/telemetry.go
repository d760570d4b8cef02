// Package telemetry gives a service its logger, its metrics registry and its traces.
//
// Promises:
//
//   - A log line is one JSON object with time, level, msg and service. It has trace_id and span_id when its context has a
//     trace. Logs, metrics and traces share the keys event_id, task_id, user_id and trace_id.
//   - The registry belongs to this service: nothing is registered with the default of the process. It holds the Go,
//     process and build-info collectors and taskwire_build_info, whose labels name the build.
//   - W3C trace context (traceparent) is always read and passed on. Spans are recorded and sent only when an OTLP
//     endpoint is set. When the collector is unavailable, only its spans are lost.
//   - Shutdown sends what is buffered and ends all goroutines.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/taskwire/taskwire/pkg/platform/buildinfo"
)

// exportTimeout bounds one export, so that a collector that hangs cannot delay the shutdown.
const exportTimeout = 5 * time.Second

// Telemetry is the result of Start.
type Telemetry struct {
	Log      *slog.Logger
	Registry *prometheus.Registry

	provider *trace.TracerProvider // nil without an OTLP endpoint
}

// Start makes the logger and the registry. The logger writes lines of level (debug, info, warn, error) and above to w.
// When otlp is the URL of a collector (OTLP over HTTP, such as http://localhost:4318), traces are exported to it. Start
// sets OpenTelemetry's propagator and provider of the process, so it is called once.
func Start(ctx context.Context, service, level, otlp string, w io.Writer) (*Telemetry, error) {
	var min slog.Level
	if err := min.UnmarshalText([]byte(level)); err != nil {
		return nil, errors.New("telemetry: the log level is not one of debug, info, warn, error")
	}
	t := &Telemetry{
		Log:      NewLogger(w, min).With("service", service),
		Registry: prometheus.NewRegistry(),
	}
	t.Registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
		buildInfo(service),
	)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	if otlp == "" {
		return t, nil
	}
	log := t.Log
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("traces could not be sent", "error", err.Error())
	}))
	endpoint, err := tracesURL(otlp)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("telemetry: trace exporter: %w", err)
	}
	t.provider = trace.NewTracerProvider(
		trace.WithBatcher(exporter, trace.WithExportTimeout(exportTimeout)), // drops spans when its queue is full, and never blocks
		trace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
	)
	otel.SetTracerProvider(t.provider)
	return t, nil
}

// buildInfo is always 1. Its labels name the build.
func buildInfo(service string) prometheus.Collector {
	build := buildinfo.Read()
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "taskwire_build_info", Help: "The build of this service.",
		ConstLabels: prometheus.Labels{"service": service, "version": build.Version, "commit": build.Commit},
	}, func() float64 { return 1 })
}

// tracesURL returns the URL for traces: OTEL_EXPORTER_OTLP_ENDPOINT is a base to which the path of the signal is added
// (OpenTelemetry, OTLP exporter specification).
func tracesURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", errors.New("telemetry: OTEL_EXPORTER_OTLP_ENDPOINT is not a URL like http://localhost:4318")
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + "/v1/traces"
	return u.String(), nil
}

// Shutdown sends what is buffered, until ctx ends.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}
