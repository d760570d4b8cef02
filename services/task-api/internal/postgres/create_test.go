package postgres

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
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
)

// outcome is what Create returned.
type outcome struct {
	task     events.TaskData
	replayed bool
	err      error
}

// asOne sends requests while no group can begin, so that they are one group, in their order.
func (f *fixture) asOne(requests ...CreateRequest) []<-chan outcome {
	f.t.Helper()
	f.gather.mu.Lock()
	f.gather.running += maxGroups
	f.gather.mu.Unlock()
	all := make([]<-chan outcome, len(requests))
	for i, r := range requests {
		out := make(chan outcome, 1)
		all[i] = out
		go func() {
			task, replayed, err := f.Create(ctx(), r)
			out <- outcome{task, replayed, err}
		}()
		for waiting := 0; waiting <= i; time.Sleep(time.Millisecond) {
			f.gather.mu.Lock()
			waiting = len(f.gather.waiting)
			f.gather.mu.Unlock()
		}
	}
	f.gather.mu.Lock()
	f.gather.running -= maxGroups
	f.gather.start()
	f.gather.mu.Unlock()
	return all
}

func (f *fixture) request(userID, title, key string) CreateRequest {
	r := CreateRequest{UserID: userID, Fields: f.fields(fmt.Sprintf(`{"title":%q}`, title))}
	if key != "" {
		r.Key = &IdempotencyKey{Key: key, Hash: [32]byte([]byte(fmt.Sprintf("%-32s", title)))}
	}
	return r
}

func (f *fixture) transactions() (n int) {
	f.t.Helper()
	if err := f.db.Raw(`SELECT count(DISTINCT xmin::text) FROM tasks`).Scan(&n).Error; err != nil {
		f.t.Fatal(err)
	}
	return n
}

func TestTheRequestsOfAGroupHaveEachItsOwnOutcome(t *testing.T) {
	f := newFixture(t)
	ann, bob, eve := f.user(), f.user(), uuid.NewString()
	before, _, err := f.Create(ctx(), f.request(bob, "before", "old"))
	if err != nil {
		t.Fatal(err)
	}
	expired, _, err := f.Create(ctx(), f.request(bob, "expired", "expired"))
	if err != nil {
		t.Fatal(err)
	}
	f.exec(`UPDATE idempotency_keys SET created_at = created_at - interval '1 day 1 second' WHERE key = 'expired'`)
	transactions := f.transactions()
	out := f.asOne(
		f.request(ann, "first", ""),
		f.request(ann, "", ""), // refused, between two that are not
		f.request(ann, "second", "k"),
		f.request(ann, "second", "k"),
		f.request(bob, "third", "k"),
		f.request(bob, "before", "old"),
		f.request(bob, "another", "old"),
		f.request(bob, "expired", "expired"),
		f.request(eve, "nobody's", "k"),
	)
	var got []outcome
	for _, c := range out {
		got = append(got, <-c)
	}
	for i, title := range map[int]string{0: "first", 2: "second", 4: "third", 7: "expired"} {
		if o := got[i]; o.err != nil || o.replayed || o.task.Title != title {
			t.Errorf("%s: got %+v", title, o)
		}
	}
	if got[7].task.ID == expired.ID {
		t.Error("an expired key: got the task of before")
	}
	if got[1].err == nil {
		t.Error("no title: got no error")
	}
	if o := got[3]; o.err != nil || !o.replayed || !reflect.DeepEqual(o.task, got[2].task) {
		t.Errorf("the same request twice: got %+v, want the first one's task", o)
	}
	if o := got[5]; o.err != nil || !o.replayed || !reflect.DeepEqual(o.task, before) {
		t.Errorf("a repetition: got %+v, want the task of before", o)
	}
	if !errors.Is(got[6].err, ErrKeyReused) {
		t.Errorf("the key of another request: got %v, want ErrKeyReused", got[6].err)
	}
	if !errors.Is(got[8].err, ErrNoUser) {
		t.Errorf("no user: got %v, want ErrNoUser", got[8].err)
	}
	if n := f.transactions(); n != transactions+1 {
		t.Errorf("got %d transactions more, want 1", n-transactions)
	}
	for user, want := range map[string][]int64{ann: {1, 2}, bob: {1, 2, 3, 4}} {
		if seqs := f.seqs(user); !slices.Equal(seqs, want) {
			t.Errorf("change log: got %v, want %v", seqs, want)
		}
		if head, err := readHead(f.db, user); err != nil || head.Seq != want[len(want)-1] {
			t.Errorf("head: got %d, %v; want %d", head.Seq, err, want[len(want)-1])
		}
	}
	if again, replayed, err := f.Create(ctx(), f.request(ann, "second", "k")); err != nil || !replayed || !reflect.DeepEqual(again, got[2].task) {
		t.Errorf("a repetition of the group's: got %+v, %v, %v", again, replayed, err)
	}
	if kinds := f.types(events.TopicTaskEvents); len(kinds) != 6 {
		t.Errorf("task-events: got %v, want 6", kinds)
	}
}

