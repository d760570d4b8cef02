package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, level, otlp string) (*Telemetry, *bytes.Buffer) {
	t.Helper()
	var b bytes.Buffer
	tel, err := Start(t.Context(), "audit", level, otlp, &b)
	if err != nil {
		t.Fatal(err)
	}
	return tel, &b
}

func TestALineHasServiceAndTheTraceOfItsContext(t *testing.T) {
	tel, b := start(t, "info", "")
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{0xab}, SpanID: trace.SpanID{0xcd}})
	ctx := trace.ContextWithSpanContext(t.Context(), sc)
	tel.Log.With("event_id", "e1").InfoContext(ctx, "appended", "task_id", "t1")
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	for key, want := range map[string]string{
		"service": "audit", "msg": "appended", "event_id": "e1", "task_id": "t1", "level": "INFO",
		"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String(),
	} {
		if line[key] != want {
			t.Errorf("%s: got %v, want %q", key, line[key], want)
		}
	}
	b.Reset()
	tel.Log.Info("no trace")
	if strings.Contains(b.String(), "trace_id") {
		t.Errorf("without a trace: got %s", b)
	}
}

func TestTheLevelAppliesAndAWrongOneIsRefused(t *testing.T) {
	tel, b := start(t, "warn", "")
	tel.Log.Info("quiet")
	tel.Log.Warn("loud")
	if strings.Contains(b.String(), "quiet") || !strings.Contains(b.String(), "loud") {
		t.Errorf("at level warn: got %s", b)
	}
	if _, err := Start(t.Context(), "audit", "chatty", "", io.Discard); err == nil {
		t.Error("level chatty: got nil")
	}
}

func TestTheRegistryHasGoProcessAndBuildInfo(t *testing.T) {
	tel, _ := start(t, "info", "")
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, want := range []string{"go_goroutines", "process_resident_memory_bytes", "go_build_info"} {
		if !names[want] {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestTraceContextIsPassedOnWithoutACollector(t *testing.T) {
	start(t, "info", "")
	in := propagation.MapCarrier{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	out := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(otel.GetTextMapPropagator().Extract(t.Context(), in), out)
	if out["traceparent"] != in["traceparent"] {
		t.Errorf("got %v, want %v", out, in)
	}
}

func TestSpansReachTheCollectorAtShutdown(t *testing.T) {
	got := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- r.URL.Path + " " + string(b)
	}))
	defer collector.Close()
	tel, _ := start(t, "info", collector.URL)
	_, span := otel.Tracer("test").Start(t.Context(), "append-entry")
	span.End()
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if req := <-got; !strings.HasPrefix(req, "/v1/traces ") || !strings.Contains(req, "append-entry") || !strings.Contains(req, "audit") {
		t.Errorf("the collector got %q", req)
	}
}

func TestAnUnavailableCollectorDelaysNeitherStartNorShutdown(t *testing.T) {
	tel, b := start(t, "info", "http://127.0.0.1:1")
	_, span := otel.Tracer("test").Start(t.Context(), "lost")
	span.End()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = tel.Shutdown(ctx) // an error or a log line; what counts is that it returns
	_ = b
	if _, err := Start(t.Context(), "audit", "info", "localhost", io.Discard); err == nil {
		t.Error("an endpoint that is no URL: got nil")
	}
}
