package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

// leftOf counts the rows that are still of a user, over all tables.
func (f *fixture) leftOf(userID string) (n int64) {
	f.T.Helper()
	err := f.DB.Raw(`SELECT (SELECT count(*) FROM users WHERE id = @u) + (SELECT count(*) FROM heads WHERE user_id = @u)
		+ (SELECT count(*) FROM tasks WHERE user_id = @u) + (SELECT count(*) FROM changes WHERE user_id = @u)
		+ (SELECT count(*) FROM idempotency_keys WHERE user_id = @u) + (SELECT count(*) FROM account_deletions WHERE user_id = @u)
		+ (SELECT count(*) FROM refresh_families WHERE user_id = @u)
		+ (SELECT count(*) FROM refresh_tokens t LEFT JOIN refresh_families f ON f.id = t.family_id WHERE f.user_id = @u OR f.id IS NULL)`,
		map[string]any{"u": userID}).Scan(&n).Error
	if err != nil {
		f.T.Fatal(err)
	}
	return n
}

func (f *fixture) deleteUser(userID string) {
	f.T.Helper()
	if err := f.Store.DeleteUser(ctx(), userID, "hash", f.Now()); err != nil {
		f.T.Fatalf("DeleteUser: %v", err)
	}
}

func (f *fixture) finish() {
	f.T.Helper()
	if err := f.FinishDeletions(ctx()); err != nil {
		f.T.Fatalf("FinishDeletions: %v", err)
	}
}

func TestADeletedAccountLeavesNothingAndEventsSaySo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u, other := f.User(), f.User()
	f.Make(other, `{"title":"other's"}`)
	kept := f.leftOf(other)
	reminded := f.Make(u, `{"title":"reminded","due_at":"2040-01-01T12:00:00Z","remind_at":"2040-01-01T11:00:00Z"}`)
	plain, _, err := f.Create(ctx(), tasks.CreateRequest{UserID: u, Fields: f.Fields(`{"title":"plain"}`), Key: &tasks.IdempotencyKey{Key: "k"}})
	if err != nil {
		t.Fatal(err)
	}
	gone := f.Make(u, `{"title":"deleted before"}`)
	f.Apply(u, gone.ID, domain.Delete)
	if err := f.DB.Exec(`DELETE FROM outbox`).Error; err != nil {
		t.Fatal(err)
	}
	f.deleteUser(u)
	if err := f.Store.DeleteUser(ctx(), u, "hash", f.Now()); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("once more: got %v, want ErrWrong", err)
	}
	f.finish()
	if n := f.leftOf(u); n != 0 {
		t.Errorf("left of the account: %d rows, want none", n)
	}
	if n := f.leftOf(other); n != kept {
		t.Errorf("left of the other account: %d rows, want %d", n, kept)
	}
	var told []string
	for _, row := range f.Sent(events.TopicTaskEvents) {
		ev, err := events.DecodeTaskEvent([]byte(row.Data))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, fmt.Sprint(ev.EventType, " ", ev.TaskID, " v", ev.TaskVersion, " seq ", ev.Seq, " by ", ev.Actor == u, " changes ", len(ev.Changes)))
		if ev.TaskData.DeletedAt == nil || ev.UserID != u {
			t.Errorf("event of the deletion: got %s", row.Data)
		}
	}
	want := []string{fmt.Sprint("deleted ", reminded.ID, " v2 seq 5 by true changes 1"), fmt.Sprint("deleted ", plain.ID, " v2 seq 6 by true changes 1")}
	if !slices.Equal(told, want) {
		t.Errorf("TaskEvents: got %q, want %q", told, want)
	}
	if got := f.Types(events.TopicTaskUpdates); !slices.Equal(got, []string{"deleted", "deleted"}) {
		t.Errorf("TaskUpdateEvents: got %v", got)
	}
	reminders := f.Sent(events.TopicReminders)
	if len(reminders) != 1 || reminders[0].Subject != reminded.ID || f.Types(events.TopicReminders)[0] != "cancelled" {
		t.Errorf("ReminderEvents: got %v, want one that cancels", reminders)
	}
}

