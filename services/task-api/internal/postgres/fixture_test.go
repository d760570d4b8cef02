package postgres

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"gorm.io/gorm"
)

// fixture is a store over a fresh database, with a clock that the test moves.
type fixture struct {
	*Store
	t     testing.TB
	db    *gorm.DB
	clock *clock
	pg    *pgtest.DB
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Millisecond) // time goes on
	return c.at
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: Migrations()}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	c := &clock{at: time.Now().UTC()}
	log := slog.New(slog.DiscardHandler)
	return &fixture{New(db.Gorm, outbox.New(db.Gorm, log), publish.New(log), c.now), t, db.Gorm, c, db}
}

func ctx() context.Context { return context.Background() }

// user makes an account and returns its id.
func (f *fixture) user() string {
	f.t.Helper()
	id := uuid.NewString()
	u := accounts.User{ID: id, Email: id + "@example.com", Name: "Ada", Timezone: "Europe/London", Role: "user", CreatedAt: f.now()}
	login := accounts.Login{FamilyID: uuid.NewString(), UserID: id, Hash: [32]byte([]byte(id)[:32]), At: f.now(), ExpiresAt: f.now().Add(time.Hour)}
	if err := f.CreateUser(ctx(), u, "hash", login); err != nil {
		f.t.Fatalf("CreateUser: %v", err)
	}
	return id
}

func (f *fixture) fields(body string) domain.Fields {
	f.t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		f.t.Fatal(err)
	}
	fields, err := domain.ParseFields(members)
	if err != nil {
		f.t.Fatal(err)
	}
	return fields
}

func (f *fixture) create(userID, body string) events.TaskData {
	f.t.Helper()
	task, _, err := f.Create(ctx(), CreateRequest{UserID: userID, Fields: f.fields(body)})
	if err != nil {
		f.t.Fatalf("Create(%s): %v", body, err)
	}
	return task
}

// apply is the lifecycle function as a change.
func apply(fn func(domain.Task, time.Time) (domain.Task, error)) func(domain.Task, domain.Defaults) (domain.Task, error) {
	return func(t domain.Task, d domain.Defaults) (domain.Task, error) { return fn(t, d.Now) }
}

func (f *fixture) change(userID, taskID string, fn func(domain.Task, time.Time) (domain.Task, error)) domain.Task {
	f.t.Helper()
	task, err := f.Change(ctx(), ChangeRequest{UserID: userID, TaskID: taskID, Apply: apply(fn), Deleted: true})
	if err != nil {
		f.t.Fatalf("Change: %v", err)
	}
	return task
}

func (f *fixture) patch(userID, taskID, body string) domain.Task {
	f.t.Helper()
	fields := f.fields(body)
	task, err := f.Change(ctx(), ChangeRequest{UserID: userID, TaskID: taskID, Apply: func(t domain.Task, d domain.Defaults) (domain.Task, error) {
		return domain.Patch(t, fields, d)
	}})
	if err != nil {
		f.t.Fatalf("Patch(%s): %v", body, err)
	}
	return task
}

// sent is an event in the outbox.
type sent struct{ Topic, Type, Subject, Data string }

// events returns what is in the outbox of a topic, in order.
func (f *fixture) sent(topic string) []sent {
	f.t.Helper()
	var rows []sent
	if err := f.db.Raw(`SELECT topic, type, subject, data FROM outbox WHERE topic = ? ORDER BY id`, topic).Scan(&rows).Error; err != nil {
		f.t.Fatal(err)
	}
	return rows
}

// types lists event types of a topic, in order.
func (f *fixture) types(topic string) []string {
	f.t.Helper()
	var out []string
	for _, row := range f.sent(topic) {
		var e struct {
			EventType string `json:"event_type"`
		}
		if err := json.Unmarshal([]byte(row.Data), &e); err != nil {
			f.t.Fatal(err)
		}
		out = append(out, e.EventType)
	}
	return out
}

// seqs returns the seqs of the user's change log, in order.
func (f *fixture) seqs(userID string) []int64 {
	f.t.Helper()
	var out []int64
	if err := f.db.Raw(`SELECT seq FROM changes WHERE user_id = ? ORDER BY seq`, userID).Scan(&out).Error; err != nil {
		f.t.Fatal(err)
	}
	return out
}

// together runs fn n times at once and waits.
func together(n int, fn func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			fn(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}
