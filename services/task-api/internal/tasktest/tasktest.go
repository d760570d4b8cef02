// Package tasktest provides the use cases of tasks to tests, each with its own Postgres database.
package tasktest

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"gorm.io/gorm"
)

// Fixture is the use cases and the store over a new database, with its own clock. Its methods fail the test on an error.
type Fixture struct {
	*tasks.Service
	Store *postgres.Store
	Box   *outbox.Outbox
	T     testing.TB
	DB    *gorm.DB
	PG    *pgtest.DB
	clock clock
}

// clock advances by a millisecond on each call of Now.
type clock struct {
	mu sync.Mutex
	at time.Time
}

// Now advances the fixture's clock by a millisecond and returns its time.
func (f *Fixture) Now() time.Time {
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	f.clock.at = f.clock.at.Add(time.Millisecond)
	return f.clock.at
}

// Advance advances the clock by d.
func (f *Fixture) Advance(d time.Duration) {
	f.clock.mu.Lock()
	defer f.clock.mu.Unlock()
	f.clock.at = f.clock.at.Add(d)
}

// New returns a fixture over a new database with the service's tables.
func New(t testing.TB) *Fixture {
	t.Helper()
	return Over(t, pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: postgres.Migrations()}, pg.Set{Name: "outbox", FS: outbox.Migrations}))
}

// Over returns a fixture over a database that the test created.
func Over(t testing.TB, db *pgtest.DB) *Fixture {
	log := slog.New(slog.DiscardHandler)
	f := &Fixture{T: t, DB: db.Gorm, PG: db, Box: outbox.New(db.Gorm, log), clock: clock{at: time.Now().UTC()}}
	f.Store = postgres.New(db.Gorm, f.Box, f.Now)
	f.Service = tasks.New(f.Store, publish.New(log), f.Now, 0)
	return f
}

// NoEvents is the record of a change whose events a test does not need.
func NoEvents(publish.Tx, string, []string) error { return nil }

// User creates an account and returns its id.
func (f *Fixture) User() string {
	f.T.Helper()
	id := uuid.NewString()
	u := accounts.User{ID: id, Email: id + "@example.com", Name: "Ada", Timezone: "Europe/London", Role: "user", CreatedAt: f.Now()}
	login := accounts.Login{FamilyID: uuid.NewString(), UserID: id, Hash: [32]byte([]byte(id)[:32]), At: f.Now(), ExpiresAt: f.Now().Add(time.Hour)}
	if err := f.Store.CreateUser(context.Background(), u, "hash", login, NoEvents); err != nil {
		f.T.Fatalf("CreateUser: %v", err)
	}
	return id
}

// OldUser is User for a database of an earlier version, whose log-ins have other columns. The user has no log-in.
func (f *Fixture) OldUser() string {
	f.T.Helper()
	id := uuid.NewString()
	f.Exec(`INSERT INTO users (id, email, name, timezone, password_hash, created_at, updated_at) VALUES (?, ?, 'Ada', 'Europe/London', 'hash', now(), now())`, id, id+"@example.com")
	f.Exec(`INSERT INTO heads (user_id) VALUES (?)`, id)
	return id
}

// Fields parses the JSON body of a request.
func (f *Fixture) Fields(body string) domain.Fields {
	f.T.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		f.T.Fatal(err)
	}
	fields, err := domain.ParseFields(members)
	if err != nil {
		f.T.Fatal(err)
	}
	return fields
}

// Create creates a task. It reports whether the answer is the kept one of an earlier request.
func (f *Fixture) Create(ctx context.Context, c tasks.CreateRequest) (task events.TaskData, replayed bool, err error) {
	answer, err := f.Service.Create(ctx, c)
	return answer.Task, answer.Replayed, err
}

// Make creates a task.
func (f *Fixture) Make(userID, body string) events.TaskData {
	f.T.Helper()
	task, _, err := f.Create(context.Background(), tasks.CreateRequest{UserID: userID, Fields: f.Fields(body)})
	if err != nil {
		f.T.Fatalf("Create(%s): %v", body, err)
	}
	return task
}

// CreateOp returns an operation that creates a task.
func (f *Fixture) CreateOp(body string) tasks.Op {
	fields := f.Fields(body)
	return tasks.Op{Position: tasks.PositionOf(fields), Create: func(id, userID string, d domain.Defaults) (domain.Task, error) {
		return domain.New(id, userID, fields, d)
	}}
}

