package subscriber_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/inbox"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/postgres"
	"github.com/taskwire/taskwire/services/notification/internal/subscriber"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	appToken = "token of the sidecar"
	consumer = "notification"
)

var quiet = slog.New(slog.DiscardHandler)

// letters collects the dead letters.
type letters struct {
	mu  sync.Mutex
	got []events.DeadLetter
}

func (l *letters) PublishEvent(_ context.Context, topic string, e dapr.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, err := events.DecodeDeadLetter(e.Data)
	if topic != events.DeadLetterTopic(events.TopicReminders) || err != nil {
		return fmt.Errorf("dead letter on %s: %w", topic, err)
	}
	l.got = append(l.got, d)
	return nil
}

// rig is the Dapr side on real Postgres, with an engine that runs when the test calls look.
type rig struct {
	t       *testing.T
	db      *gorm.DB
	handler http.Handler
	store   *postgres.Store
	letters *letters
	now     time.Time
	woken   int
}

func newRig(t *testing.T, db *gorm.DB) *rig {
	t.Helper()
	r := &rig{t: t, db: db, store: postgres.New(db, outbox.New(db, quiet)), letters: &letters{}, now: time.Now().UTC()}
	server := subscribe.New(subscribe.Config{
		Token: appToken, Log: quiet, Registerer: prometheus.NewRegistry(), DeadLetter: r.letters, Consumer: consumer,
	})
	subscriber.New(inbox.New(db, consumer), r.store, func() { r.woken++ }, quiet).Subscribe(server)
	r.handler = server.Handler()
	return r
}

func onPostgres(t *testing.T) *rig {
	t.Helper()
	return newRig(t, pgtest.New(t, "notifications", postgres.Migrations()...).Gorm)
}

func (r *rig) post(path string, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("dapr-api-token", appToken)
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	return rec
}

// deliver sends the sidecar's request and checks the outcome, SUCCESS or RETRY.
func (r *rig) deliver(data []byte, want string) {
	r.t.Helper()
	var head struct {
		EventID string `json:"event_id"`
	}
	_ = json.Unmarshal(data, &head)
	rec := r.post("/events/"+events.TopicReminders, fmt.Appendf(nil,
		`{"specversion":"1.0","id":%q,"source":"task-api","type":"ReminderEvent","datacontenttype":"application/json","topic":"reminders","pubsubname":"kafka-pubsub","data":%s}`,
		head.EventID, data))
	var outcome struct{ Status string }
	if err := json.Unmarshal(rec.Body.Bytes(), &outcome); err != nil || rec.Code != http.StatusOK || outcome.Status != want {
		r.t.Errorf("delivery of %s: %d %s, want %s", data, rec.Code, rec.Body, want)
	}
}

// look runs one round of the engine at the time now and returns the number of new notifications.
func (r *rig) look() int {
	r.t.Helper()
	n, err := domain.NewEngine(r.store, func() time.Time { return r.now }, quiet, prometheus.NewRegistry()).RunOnce(r.t.Context())
	if err != nil {
		r.t.Fatalf("RunOnce: %v", err)
	}
	return n
}

func (r *rig) count(table string) (n int) {
	r.t.Helper()
	if err := r.db.Raw("SELECT count(*) FROM " + table).Scan(&n).Error; err != nil {
		r.t.Fatal(err)
	}
	return n
}

type task struct{ id, user string }

func newTask() task { return task{uuid.NewString(), uuid.NewString()} }

// event returns an event of a version of the task, with a reminder some time after the start of the rig.
func (r *rig) event(tk task, kind events.Type, version int64, after time.Duration) []byte {
	r.t.Helper()
	ev := events.ReminderEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: kind, TaskID: tk.id, UserID: tk.user,
		Title: "Call home", TaskVersion: version, Timestamp: r.now,
	}
	if kind == events.Scheduled {
		ev.RemindAt, ev.DueAt = r.now.Add(after), r.now.Add(after+time.Hour)
	}
	raw, err := ev.Encode()
	if err != nil {
		r.t.Fatal(err)
	}
	return raw
}

// The newest event of a task decides about the day and the zone, too.
func TestTheDayAndTheZoneOfAnEventReachTheList(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	tk := newTask()
	remind := time.Date(2026, time.November, 27, 14, 0, 0, 0, time.UTC)
	ev := events.ReminderEvent{
		SchemaVersion: events.SchemaVersion, EventType: events.Scheduled, TaskID: tk.id, UserID: tk.user, Title: "x", Timestamp: r.now,
		RemindAt: remind, DueAt: time.Date(2026, time.December, 2, 4, 59, 59, 0, time.UTC), DueDate: "2026-12-01", Timezone: "America/New_York",
	}
	for i, c := range []struct {
		change        func()
		dueDate, body string
	}{
		{func() {}, "2026-12-01", "Due Tuesday 1 December 2026."},
		{func() { ev.DueDate, ev.DueAt = "", time.Date(2026, time.December, 1, 22, 0, 0, 0, time.UTC) }, "", "Due Tuesday 1 December 2026 at 17:00 (America/New_York)."},
		{func() { ev.Timezone = "Asia/Tokyo" }, "", "Due Wednesday 2 December 2026 at 07:00 (Asia/Tokyo)."},
		{func() { ev.Timezone = "" }, "", "Due Wednesday 2 December 2026 at 07:00 (Asia/Tokyo)."}, // an event of an older version
	} {
		c.change()
		ev.EventID, ev.TaskVersion, ev.RemindAt = uuid.NewString(), int64(i+1), remind.Add(time.Duration(i)*time.Second)
		raw, err := ev.Encode()
		if err != nil {
			t.Fatal(err)
		}
		r.deliver(raw, "SUCCESS")
		r.now = ev.RemindAt
		r.look()
		list, err := r.store.List(t.Context(), domain.Filter{UserID: tk.user}, 1)
		if err != nil || list.Unread != int64(i+1) || list.Items[0].Body != c.body || list.Items[0].DueDate != c.dueDate || !list.Items[0].DueAt.Equal(ev.DueAt) {
			t.Errorf("version %d: %+v, %v, want %q and %q", i+1, list, err, c.dueDate, c.body)
		}
	}
}

