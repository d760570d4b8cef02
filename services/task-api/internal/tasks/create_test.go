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

func TestTheRequestsOfAGroupHaveEachItsOwnOutcome(t *testing.T) {
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
		f.request(ann, "", ""), // refused, between two that are not
		f.request(ann, "second", "k"),
		f.request(bob, "third", "k"),
		f.request(bob, "before", "old"),
		f.request(bob, "another", "old"),
		f.request(bob, "expired", "expired"),
		f.request(eve, "nobody's", "k"),
	})
	for i, title := range map[int]string{0: "first", 2: "second", 3: "third", 6: "expired"} {
		if o := got[i]; o.Err != nil || o.Replayed || o.Task.Title != title {
			t.Errorf("%s: got %+v", title, o)
		}
	}
	if got[6].Task.ID == expired.ID {
		t.Error("an expired key: got the task of before")
	}
	if got[1].Err == nil {
		t.Error("no title: got no error")
	}
	if o := got[4]; o.Err != nil || !o.Replayed || !reflect.DeepEqual(o.Task, before) {
		t.Errorf("a repetition: got %+v, want the task of before", o)
	}
	if !errors.Is(got[5].Err, tasks.ErrKeyReused) {
		t.Errorf("the key of another request: got %v, want ErrKeyReused", got[5].Err)
	}
	if !errors.Is(got[7].Err, tasks.ErrNoUser) {
		t.Errorf("no user: got %v, want ErrNoUser", got[7].Err)
	}
	if n := f.transactions(); n != transactions+1 {
		t.Errorf("got %d transactions more, want 1", n-transactions)
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
		t.Errorf("a repetition of the group's: got %+v, %v, %v", again, replayed, err)
	}
	if kinds := f.Types(events.TopicTaskEvents); len(kinds) != 6 {
		t.Errorf("task-events: got %v, want 6", kinds)
	}
}

// TestARequestThatTheDatabaseRefusesDoesNotTakeTheGroupWithIt: no value that passes the checks is known to be refused;
// the constraint stands for one.
func TestARequestThatTheDatabaseRefusesDoesNotTakeTheGroupWithIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Slow(`ALTER TABLE tasks ADD CHECK (title <> 'poison')`)
	ann, bob := f.User(), f.User()
	got := f.CreateTogether(ctx(), []tasks.CreateRequest{f.request(ann, "first", "k"), f.request(ann, "poison", ""), f.request(bob, "second", "")})
	if o := got[1]; !pg.IsRefused(o.Err) {
		t.Errorf("poison: got %v", o.Err)
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

func TestAUserWhoseLockIsHeldHoldsUpNobodyElse(t *testing.T) {
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
		for range 5 { // no place for a batch is taken by the create that waits
			if _, _, err := f.Create(ctx(), f.request(bob, "goes on", "")); err != nil {
				t.Error(err)
			}
		}
		select {
		case err := <-waits:
			t.Errorf("the user whose lock is held: got %v before the lock was free", err)
		default:
		}
	})
	if err := <-waits; err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

// awaitLock returns when a statement of the service waits for a lock.
func (f *fixture) awaitLock() {
	f.T.Helper()
	for n := 0; n == 0; {
		err := f.DB.Raw(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n).Error
		if err != nil {
			f.T.Fatal(err)
		}
	}
}

func TestABatchPassesOverAUserWhoseLockIsHeld(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ann, bob := f.User(), f.User()
	done := make(chan []tasks.Created, 1)
	f.LockUser(ann, func() {
		go func() {
			done <- f.CreateTogether(ctx(), []tasks.CreateRequest{f.request(ann, "waits", "k"), f.request(bob, "goes on", "k")})
		}()
		f.awaitLock() // ann's create, alone by now
		if got := f.Seqs(bob); len(got) != 1 {
			t.Errorf("the other user: got changes %v, want one", got)
		}
	})
	for i, o := range <-done {
		if o.Err != nil || o.Replayed || o.Task.Seq != 1 {
			t.Errorf("create %d: got %+v", i, o)
		}
	}
}

func TestACreateThatIsGivenUpWhileItsUserIsLockedWritesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	f.LockUser(user, func() {
		short, cancel := context.WithTimeout(ctx(), 50*time.Millisecond)
		defer cancel()
		if _, _, err := f.Create(short, f.request(user, "given up", "k")); !pg.IsUnavailable(err) {
			t.Errorf("got %v, want one that is unavailable", err)
		}
	})
	for {
		task, replayed, err := f.Create(ctx(), f.request(user, "given up", "k"))
		if errors.Is(err, tasks.ErrKeyRunning) { // until the server has noticed
			continue
		}
		if err != nil || replayed || task.Seq != 1 {
			t.Errorf("again: got seq %d, replayed %v, %v", task.Seq, replayed, err)
		}
		return
	}
}

// TestWhatBeginsACreateIsPlannedOnce: after five times the server keeps a plan, if it finds that those of its own for each
// call were no cheaper.
func TestWhatBeginsACreateIsPlannedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	for range 10 {
		f.Make(user, `{"title":"t"}`)
	}
	var kept int
	err := f.DB.Raw(`SELECT max(generic_plans) FROM pg_prepared_statements WHERE statement LIKE '%WITH asked AS%'`).Scan(&kept).Error
	if err != nil || kept == 0 {
		t.Errorf("got %d uses of a kept plan (%v), want some", kept, err)
	}
}