// oneStep is a store whose process dies after one step of a deletion.
type oneStep struct {
	*postgres.Store
	dead bool
}

func (s *oneStep) DeletionStep(ctx context.Context, skip []string, deleted func(publish.Tx, domain.Task, int64) error) (string, error) {
	if s.dead {
		return "", nil
	}
	s.dead = true
	return s.Store.DeletionStep(ctx, skip, deleted)
}

func TestADeletionGoesOnAfterACrashBetweenItsBatches(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := f.User()
	const n = 2*postgres.DeletionBatch + 7
	f.fill(u, n)
	f.deleteUser(u)
	// Each step is done by a process that then dies, two at a time as two replicas do.
	for left := 100; f.leftOf(u) > 0; left-- {
		if left == 0 {
			t.Fatal("the deletion does not end")
		}
		tasktest.Together(2, func(int) {
			replica := tasks.New(&oneStep{Store: f.Store}, publish.New(slog.New(slog.DiscardHandler)), f.Now)
			if err := replica.FinishDeletions(ctx()); err != nil {
				t.Errorf("step: %v", err)
			}
		})
	}
	seen := map[string]bool{}
	for i, row := range f.Sent(events.TopicTaskUpdates) {
		var ev events.TaskUpdateEvent
		if err := json.Unmarshal([]byte(row.Data), &ev); err != nil || ev.EventType != events.Deleted || ev.Seq != int64(n+1+i) {
			t.Fatalf("event %d: got %s %v, want seq %d", i, row.Data, err, n+1+i)
		}
		seen[ev.TaskID] = true
	}
	if len(seen) != n {
		t.Errorf("told of %d tasks, want each of %d once", len(seen), n)
	}
}

func TestAStepThatFailsWritesNothingAndOthersDoNotWaitForIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bad, good := f.User(), f.User()
	f.Make(bad, `{"title":"t"}`)
	f.Make(good, `{"title":"t"}`)
	if err := f.DB.Exec(`DELETE FROM outbox`).Error; err != nil {
		t.Fatal(err)
	}
	if err := f.DB.Exec(`UPDATE tasks SET title = '' WHERE user_id = ?`, bad).Error; err != nil { // no event can tell of it
		t.Fatal(err)
	}
	f.deleteUser(bad)
	f.deleteUser(good)
	if err := f.FinishDeletions(ctx()); err == nil {
		t.Error("FinishDeletions: got nil, want the error")
	}
	if f.leftOf(good) != 0 || f.leftOf(bad) == 0 || len(f.Sent(events.TopicTaskEvents)) != 1 {
		t.Errorf("left of the good %d and the bad %d, events %v", f.leftOf(good), f.leftOf(bad), f.Sent(events.TopicTaskEvents))
	}
	if err := f.DB.Exec(`UPDATE tasks SET title = 'mended' WHERE user_id = ?`, bad).Error; err != nil {
		t.Fatal(err)
	}
	f.finish()
	if f.leftOf(bad) != 0 {
		t.Error("after mending: something is left")
	}
}

func TestWritersAndADeletionAtOnceLeaveNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := f.User()
	tasktest.Together(9, func(i int) {
		if i == 0 {
			f.deleteUser(u)
			return
		}
		for n := range 20 {
			_, _, err := f.Create(ctx(), tasks.CreateRequest{UserID: u, Fields: f.Fields(`{"title":"t"}`), Key: &tasks.IdempotencyKey{Key: fmt.Sprint(i, " ", n)}})
			if errors.Is(err, tasks.ErrNoUser) {
				return
			}
			if err != nil {
				t.Errorf("Create: %v", err)
			}
		}
	})
	f.finish()
	if n := f.leftOf(u); n != 0 {
		t.Errorf("left of the account: %d rows, want none", n)
	}
	created, deleted := 0, 0
	for _, kind := range f.Types(events.TopicTaskEvents) {
		switch kind {
		case "created":
			created++
		case "deleted":
			deleted++
		}
	}
	if created != deleted {
		t.Errorf("events: got %d created and %d deleted", created, deleted)
	}
}

