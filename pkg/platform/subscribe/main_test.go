package subscribe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	_ "github.com/taskwire/taskwire/pkg/platform/postgres" // registers its classifier of errors
	"github.com/taskwire/taskwire/pkg/platform/telemetry"
	"github.com/taskwire/taskwire/testkit/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token = "token of the sidecar"
	topic = events.TopicReminders

	eventID = "01936d0f-6f6e-7c3a-8b54-0e1f5f1b2c3d"
	taskID  = "3f0f8c0e-5f0d-4b47-9a77-9d2d1c1b0a01"
	userID  = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
)

// letters records the published dead letters.
type letters struct {
	mu      sync.Mutex
	err     error
	refuse  int // when set, events of more bytes are refused
	got     []dapr.Event
	decoded []events.DeadLetter
}

func (l *letters) PublishEvent(ctx context.Context, dlq string, e dapr.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if l.refuse > 0 && len(e.Data) > l.refuse {
		return fmt.Errorf("too large: %w", dapr.ErrRefused)
	}
	d, err := events.DecodeDeadLetter(e.Data)
	if err != nil || dlq != events.DeadLetterTopic(topic) {
		return fmt.Errorf("to %s: %w", dlq, err)
	}
	l.got, l.decoded = append(l.got, e), append(l.decoded, d)
	return nil
}

// rig is a server with one topic, which handle handles.
type rig struct {
	t       testing.TB
	server  *Server
	letters *letters
	log     *logtest.Buffer
	reg     *prometheus.Registry
	handle  func(ctx context.Context, e events.ReminderEvent, d Delivery) error
}

func newRig(t testing.TB, edit func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, letters: &letters{}, log: &logtest.Buffer{}, reg: prometheus.NewRegistry()}
	cfg := Config{Token: token, Log: telemetry.NewLogger(r.log, slog.LevelDebug), Registerer: r.reg, DeadLetter: r.letters, Consumer: "notification"}
	if edit != nil {
		edit(&cfg)
	}
	r.handle = func(context.Context, events.ReminderEvent, Delivery) error { return nil }
	r.server = New(cfg)
	Handle(r.server, topic, events.DecodeReminderEvent, func(ctx context.Context, e events.ReminderEvent, d Delivery) error { return r.handle(ctx, e, d) })
	return r
}

// fails makes the handler fail with err.
func (r *rig) fails(err error) *rig {
	r.handle = func(context.Context, events.ReminderEvent, Delivery) error { return err }
	return r
}

func (r *rig) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set(tokenHeader, token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.server.Handler().ServeHTTP(w, req)
	return w
}

// deliver sends daprd's request and returns the status of the answer.
func (r *rig) deliver(body string, header ...string) string {
	r.t.Helper()
	return word(r.t, r.do(http.MethodPost, "/events/"+topic, body, header...))
}

func word(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var answer struct{ Status string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("a delivery is answered %d %s, want 200 with a status", w.Code, w.Body)
	}
	return answer.Status
}

// lines returns the log lines above debug.
func (r *rig) lines() []map[string]any {
	r.t.Helper()
	var out []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(r.log.String()), "\n") {
		if line == "" {
			continue
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			r.t.Fatalf("log line %s: %v", line, err)
		}
		if m["level"] != "DEBUG" {
			out = append(out, m)
		}
	}
	return out
}

// counts returns the number of deliveries by outcome.
func (r *rig) counts(name string) map[string]float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "subscribe_deliveries_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["topic"] == name && m.GetCounter().GetValue() > 0 {
				out[labels["outcome"]] = m.GetCounter().GetValue()
			}
		}
	}
	return out
}

// reminder returns a ReminderEvent with the fields more.
func reminder(more string) string {
	return fmt.Sprintf(`{"event_id":%q,"schema_version":2,"event_type":"scheduled","task_id":%q,"user_id":%q,"title":"x",`+
		`"due_at":"2026-03-01T09:00:00Z","remind_at":"2026-03-01T08:00:00Z","task_version":3,"timestamp":"2026-02-01T00:00:00Z"%s}`, eventID, taskID, userID, more)
}

// envelope returns a CloudEvent with this id around data, with the attributes more.
func envelope(id, data, more string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"task-api","type":"ReminderEvent","datacontenttype":"application/json",`+
		`"topic":"reminders","pubsubname":"kafka-pubsub"%s,"data":%s}`, id, more, data)
}

func usual() string { return envelope(eventID, reminder(""), "") }

var errBoom = errors.New("boom")
