package subscriber_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/postgres"
	"github.com/taskwire/taskwire/services/audit/internal/subscriber"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const appToken = "token of the sidecar"

// letters collects the dead letters.
type letters struct {
	mu  sync.Mutex
	got []dapr.Event
}

func (l *letters) PublishEvent(_ context.Context, topic string, e dapr.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if topic != events.DeadLetterTopic(events.TopicTaskEvents) {
		return fmt.Errorf("topic %s", topic)
	}
	l.got = append(l.got, e)
	return nil
}

// rig is the Dapr side on real Postgres.
type rig struct {
	t       *testing.T
	handler http.Handler
	store   *postgres.Store
	letters *letters
}

func newRig(t *testing.T, store *postgres.Store) *rig {
	t.Helper()
	r := &rig{t: t, store: store, letters: &letters{}}
	quiet := slog.New(slog.DiscardHandler)
	reg := prometheus.NewRegistry()
	appender := domain.NewAppender(store, reg)
	server := subscribe.New(subscribe.Config{Token: appToken, Log: quiet, Registerer: reg, DeadLetter: r.letters, Consumer: "audit"})
	subscriber.New(appender, time.Now, quiet).Subscribe(server)
	r.handler = server.Handler()
	return r
}

func onPostgres(t *testing.T) *rig {
	t.Helper()
	return newRig(t, postgres.New(pgtest.New(t, "audit", postgres.Migrations()).Gorm))
}

