package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

func (f *fixture) request(userID, title, key string) tasks.CreateRequest {
	r := tasks.CreateRequest{UserID: userID, Fields: f.Fields(fmt.Sprintf(`{"title":%q}`, title))}
	if key != "" {
		r.Key = &tasks.IdempotencyKey{Key: key, Hash: [32]byte([]byte(fmt.Sprintf("%-32s", title)))}
	}
	return r
}

func (f *fixture) transactions() (n int) {
	f.T.Helper()
	if err := f.DB.Raw(`SELECT count(DISTINCT xmin::text) FROM tasks`).Scan(&n).Error; err != nil {
		f.T.Fatal(err)
	}
	return n
}

func TestCreatesInOneTransactionHaveSeparateOutcomes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ann, bob, eve := f.User(), f.User(), uuid.NewString()
	before, _, err := f.Create(ctx(), f.request(bob, "before", "old"))
	if err != nil {
		t.Fatal(err)
	}
	expired, _, err := f.Create(ctx(), f.request(bob, "expired", "expired"))
	if err != nil {
		t.Fatal(err)
	}
	f.Exec(`UPDATE idempotency_keys SET created_at = created_at - interval '1 day 1 second' WHERE key = 'expired'`)
	transactions := f.transactions()
	got := f.CreateTogether(ctx(), []tasks.CreateRequest{
		f.request(ann, "first", ""),
		f.request(ann, "", ""), // invalid, between two valid creates
		f.request(ann, "second", "k"),
		f.request(bob, "third", "k"),
		f.request(bob, "before", "old"),
		f.request(bob, "another", "old"),
		f.request(bob, "expired", "expired"),
		f.request(eve, "no account", "k"),
	})
	for i, title := range map[int]string{0: "first", 2: "second", 3: "third", 6: "expired"} {
		if o := got[i]; o.Err != nil || o.Replayed || o.Task.Title != title {
			t.Errorf("%s: got %+v", title, o)
		}
	}
	if got[6].Task.ID == expired.ID {
		t.Error("an expired key: got the old task, want a new one")
	}
	if got[1].Err == nil {
		t.Error("no title: got no error, want one")
	}
	if o := got[4]; o.Err != nil || !o.Replayed || !reflect.DeepEqual(o.Task, before) {
		t.Errorf("repeated request: got %+v, want the first answer", o)
	}
	if !errors.Is(got[5].Err, tasks.ErrKeyReused) {
		t.Errorf("key of another request: got %v, want ErrKeyReused", got[5].Err)
	}
	if !errors.Is(got[7].Err, tasks.ErrNoUser) {
		t.Errorf("no user: got %v, want ErrNoUser", got[7].Err)
	}
	if n := f.transactions(); n != transactions+1 {
		t.Errorf("new transactions: got %d, want 1", n-transactions)
	}
	for user, want := range map[string][]int64{ann: {1, 2}, bob: {1, 2, 3, 4}} {
		if seqs := f.Seqs(user); !slices.Equal(seqs, want) {
			t.Errorf("change log: got %v, want %v", seqs, want)
		}
		if heads, err := f.Heads(ctx(), []string{user}); err != nil || heads[user] != want[len(want)-1] {
			t.Errorf("head: got %d, %v; want %d", heads[user], err, want[len(want)-1])
		}
	}
	if again, replayed, err := f.Create(ctx(), f.request(ann, "second", "k")); err != nil || !replayed || !reflect.DeepEqual(again, got[2].Task) {
		t.Errorf("repeated request of the transaction: got %+v, replayed %v, %v; want the first answer", again, replayed, err)
	}
	if kinds := f.Types(events.TopicTaskEvents); len(kinds) != 6 {
		t.Errorf("task-events: got %v, want 6", kinds)
	}
}

// The constraint simulates a refusal by the database: no value that passes the service's checks is known to be refused.
func TestARefusedCreateDoesNotFailItsBatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Slow(`ALTER TABLE tasks ADD CHECK (title <> 'poison')`)
	ann, bob := f.User(), f.User()
	got := f.CreateTogether(ctx(), []tasks.CreateRequest{f.request(ann, "first", "k"), f.request(ann, "poison", ""), f.request(bob, "second", "")})
	if o := got[1]; !pg.IsRefused(o.Err) {
		t.Errorf("refused create: got %v, want a refusal by the database", o.Err)
	}
	for _, i := range []int{0, 2} {
		if o := got[i]; o.Err != nil || o.Replayed {
			t.Errorf("request %d: got %+v", i, o)
		}
	}
	if a, b := f.Seqs(ann), f.Seqs(bob); len(a) != 1 || len(b) != 1 || len(f.Sent(events.TopicTaskEvents)) != 2 {
		t.Errorf("got changes %v and %v, events %v", a, b, f.Sent(events.TopicTaskEvents))
	}
}

func TestALockedUserDelaysNoOtherUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ann, bob := f.User(), f.User()
	waits := make(chan error, 1)
	f.LockUser(ann, func() {
		go func() {
			task, _, err := f.Create(ctx(), f.request(ann, "waits", "k"))
			if err == nil && task.Seq != 1 {
				err = fmt.Errorf("got seq %d, want 1", task.Seq)
			}
			waits <- err
		}()
		f.awaitLock()
		for range 5 { // the waiting create does not occupy a batch
			if _, _, err := f.Create(ctx(), f.request(bob, "proceeds", "")); err != nil {
				t.Error(err)
			}
		}
		select {
		case err := <-waits:
			t.Errorf("create of the locked user: returned %v before the lock was released", err)
		default:
		}
	})
	if err := <-waits; err != nil {
		t.Errorf("create of the locked user, after the lock: %v", err)
	}
}

// awaitLock waits until a statement of the service waits for a lock.
func (f *fixture) awaitLock() {
	f.T.Helper()
	for n := 0; n == 0; {
		err := f.DB.Raw(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n).Error
		if err != nil {
			f.T.Fatal(err)
		}
	}
}

func TestABatchSkipsALockedUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ann, bob := f.User(), f.User()
	done := make(chan []tasks.Created, 1)
	f.LockUser(ann, func() {
		go func() {
			done <- f.CreateTogether(ctx(), []tasks.CreateRequest{f.request(ann, "waits", "k"), f.request(bob, "proceeds", "k")})
		}()
		f.awaitLock() // of ann's create, which is now written alone
		if got := f.Seqs(bob); len(got) != 1 {
			t.Errorf("change log of the other user: got %v, want one change", got)
		}
	})
	for i, o := range <-done {
		if o.Err != nil || o.Replayed || o.Task.Seq != 1 {
			t.Errorf("create %d: got %+v", i, o)
		}
	}
}

func TestAnAbandonedCreateOfALockedUserWritesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	f.LockUser(user, func() {
		short, cancel := context.WithTimeout(ctx(), 50*time.Millisecond)
		defer cancel()
		if _, _, err := f.Create(short, f.request(user, "abandoned", "k")); !pg.IsUnavailable(err) {
			t.Errorf("Create with a short deadline: got %v, want an unavailable error", err)
		}
	})
	for {
		task, replayed, err := f.Create(ctx(), f.request(user, "abandoned", "k"))
		if errors.Is(err, tasks.ErrKeyRunning) { // until the server has noticed the cancellation
			continue
		}
		if err != nil || replayed || task.Seq != 1 {
			t.Errorf("repeated create: got seq %d, replayed %v, %v; want 1 and a new task", task.Seq, replayed, err)
		}
		return
	}
}

// After five executions, the server uses a generic plan if the custom plans were not cheaper (PostgreSQL, PREPARE).
func TestTheFirstStatementOfACreateUsesAGenericPlan(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	for range 10 {
		f.Make(user, `{"title":"t"}`)
	}
	var kept int
	err := f.DB.Raw(`SELECT max(generic_plans) FROM pg_prepared_statements WHERE statement LIKE '%WITH asked AS%'`).Scan(&kept).Error
	if err != nil || kept == 0 {
		t.Errorf("executions with a generic plan: got %d (%v), want some", kept, err)
	}
}

// The id of a client is unique among all users. In one transaction, the second create of an id fails alone.
func TestTwoUsersCannotHaveOneID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ann, bob := f.User(), f.User()
	id := uuid.Must(uuid.NewV7()).String()
	request := func(user, title, id string) tasks.CreateRequest {
		c := f.request(user, title, "")
		c.ID = id
		return c
	}
	got := f.CreateTogether(ctx(), []tasks.CreateRequest{request(ann, "first", id), request(bob, "second", id), request(bob, "third", ""), request(ann, "again", id)})
	if got[0].Err != nil || got[2].Err != nil || got[3].Err != nil || !errors.Is(got[1].Err, domain.ErrIDTaken) {
		t.Fatalf("creates: got %v, %v, %v, %v; want ErrIDTaken for the second only", got[0].Err, got[1].Err, got[2].Err, got[3].Err)
	}
	stored, err := f.Get(ctx(), ann, id)
	if err != nil || stored.Title != "first" || got[3].Task.ID != id || got[3].Task.Title != "first" {
		t.Errorf("ann's task: got %+v, %v, and %+v for the repeated create", stored, err, got[3].Task)
	}
	if seqs := f.Seqs(bob); !slices.Equal(seqs, []int64{1}) {
		t.Errorf("bob's change log: got %v, want only the third create", seqs)
	}
}