// TestARequestThatTheDatabaseRefusesDoesNotTakeTheGroupWithIt: no value that passes the checks is known to be refused;
// the constraint stands for one.
func TestARequestThatTheDatabaseRefusesDoesNotTakeTheGroupWithIt(t *testing.T) {
	f := newFixture(t)
	f.slow(`ALTER TABLE tasks ADD CHECK (title <> 'poison')`)
	ann, bob := f.user(), f.user()
	out := f.asOne(f.request(ann, "first", "k"), f.request(ann, "poison", ""), f.request(bob, "second", ""))
	if o := <-out[1]; !pg.IsRefused(o.err) {
		t.Errorf("poison: got %v", o.err)
	}
	for _, i := range []int{0, 2} {
		if o := <-out[i]; o.err != nil || o.replayed {
			t.Errorf("request %d: got %+v", i, o)
		}
	}
	if a, b := f.seqs(ann), f.seqs(bob); len(a) != 1 || len(b) != 1 || len(f.sent(events.TopicTaskEvents)) != 2 {
		t.Errorf("got changes %v and %v, events %v", a, b, f.sent(events.TopicTaskEvents))
	}
}

func TestAUserWhoseLockIsHeldHoldsUpNobodyElse(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(), f.user()
	var out []<-chan outcome
	err := f.outbox.InTx(ctx(), func(tx *outbox.Tx) error {
		if _, err := nextSeq(tx.DB, ann); err != nil {
			return err
		}
		out = f.asOne(f.request(ann, "waits", "k"), f.request(bob, "goes on", "k"))
		if o := <-out[1]; o.err != nil {
			t.Errorf("the other user: got %v", o.err)
		}
		for range 2 * maxGroups { // none of the places is taken by who waits
			if _, _, err := f.Create(ctx(), f.request(bob, "more", "")); err != nil {
				t.Error(err)
			}
		}
		select {
		case o := <-out[0]:
			t.Errorf("the user whose lock is held: got %+v", o)
		default:
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if o := <-out[0]; o.err != nil || o.task.Seq != 2 {
		t.Errorf("after the lock: got seq %d, %v; want 2", o.task.Seq, o.err)
	}
}

func TestACreateThatIsGivenUpWhileItsUserIsLockedWritesNothing(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	err := f.outbox.InTx(ctx(), func(tx *outbox.Tx) error {
		if _, err := nextSeq(tx.DB, user); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx(), 50*time.Millisecond)
		defer cancel()
		if _, _, err := f.Create(short, f.request(user, "given up", "k")); !pg.IsUnavailable(err) {
			t.Errorf("got %v, want one that is unavailable", err)
		}
		return errUnchanged
	})
	if !errors.Is(err, errUnchanged) {
		t.Fatal(err)
	}
	for {
		task, replayed, err := f.Create(ctx(), f.request(user, "given up", "k"))
		if errors.Is(err, ErrKeyRunning) { // until the server has noticed
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
	f := newFixture(t)
	user := f.user()
	for range 10 {
		f.create(user, `{"title":"t"}`)
	}
	var kept int
	err := f.db.Raw(`SELECT max(generic_plans) FROM pg_prepared_statements WHERE statement LIKE '%WITH asked AS%'`).Scan(&kept).Error
	if err != nil || kept == 0 {
		t.Errorf("got %d uses of a kept plan (%v), want some", kept, err)
	}
}
