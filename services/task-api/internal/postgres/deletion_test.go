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

// leftOf returns the number of a user's rows in all tables.
func (f *fixture) leftOf(userID string) (n int64) {
	f.T.Helper()
	err := f.DB.Raw(`SELECT (SELECT count(*) FROM users WHERE id = @u) + (SELECT count(*) FROM heads WHERE user_id = @u)
		+ (SELECT count(*) FROM tasks WHERE user_id = @u) + (SELECT count(*) FROM changes WHERE user_id = @u)
		+ (SELECT count(*) FROM idempotency_keys WHERE user_id = @u) + (SELECT count(*) FROM account_deletions WHERE user_id = @u)
		+ (SELECT count(*) FROM refresh_families WHERE user_id = @u) + (SELECT count(*) FROM known_devices WHERE user_id = @u)
		+ (SELECT count(*) FROM refresh_tokens t LEFT JOIN refresh_families f ON f.id = t.family_id WHERE f.user_id = @u OR f.id IS NULL)`,
		map[string]any{"u": userID}).Scan(&n).Error
	if err != nil {
		f.T.Fatal(err)
	}
	return n
}

func (f *fixture) deleteUser(userID string) {
	f.T.Helper()
	if err := f.Store.DeleteUser(ctx(), userID, "hash", f.Now(), tasktest.NoEvents); err != nil {
		f.T.Fatalf("DeleteUser: %v", err)
	}
}

func (f *fixture) finish() {
	f.T.Helper()
	if err := f.FinishDeletions(ctx()); err != nil {
		f.T.Fatalf("FinishDeletions: %v", err)
	}
}

func TestADeletedAccountLeavesNoRowsAndPublishesEvents(t *testing.T) {
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
	if err := f.Store.DeleteUser(ctx(), u, "hash", f.Now(), tasktest.NoEvents); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("second DeleteUser: got %v, want ErrWrong", err)
	}
	f.finish()
	if n := f.leftOf(u); n != 0 {
		t.Errorf("rows of the deleted account: got %d, want none", n)
	}
	if n := f.leftOf(other); n != kept {
		t.Errorf("rows of the other account: got %d, want %d", n, kept)
	}
	var sent []string
	for _, row := range f.Sent(events.TopicTaskEvents) {
		ev, err := events.DecodeTaskEvent([]byte(row.Data))
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, fmt.Sprint(ev.EventType, " ", ev.TaskID, " v", ev.TaskVersion, " seq ", ev.Seq, " by ", ev.Actor == u, " changes ", len(ev.Changes)))
		if ev.TaskData.DeletedAt == nil || ev.UserID != u {
			t.Errorf("event of the deletion: got %s, want one of the user with deleted_at", row.Data)
		}
	}
	want := []string{fmt.Sprint("deleted ", reminded.ID, " v2 seq 5 by true changes 1"), fmt.Sprint("deleted ", plain.ID, " v2 seq 6 by true changes 1")}
	if !slices.Equal(sent, want) {
		t.Errorf("TaskEvents: got %q, want %q", sent, want)
	}
	if got := f.Types(events.TopicTaskUpdates); !slices.Equal(got, []string{"deleted", "deleted"}) {
		t.Errorf("TaskUpdateEvents: got %v, want two deletions", got)
	}
	reminders := f.Sent(events.TopicReminders)
	if len(reminders) != 1 || reminders[0].Subject != reminded.ID || f.Types(events.TopicReminders)[0] != "cancelled" {
		t.Errorf("ReminderEvents: got %v, want one cancellation", reminders)
	}
}

// oneStep is a store that runs only one step of a deletion, as if its process then died.
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

func TestADeletionContinuesAfterACrashBetweenBatches(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := f.User()
	const n = 2*postgres.DeletionBatch + 7
	f.fill(u, n)
	f.deleteUser(u)
	// Two replicas at a time run one step each, and then die.
	for left := 100; f.leftOf(u) > 0; left-- {
		if left == 0 {
			t.Fatal("the deletion does not end")
		}
		tasktest.Together(2, func(int) {
			replica := tasks.New(&oneStep{Store: f.Store}, publish.New(slog.New(slog.DiscardHandler)), f.Now, 0)
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
		t.Errorf("events: got %d tasks, want each of %d once", len(seen), n)
	}
}

func TestAFailedDeletionStepWritesNothingAndBlocksNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	bad, good := f.User(), f.User()
	f.Make(bad, `{"title":"t"}`)
	f.Make(good, `{"title":"t"}`)
	if err := f.DB.Exec(`DELETE FROM outbox`).Error; err != nil {
		t.Fatal(err)
	}
	if err := f.DB.Exec(`UPDATE tasks SET title = '' WHERE user_id = ?`, bad).Error; err != nil { // an event with an empty title is invalid
		t.Fatal(err)
	}
	f.deleteUser(bad)
	f.deleteUser(good)
	if err := f.FinishDeletions(ctx()); err == nil {
		t.Error("FinishDeletions: got no error, want the error of the bad account")
	}
	if f.leftOf(good) != 0 || f.leftOf(bad) == 0 || len(f.Sent(events.TopicTaskEvents)) != 1 {
		t.Errorf("rows of the good account: %d, of the bad account: %d, events: %v; want none, some, one", f.leftOf(good), f.leftOf(bad), f.Sent(events.TopicTaskEvents))
	}
	if err := f.DB.Exec(`UPDATE tasks SET title = 'repaired' WHERE user_id = ?`, bad).Error; err != nil {
		t.Fatal(err)
	}
	f.finish()
	if f.leftOf(bad) != 0 {
		t.Error("after the repair: rows of the account are left")
	}
}

func TestConcurrentWritesAndADeletionLeaveNoRows(t *testing.T) {
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
		t.Errorf("rows of the deleted account: got %d, want none", n)
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
		t.Errorf("events: got %d created and %d deleted, want equal numbers", created, deleted)
	}
}