func TestNoSuccessorIsMadeOnceTheAccountIsDeleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := f.User()
	task := f.Make(u, `{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	done := f.Apply(u, task.ID, domain.Complete)
	f.deleteUser(u)
	ask := func(when string) {
		_, made, err := f.CreateSuccessor(ctx(), tasks.SuccessorRequest{Completed: done.TaskData, Next: domain.Next{DueDate: "2030-01-02"}, Actor: "engine"})
		if made || !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s: got %v %v, want ErrNotFound, which the engine does not repeat", when, made, err)
		}
	}
	ask("before its tasks are gone")
	f.finish()
	ask("after")
	if n := f.leftOf(u); n != 0 {
		t.Errorf("left of the account: %d rows, want none", n)
	}
}

func TestAnIssuersUserReturnsOnlyWithANewerTokenAndKeepsItsSeq(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := accounts.User{ID: uuid.NewString(), Timezone: "Europe/London", Role: "user", CreatedAt: f.Now()}
	provision := func() error { return f.Store.Provision(ctx(), u, f.Now()) }
	tasktest.Together(8, func(int) {
		if err := provision(); err != nil {
			t.Errorf("Provision: %v", err)
		}
	})
	twin := u
	twin.ID, twin.Email = uuid.NewString(), "" // two without an e-mail, or with the same, are two
	if err := f.Store.Provision(ctx(), twin, f.Now()); err != nil {
		t.Errorf("Provision of another: %v", err)
	}
	f.Make(u.ID, `{"title":"t"}`)
	f.Make(u.ID, `{"title":"second"}`)
	f.purge(u.ID, f.Make(u.ID, `{"title":"third"}`).ID)
	page, err := f.Sync(ctx(), u.ID, 0, 1)
	if err != nil || page.Next >= 0 {
		t.Fatalf("sync: got next %d %v, want a place in a snapshot", page.Next, err)
	}
	place, before := page.Next, f.Now()
	if err := f.Store.DeleteUser(ctx(), u.ID, "", f.Now()); err != nil {
		t.Fatal(err)
	}
	if err := provision(); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("while data is being removed: got %v, want ErrNoUser", err)
	}
	f.finish()
	if err := f.Store.Provision(ctx(), u, before); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("with a token from before: got %v, want ErrNoUser", err)
	}
	if there, err := f.Store.Exists(ctx(), u.ID); there || err != nil {
		t.Errorf("Exists after a refusal: got %v %v", there, err)
	}
	f.Advance(time.Minute)
	if err := provision(); err != nil {
		t.Fatalf("with a newer token: got %v", err)
	}
	if task := f.Make(u.ID, `{"title":"again"}`); task.Seq != 7 {
		t.Errorf("the next change: got seq %d, want 7: three tasks were created and deleted", task.Seq)
	}
	if _, err := f.Changes(ctx(), u.ID, 1, 10); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("changes since then: got %v, want ErrTooOld", err)
	}
	if _, err := f.Sync(ctx(), u.ID, 1, 10); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("sync since then: got %v, want ErrTooOld", err)
	}
	if _, err := f.Sync(ctx(), u.ID, place, 10); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("sync from the middle of a snapshot of then: got %v, want ErrTooOld", err)
	}
	page, err = f.Sync(ctx(), u.ID, 0, 10)
	if err != nil || len(page.Tasks) != 1 {
		t.Errorf("sync from the start: got %+v %v", page, err)
	}
	if err := f.Store.DeleteUser(ctx(), u.ID, "", f.Now()); err != nil { // and a second time
		t.Fatal(err)
	}
	f.finish()
	var seq int64
	if err := f.DB.Raw(`SELECT seq FROM account_deletions WHERE user_id = ? AND finished_at IS NOT NULL`, u.ID).Scan(&seq).Error; err != nil || seq != 8 {
		t.Errorf("kept of the account: got seq %d %v, want 8", seq, err)
	}
}