func TestTheSameEventThreeTimesIsOneNotification(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	ev := r.event(newTask(), events.Scheduled, 1, 0)
	for range 3 {
		r.deliver(ev, "SUCCESS")
		r.look()
	}
	if n := r.count("notifications"); n != 1 {
		t.Errorf("%d notifications, want 1", n)
	}
	if r.woken != 1 {
		t.Errorf("the engine was woken %d times, want once", r.woken)
	}
}

func TestTheSameEventTenTimesAtOnceIsOneNotification(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	ev := r.event(newTask(), events.Scheduled, 1, 0)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() { newRig(t, r.db).deliver(ev, "SUCCESS") }) // each its own replica
	}
	group.Wait()
	if n := r.look(); n != 1 {
		t.Errorf("%d notifications, want 1", n)
	}
}

func TestMovedAndCancelledRemindersFollowTheirTask(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	moved, gone, late := newTask(), newTask(), newTask()
	r.deliver(r.event(moved, events.Scheduled, 1, 0), "SUCCESS")
	r.deliver(r.event(moved, events.Scheduled, 2, time.Hour), "SUCCESS")
	r.deliver(r.event(gone, events.Scheduled, 1, 0), "SUCCESS")
	r.deliver(r.event(gone, events.Cancelled, 2, 0), "SUCCESS")
	first := r.event(late, events.Scheduled, 1, 0)
	r.deliver(r.event(late, events.Cancelled, 2, 0), "SUCCESS")
	r.deliver(first, "SUCCESS") // overtaken by its cancellation
	if n := r.look(); n != 0 {
		t.Errorf("%d notifications now, want none", n)
	}
	r.now = r.now.Add(time.Hour)
	if n := r.look(); n != 1 {
		t.Errorf("%d notifications an hour later, want the moved one", n)
	}
}

// Delivers the golden documents of the first version of this system.
func TestTheOriginalFormIsAccepted(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../../pkg/events/testdata/original/reminder*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden documents: %v, %v", files, err)
	}
	r := onPostgres(t)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			r.deliver(raw, "SUCCESS")
		}
	}
	if len(r.letters.got) != 0 {
		t.Fatalf("dead letters: %+v", r.letters.got)
	}
	tasks := r.count("reminders")
	r.now = r.now.AddDate(100, 0, 0)
	if n := r.look(); n != tasks || n == 0 {
		t.Errorf("%d notifications of %d tasks, want one each", n, tasks)
	}
}

func TestAPoisonEventIsDeadLetteredAndTheNextOneIsApplied(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	tk := newTask()
	poison := fmt.Appendf(nil, `{"event_id":%q,"schema_version":2,"event_type":"scheduled","task_id":%q,"user_id":%q,"title":"x","task_version":1,"timestamp":"2030-01-01T00:00:00Z"}`,
		uuid.NewString(), tk.id, tk.user)
	r.deliver(poison, "SUCCESS")
	r.deliver(r.event(tk, events.Scheduled, 2, 0), "SUCCESS")
	if len(r.letters.got) != 1 || r.letters.got[0].Consumer != consumer || r.letters.got[0].Reason == "" {
		t.Errorf("dead letters %+v, want one with its reason", r.letters.got)
	}
	if n := r.look(); n != 1 {
		t.Errorf("%d notifications, want the one of the event behind", n)
	}
}

func TestAnUnknownTypeIsSkipped(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	tk := newTask()
	raw := bytes.Replace(r.event(tk, events.Scheduled, 1, 0), []byte(`"scheduled"`), []byte(`"paused"`), 1)
	r.deliver(raw, "SUCCESS")
	if n := len(r.letters.got) + r.count("reminders") + r.count("inbox"); n != 0 {
		t.Errorf("left %d traces, want none", n)
	}
}

func TestWithoutItsDatabaseEveryDeliveryIsRetried(t *testing.T) {
	t.Parallel()
	db, err := pg.Open(t.Context(), pg.Config{URL: "postgres://nobody@127.0.0.1:1/none?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close(db)
	r := newRig(t, db)
	ev := r.event(newTask(), events.Scheduled, 1, 0)
	for range 2 * subscribe.MaxAttempts {
		r.deliver(ev, "RETRY")
	}
	if len(r.letters.got) != 0 {
		t.Errorf("dead letters %+v: the event is not to blame", r.letters.got)
	}
}

func TestTheCronBindingOnlyWakesTheEngine(t *testing.T) {
	t.Parallel()
	r := onPostgres(t)
	if rec := r.post("/reminder-cron", nil); rec.Code != http.StatusOK || r.woken != 1 {
		t.Errorf("POST /reminder-cron: %d, woken %d times, want 200 and once", rec.Code, r.woken)
	}
}
