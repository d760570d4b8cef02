package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(actAsRelay); url != "" {
		relayProcess(url)
	}
	pgtest.Main(m)
}

const (
	patience = 90 * time.Second // before a test fails because an awaited event does not happen
	poll     = 5 * time.Millisecond
)

var outboxSet = postgres.Set{Name: "outbox", FS: outbox.Migrations}

// world is one test's database, with an outbox and a table of keys that writers lock, as they lock the users' rows.
type world struct {
	t   testing.TB
	db  *pgtest.DB
	box *outbox.Outbox
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db := pgtest.New(t, "tasks", outboxSet)
	w := &world{t: t, db: db, box: outbox.New(db.Gorm, slog.New(slog.DiscardHandler))}
	w.admin("CREATE TABLE account (key text PRIMARY KEY, seq bigint NOT NULL DEFAULT 0)")
	w.admin("CREATE TABLE change (event_id uuid NOT NULL, n bigint GENERATED ALWAYS AS IDENTITY)")
	w.admin("GRANT ALL ON account, change TO tasks_app")
	return w
}

// admin runs a statement as the superuser.
func (w *world) admin(sql string, args ...any) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.db.AdminURL)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.db.Gorm.Raw(sql, args...).Scan(&n).Error; err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (w *world) waiting() int { w.t.Helper(); return w.count("SELECT count(*) FROM outbox") }
func (w *world) parked() int  { w.t.Helper(); return w.count("SELECT count(*) FROM outbox_parked") }

// relay makes a relay with a short poll interval.
func (w *world) relay(pub outbox.Publisher, change ...func(*outbox.RelayConfig)) *outbox.Relay {
	w.t.Helper()
	cfg := outbox.RelayConfig{
		DB: w.db.Gorm, Outbox: w.box, Publisher: pub, Log: slog.New(slog.DiscardHandler),
		Registerer: prometheus.NewRegistry(), Name: "relay", PollInterval: 10 * time.Millisecond,
	}
	for _, f := range change {
		f(&cfg)
	}
	r, err := outbox.NewRelay(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) once(r *outbox.Relay) (int, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	return r.RunOnce(ctx)
}

// mustOnce calls RunOnce and fails the test on any error.
func (w *world) mustOnce(r *outbox.Relay) int {
	w.t.Helper()
	n, err := w.once(r)
	if err != nil {
		w.t.Fatalf("RunOnce: %v", err)
	}
	return n
}

// run starts a relay. stop ends it and waits for its end.
func (w *world) run(r *outbox.Relay) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					w.t.Errorf("Run: %v", err)
				}
			case <-time.After(patience):
				w.t.Error("Run does not end")
			}
		})
	}
	w.t.Cleanup(stop)
	return stop
}

func (w *world) waitFor(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(poll) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// body is the Data of test events: a number to check the order with.
type body struct {
	N int `json:"n"`
}

func event(topic, key, subject string, n int) outbox.Message {
	data, err := json.Marshal(body{n})
	if err != nil {
		panic(err)
	}
	return outbox.Message{Topic: topic, Key: key, EventID: uuid.NewString(), Type: "updated", Subject: subject, Data: data}
}

// add commits each event in its own transaction.
func (w *world) add(msgs ...outbox.Message) {
	w.t.Helper()
	for _, m := range msgs {
		if err := w.box.InTx(w.t.Context(), func(tx *outbox.Tx) error { tx.Add(m); return nil }); err != nil {
			w.t.Fatalf("InTx: %v", err)
		}
	}
}

// broker records published events, and fails as its fields say.
type broker struct {
	mu    sync.Mutex
	log   []outbox.Message // in the order of publication, with repetitions
	bulks [][]outbox.Message
	// fail is called before events are recorded. Events in failed are not recorded; with an error no event is.
	fail func(ctx context.Context, topic string, msgs []outbox.Message) (failed map[string]error, err error)
	// after is called after a bulk was recorded and before it is acknowledged.
	after func(topic string, msgs []outbox.Message)
}

func (b *broker) PublishBulk(ctx context.Context, topic string, msgs []outbox.Message) (map[string]error, error) {
	b.mu.Lock()
	fail, after := b.fail, b.after
	b.mu.Unlock()
	var failed map[string]error
	if fail != nil {
		var err error
		if failed, err = fail(ctx, topic, msgs); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	b.bulks = append(b.bulks, msgs)
	for _, m := range msgs {
		if m.Topic != topic {
			b.mu.Unlock()
			return nil, fmt.Errorf("event of topic %s in a bulk for %s", m.Topic, topic)
		}
		if failed[m.EventID] == nil {
			b.log = append(b.log, m)
		}
	}
	b.mu.Unlock()
	if after != nil {
		after(topic, msgs)
	}
	return failed, nil
}

func (b *broker) set(fail func(context.Context, string, []outbox.Message) (map[string]error, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = fail
}

func (b *broker) published() []outbox.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]outbox.Message(nil), b.log...)
}

// firsts returns the numbers of a subject's events on a topic, in the order of their first publication.
func (b *broker) firsts(topic, subject string) (ns []int) {
	seen := map[string]bool{}
	for _, m := range b.published() {
		if m.Topic == topic && m.Subject == subject && !seen[m.EventID] {
			seen[m.EventID] = true
			ns = append(ns, number(m))
		}
	}
	return ns
}

func number(m outbox.Message) int {
	var x body
	if err := json.Unmarshal(m.Data, &x); err != nil {
		panic(err)
	}
	return x.N
}

var errAway = errors.New("the broker is away")

// failing returns a broker's fail function that fails the events for which why returns an error.
func failing(why func(outbox.Message) error) func(context.Context, string, []outbox.Message) (map[string]error, error) {
	return func(_ context.Context, _ string, msgs []outbox.Message) (map[string]error, error) {
		failed := map[string]error{}
		for _, m := range msgs {
			if err := why(m); err != nil {
				failed[m.EventID] = err
			}
		}
		return failed, nil
	}
}

// lockKey takes the lock that the order within a key depends on.
func lockKey(tx *gorm.DB, key string) (seq int, err error) {
	err = tx.Raw("UPDATE account SET seq = seq + 1 WHERE key = ? RETURNING seq", key).Scan(&seq).Error
	return seq, err
}

// sameBucket returns another key of the same bucket.
func sameBucket(key string) string {
	bucket := func(key string) uint32 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(key))
		return h.Sum32() % 64
	}
	for i := 0; ; i++ {
		if k := fmt.Sprint("k", i); bucket(k) == bucket(key) {
			return k
		}
	}
}