func TestNoSuccessorIsMadeAfterTheAccountIsDeleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := f.User()
	task := f.Make(u, `{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	done := f.Apply(u, task.ID, domain.Complete)
	f.deleteUser(u)
	ask := func(when string) {
		_, made, err := f.CreateSuccessor(ctx(), tasks.SuccessorRequest{UserID: u, TaskID: done.ID, Actor: "engine"})
		if made || !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s: got %v %v, want ErrNotFound, after which the engine does not retry", when, made, err)
		}
	}
	ask("before the tasks are removed")
	f.finish()
	ask("after the tasks are removed")
	if n := f.leftOf(u); n != 0 {
		t.Errorf("rows of the deleted account: got %d, want none", n)
	}
}

func TestAnIssuersUserReturnsOnlyWithANewerTokenAndKeepsItsSeq(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	u := accounts.User{ID: uuid.NewString(), Timezone: "Europe/London", Role: "user", CreatedAt: f.Now()}
	provision := func() error { return f.Store.Provision(ctx(), u, f.Now(), tasktest.NoEvents) }
	tasktest.Together(8, func(int) {
		if err := provision(); err != nil {
			t.Errorf("Provision: %v", err)
		}
	})
	twin := u
	twin.ID, twin.Email = uuid.NewString(), "" // e-mails need not be present or unique
	if err := f.Store.Provision(ctx(), twin, f.Now(), tasktest.NoEvents); err != nil {
		t.Errorf("Provision of another user with the same e-mail: %v", err)
	}
	f.Make(u.ID, `{"title":"t"}`)
	f.Make(u.ID, `{"title":"second"}`)
	f.purge(u.ID, f.Make(u.ID, `{"title":"third"}`).ID)
	page, err := f.Sync(ctx(), u.ID, 0, 1)
	if err != nil || page.Next >= 0 {
		t.Fatalf("sync: got next %d %v, want a place in a snapshot", page.Next, err)
	}
	place, before := page.Next, f.Now()
	if err := f.Store.DeleteUser(ctx(), u.ID, "", f.Now(), tasktest.NoEvents); err != nil {
		t.Fatal(err)
	}
	if err := provision(); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("Provision while data is being removed: got %v, want ErrNoUser", err)
	}
	f.finish()
	if err := f.Store.Provision(ctx(), u, before, tasktest.NoEvents); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("Provision with a token from before the deletion: got %v, want ErrNoUser", err)
	}
	if there, err := f.Store.Exists(ctx(), u.ID); there || err != nil {
		t.Errorf("Exists after a refused Provision: got %v %v, want false", there, err)
	}
	f.Advance(time.Minute)
	if err := provision(); err != nil {
		t.Fatalf("Provision with a newer token: got %v", err)
	}
	if task := f.Make(u.ID, `{"title":"again"}`); task.Seq != 7 {
		t.Errorf("the next change: got seq %d, want 7: three tasks were created and deleted", task.Seq)
	}
	if _, err := f.Changes(ctx(), u.ID, 1, 10); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("Changes of a client of the deleted account: got %v, want ErrTooOld", err)
	}
	if _, err := f.Sync(ctx(), u.ID, 1, 10); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("Sync of a client of the deleted account: got %v, want ErrTooOld", err)
	}
	if _, err := f.Sync(ctx(), u.ID, place, 10); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("Sync from a snapshot of the deleted account: got %v, want ErrTooOld", err)
	}
	page, err = f.Sync(ctx(), u.ID, 0, 10)
	if err != nil || len(page.Tasks) != 1 {
		t.Errorf("Sync from the start: got %+v %v, want one task", page, err)
	}
	if err := f.Store.DeleteUser(ctx(), u.ID, "", f.Now(), tasktest.NoEvents); err != nil { // the account can be deleted a second time
		t.Fatal(err)
	}
	f.finish()
	var seq int64
	if err := f.DB.Raw(`SELECT seq FROM account_deletions WHERE user_id = ? AND finished_at IS NOT NULL`, u.ID).Scan(&seq).Error; err != nil || seq != 8 {
		t.Errorf("stored deletion of the account: got seq %d %v, want 8", seq, err)
	}
}