// Lifecycle adapts a lifecycle function of the domain to tasks.Op.
func Lifecycle(fn func(domain.Task, time.Time) (domain.Task, error)) func(domain.Task, domain.Defaults) (domain.Task, error) {
	return func(t domain.Task, d domain.Defaults) (domain.Task, error) { return fn(t, d.Now) }
}

// Apply changes a task, deleted or not, with a lifecycle function.
func (f *Fixture) Apply(userID, taskID string, fn func(domain.Task, time.Time) (domain.Task, error)) domain.Task {
	f.T.Helper()
	result, err := f.Change(context.Background(), tasks.ChangeRequest{UserID: userID, Op: tasks.Op{TaskID: taskID, Apply: Lifecycle(fn), Deleted: true, Reopens: true, Restores: true}})
	if err != nil {
		f.T.Fatalf("Change: %v", err)
	}
	return result.Task
}

// Patch changes a task with a merge patch.
func (f *Fixture) Patch(userID, taskID, body string) domain.Task {
	f.T.Helper()
	fields := f.Fields(body)
	result, err := f.Change(context.Background(), tasks.ChangeRequest{UserID: userID, Op: tasks.Op{
		TaskID: taskID, Reopens: fields.Status.Set, Position: tasks.PositionOf(fields),
		Apply: func(t domain.Task, d domain.Defaults) (domain.Task, error) { return domain.Patch(t, fields, d) },
	}})
	if err != nil {
		f.T.Fatalf("Patch(%s): %v", body, err)
	}
	return result.Task
}

// Skip skips an occurrence of a series.
func (f *Fixture) Skip(userID, taskID string) domain.Task {
	f.T.Helper()
	result, err := f.Change(context.Background(), tasks.ChangeRequest{UserID: userID, Op: tasks.Op{TaskID: taskID, Skip: true}})
	if err != nil {
		f.T.Fatalf("Skip: %v", err)
	}
	return result.Task
}

// Follow creates the occurrence after a completed one, as the recurrence engine does, and returns it.
func (f *Fixture) Follow(userID, taskID string) domain.Task {
	f.T.Helper()
	task, _, err := f.CreateSuccessor(context.Background(), tasks.SuccessorRequest{UserID: userID, TaskID: taskID, Actor: "recurring-task", Causation: "cause"})
	if err != nil {
		f.T.Fatalf("CreateSuccessor: %v", err)
	}
	return task
}

// Sent is an event in the outbox.
type Sent struct{ Topic, Type, Subject, Data string }

// Sent returns the events of a topic in the outbox, in the order of their ids.
func (f *Fixture) Sent(topic string) []Sent {
	f.T.Helper()
	var rows []Sent
	if err := f.DB.Raw(`SELECT topic, type, subject, data FROM outbox WHERE topic = ? ORDER BY id`, topic).Scan(&rows).Error; err != nil {
		f.T.Fatal(err)
	}
	return rows
}

// Types returns the event types of a topic, in order.
func (f *Fixture) Types(topic string) []string {
	f.T.Helper()
	var out []string
	for _, row := range f.Sent(topic) {
		var e struct {
			EventType string `json:"event_type"`
		}
		if err := json.Unmarshal([]byte(row.Data), &e); err != nil {
			f.T.Fatal(err)
		}
		out = append(out, e.EventType)
	}
	return out
}

// Seqs returns the seqs of the user's change log, in order.
func (f *Fixture) Seqs(userID string) []int64 {
	f.T.Helper()
	var out []int64
	if err := f.DB.Raw(`SELECT seq FROM changes WHERE user_id = ? ORDER BY seq`, userID).Scan(&out).Error; err != nil {
		f.T.Fatal(err)
	}
	return out
}

// Exec runs a statement as the service's role.
func (f *Fixture) Exec(sql string, args ...any) {
	f.T.Helper()
	if err := f.DB.Exec(sql, args...).Error; err != nil {
		f.T.Fatal(err)
	}
}

// Slow runs a statement as the superuser, without the statement timeout of the service's role.
func (f *Fixture) Slow(sql string, args ...any) {
	f.T.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, f.PG.AdminURL)
	if err != nil {
		f.T.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		f.T.Fatalf("%s: %v", sql, err)
	}
}

// LockUser holds the lock of a user while fn runs, like a writer.
func (f *Fixture) LockUser(userID string, fn func()) {
	f.T.Helper()
	err := f.DB.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec(`UPDATE heads SET seq = seq WHERE user_id = ?`, userID).Error; err != nil {
			return err
		}
		fn()
		return nil
	})
	if err != nil {
		f.T.Fatal(err)
	}
}

// Together starts n calls of fn at the same time and waits for all of them.
func Together(n int, fn func(i int)) {
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