// deliver makes the sidecar's request and returns its outcome: SUCCESS, RETRY or DROP.
func (r *rig) deliver(data []byte) string {
	r.t.Helper()
	var id struct {
		EventID string `json:"event_id"`
	}
	if err := json.Unmarshal(data, &id); err != nil {
		r.t.Fatal(err)
	}
	envelope := fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"task-api","type":"TaskEvent","datacontenttype":"application/json","topic":"task-events","pubsubname":"kafka-pubsub","data":%s}`,
		id.EventID, data)
	req := httptest.NewRequest(http.MethodPost, "/events/"+events.TopicTaskEvents, bytes.NewReader(envelope))
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("dapr-api-token", appToken)
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	var outcome struct{ Status string }
	if err := json.Unmarshal(w.Body.Bytes(), &outcome); err != nil || w.Code != http.StatusOK {
		r.t.Fatalf("delivery: got %d %s", w.Code, w.Body)
	}
	return outcome.Status
}

func (r *rig) entries() []domain.Entry {
	r.t.Helper()
	all, err := r.store.List(context.Background(), domain.Filter{}, 100_000)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func event(t testing.TB, version int64, title string) (events.TaskEvent, []byte) {
	t.Helper()
	now := time.Now().UTC()
	task := events.TaskData{
		ID: uuid.NewString(), UserID: uuid.NewString(), Title: title, Status: events.StatusPending, Priority: events.PriorityMedium,
		Tags: []string{}, Timezone: "UTC", Version: version, Seq: version, CreatedAt: now, UpdatedAt: now,
	}
	ev := events.TaskEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: events.Updated, TaskID: task.ID, UserID: task.UserID,
		TaskData: task, TaskVersion: version, Seq: version, Actor: task.UserID, Timestamp: now,
		Changes: []events.Change{{Field: "title", From: json.RawMessage(`"a"`), To: json.RawMessage(`"b"`)}},
	}
	raw, err := ev.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return ev, raw
}

func TestTheSameEventThreeTimesIsOneEntry(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	ev, raw := event(t, 2, "<b> & é")
	for n := range 3 {
		if got := r.deliver(raw); got != "SUCCESS" {
			t.Errorf("delivery %d: got %s, want SUCCESS", n+1, got)
		}
	}
	all := r.entries()
	if len(all) != 1 {
		t.Fatalf("entries: got %d, want 1", len(all))
	}
	e := all[0]
	if e.EventID != ev.EventID || e.TaskVersion != 2 || e.Actor != ev.Actor || !bytes.Equal(e.Event, raw) {
		t.Errorf("entry: got %+v with %s, want event %s with %s", e, e.Event, ev.EventID, raw)
	}
}

// The service dies after its commit and before its answer, so the sidecar delivers the event again.
func TestACrashBetweenCommitAndAnswerAddsNothing(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	_, raw := event(t, 1, "x")
	e, err := domain.NewEntry(raw, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Append(context.Background(), []*domain.Entry{e}); err != nil {
		t.Fatal(err)
	}
	again := newRig(t, r.store) // the service after its restart
	if got := again.deliver(raw); got != "SUCCESS" {
		t.Errorf("redelivery: got %s, want SUCCESS", got)
	}
	if all := again.entries(); len(all) != 1 {
		t.Errorf("entries: got %d, want 1", len(all))
	}
}

func TestPartitionsAppendTogether(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	const partitions, each = 12, 25
	var running sync.WaitGroup
	for range partitions {
		var raws [][]byte
		for n := range each {
			_, raw := event(t, int64(n+1), "x")
			raws = append(raws, raw)
		}
		running.Go(func() {
			for _, raw := range raws {
				if got := r.deliver(raw); got != "SUCCESS" {
					t.Errorf("delivery: got %s, want SUCCESS", got)
				}
			}
		})
	}
	running.Wait()
	all := r.entries()
	if len(all) != partitions*each {
		t.Fatalf("entries: got %d, want %d", len(all), partitions*each)
	}
	for i, e := range all {
		if e.Position != int64(i) {
			t.Fatalf("position %d: got %d", i, e.Position)
		}
	}
}

func TestTheOriginalFormIsRecorded(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("../../../../pkg/events/testdata/original/task-event.*.json")
	if err != nil || len(documents) == 0 {
		t.Fatalf("golden documents: found %v (%v)", documents, err)
	}
	r := onPostgres(t)
	for _, document := range documents {
		raw, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.deliver(raw); got != "SUCCESS" {
			t.Errorf("%s: got %s, want SUCCESS", document, got)
		}
	}
	if len(r.letters.got) > 0 {
		t.Errorf("dead letters: got %d, want none", len(r.letters.got))
	}
	if all := r.entries(); len(all) == 0 || all[0].TaskVersion != 0 || all[0].Actor != all[0].UserID {
		t.Errorf("entries: got %+v, want version 0 and the owner as actor", all)
	}
}

func TestAnUnknownEventTypeIsRecorded(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	_, raw := event(t, 5, "x")
	raw = bytes.Replace(raw, []byte(`"event_type":"updated"`), []byte(`"event_type":"shared"`), 1)
	if got := r.deliver(raw); got != "SUCCESS" {
		t.Errorf("delivery: got %s, want SUCCESS", got)
	}
	if all := r.entries(); len(all) != 1 || all[0].EventType != "shared" || all[0].TaskVersion != 5 || all[0].Actor == "" {
		t.Errorf("entries: got %+v, want one of type shared and version 5", all)
	}
}

func TestOnlyAnEventThatCannotBeStoredIsDeadLettered(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	_, good := event(t, 1, "x")
	bad := bytes.Replace(good, []byte(`{"event_id"`), []byte(`{"unknown":"a\u0000b","event_id"`), 1)
	if bytes.Equal(bad, good) {
		t.Fatal("the event was not changed")
	}
	if got := r.deliver(bad); got != "SUCCESS" {
		t.Errorf("the bad one: got %s, want SUCCESS", got)
	}
	if len(r.letters.got) != 1 || len(r.entries()) != 0 {
		t.Errorf("got %d dead letters and %d entries, want 1 and 0", len(r.letters.got), len(r.entries()))
	}
	_, next := event(t, 1, "y")
	if got := r.deliver(next); got != "SUCCESS" || len(r.entries()) != 1 {
		t.Errorf("the next one: got %s and %d entries, want SUCCESS and 1", got, len(r.entries()))
	}
}

func TestADatabaseThatIsDownAsksForRedelivery(t *testing.T) {
	t.Parallel()
	db, err := pg.Open(context.Background(), pg.Config{URL: "postgres://nobody@127.0.0.1:1/audit?sslmode=disable&connect_timeout=1"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, postgres.New(db))
	_, raw := event(t, 1, "x")
	for n := range 2 * subscribe.MaxAttempts { // an outage is no fault of the event, however long it is
		if got := r.deliver(raw); got != "RETRY" {
			t.Fatalf("delivery %d: got %s, want RETRY", n+1, got)
		}
	}
	if len(r.letters.got) > 0 {
		t.Errorf("dead letters: got %d, want none", len(r.letters.got))
	}
	if err := pg.Ping(context.Background(), db); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Ping: got %v, want an error", err)
	}
}
