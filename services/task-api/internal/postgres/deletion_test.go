package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// leftOf counts the rows that are still of a user, over all tables.
func (f *fixture) leftOf(userID string) (n int64) {
	f.t.Helper()
	err := f.db.Raw(`SELECT (SELECT count(*) FROM users WHERE id = @u) + (SELECT count(*) FROM heads WHERE user_id = @u)
		+ (SELECT count(*) FROM tasks WHERE user_id = @u) + (SELECT count(*) FROM changes WHERE user_id = @u)
		+ (SELECT count(*) FROM idempotency_keys WHERE user_id = @u) + (SELECT count(*) FROM account_deletions WHERE user_id = @u)
		+ (SELECT count(*) FROM refresh_families WHERE user_id = @u)
		+ (SELECT count(*) FROM refresh_tokens t LEFT JOIN refresh_families f ON f.id = t.family_id WHERE f.user_id = @u OR f.id IS NULL)`,
		map[string]any{"u": userID}).Scan(&n).Error
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func (f *fixture) deleteUser(userID string) {
	f.t.Helper()
	if err := f.DeleteUser(ctx(), userID, "hash", f.now()); err != nil {
		f.t.Fatalf("DeleteUser: %v", err)
	}
}

func (f *fixture) finish() {
	f.t.Helper()
	if err := f.FinishDeletions(ctx()); err != nil {
		f.t.Fatalf("FinishDeletions: %v", err)
	}
}

func TestADeletedAccountLeavesNothingAndEventsSaySo(t *testing.T) {
	f := newFixture(t)
	u, other := f.user(), f.user()
	f.create(other, `{"title":"other's"}`)
	kept := f.leftOf(other)
	reminded := f.create(u, `{"title":"reminded","due_at":"2040-01-01T12:00:00Z","remind_at":"2040-01-01T11:00:00Z"}`)
	plain, _, err := f.Create(ctx(), CreateRequest{UserID: u, Fields: f.fields(`{"title":"plain"}`), Key: &IdempotencyKey{Key: "k"}})
	if err != nil {
		t.Fatal(err)
	}
	gone := f.create(u, `{"title":"deleted before"}`)
	f.change(u, gone.ID, domain.Delete)
	if err := f.db.Exec(`DELETE FROM outbox`).Error; err != nil {
		t.Fatal(err)
	}
	f.deleteUser(u)
	if err := f.DeleteUser(ctx(), u, "hash", f.now()); !errors.Is(err, accounts.ErrWrong) {
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
	for _, row := range f.sent(events.TopicTaskEvents) {
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
	if got := f.types(events.TopicTaskUpdates); !slices.Equal(got, []string{"deleted", "deleted"}) {
		t.Errorf("TaskUpdateEvents: got %v", got)
	}
	reminders := f.sent(events.TopicReminders)
	if len(reminders) != 1 || reminders[0].Subject != reminded.ID || f.types(events.TopicReminders)[0] != "cancelled" {
		t.Errorf("ReminderEvents: got %v, want one that cancels", reminders)
	}
}

func TestADeletionGoesOnAfterACrashBetweenItsBatches(t *testing.T) {
	f := newFixture(t)
	u := f.user()
	const n = 2*deletionBatch + 7
	task := f.create(u, `{"title":"t"}`)
	for seq := 2; seq <= n; seq++ {
		row := rowOf(domain.Task{TaskData: task})
		row.ID, row.Seq = uuid.NewString(), int64(seq)
		if err := f.db.Create(&row).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := f.db.Exec(`UPDATE heads SET seq = ? WHERE user_id = ?`, n, u).Error; err != nil {
		t.Fatal(err)
	}
	if err := f.db.Exec(`DELETE FROM outbox`).Error; err != nil {
		t.Fatal(err)
	}
	f.deleteUser(u)
	// Each step is done by a process that then dies, two at a time as two replicas do.
	for left := 100; f.leftOf(u) > 0; left-- {
		if left == 0 {
			t.Fatal("the deletion does not end")
		}
		together(2, func(int) {
			replica := New(f.db, f.outbox, f.events, f.now)
			if _, err := replica.deletionStep(ctx(), nil); err != nil {
				t.Errorf("step: %v", err)
			}
		})
	}
	seen := map[string]bool{}
	for i, row := range f.sent(events.TopicTaskUpdates) {
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
	f := newFixture(t)
	bad, good := f.user(), f.user()
	f.create(bad, `{"title":"t"}`)
	f.create(good, `{"title":"t"}`)
	if err := f.db.Exec(`DELETE FROM outbox`).Error; err != nil {
		t.Fatal(err)
	}
	if err := f.db.Exec(`UPDATE tasks SET title = '' WHERE user_id = ?`, bad).Error; err != nil { // no event can tell of it
		t.Fatal(err)
	}
	f.deleteUser(bad)
	f.deleteUser(good)
	if err := f.FinishDeletions(ctx()); err == nil {
		t.Error("FinishDeletions: got nil, want the error")
	}
	if f.leftOf(good) != 0 || f.leftOf(bad) == 0 || len(f.sent(events.TopicTaskEvents)) != 1 {
		t.Errorf("left of the good %d and the bad %d, events %v", f.leftOf(good), f.leftOf(bad), f.sent(events.TopicTaskEvents))
	}
	if err := f.db.Exec(`UPDATE tasks SET title = 'mended' WHERE user_id = ?`, bad).Error; err != nil {
		t.Fatal(err)
	}
	f.finish()
	if f.leftOf(bad) != 0 {
		t.Error("after mending: something is left")
	}
}

func TestWritersAndADeletionAtOnceLeaveNothing(t *testing.T) {
	f := newFixture(t)
	u := f.user()
	together(9, func(i int) {
		if i == 0 {
			f.deleteUser(u)
			return
		}
		for n := range 20 {
			_, _, err := f.Create(ctx(), CreateRequest{UserID: u, Fields: f.fields(`{"title":"t"}`), Key: &IdempotencyKey{Key: fmt.Sprint(i, " ", n)}})
			if errors.Is(err, ErrNoUser) {
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
	for _, kind := range f.types(events.TopicTaskEvents) {
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
	f := newFixture(t)
	u := f.user()
	task := f.create(u, `{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	done := f.change(u, task.ID, domain.Complete)
	f.deleteUser(u)
	ask := func(when string) {
		_, made, err := f.CreateSuccessor(ctx(), SuccessorRequest{Completed: done.TaskData, Next: domain.Next{DueDate: "2030-01-02"}, Actor: "engine"})
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

func TestAnIssuersUserComesBackOnlyWithANewerTokenAndGoesOnCounting(t *testing.T) {
	f := newFixture(t)
	u := accounts.User{ID: uuid.NewString(), Timezone: "Europe/London", Role: "user", CreatedAt: f.now()}
	provision := func() error { return f.Provision(ctx(), u, f.now()) }
	together(8, func(int) {
		if err := provision(); err != nil {
			t.Errorf("Provision: %v", err)
		}
	})
	twin := u
	twin.ID, twin.Email = uuid.NewString(), "" // two without an e-mail, or with the same, are two
	if err := f.Provision(ctx(), twin, f.now()); err != nil {
		t.Errorf("Provision of another: %v", err)
	}
	f.create(u.ID, `{"title":"t"}`)
	f.create(u.ID, `{"title":"second"}`)
	f.purge(u.ID, f.create(u.ID, `{"title":"third"}`).ID)
	page, err := f.Sync(ctx(), u.ID, 0, 1)
	if err != nil || page.Next >= 0 {
		t.Fatalf("sync: got next %d %v, want a place in a snapshot", page.Next, err)
	}
	place, before := page.Next, f.now()
	if err := f.DeleteUser(ctx(), u.ID, "", f.now()); err != nil {
		t.Fatal(err)
	}
	if err := provision(); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("while data is being removed: got %v, want ErrNoUser", err)
	}
	f.finish()
	if err := f.Provision(ctx(), u, before); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("with a token from before: got %v, want ErrNoUser", err)
	}
	if there, err := f.Exists(ctx(), u.ID); there || err != nil {
		t.Errorf("Exists after a refusal: got %v %v", there, err)
	}
	f.clock.at = f.clock.at.Add(time.Minute)
	if err := provision(); err != nil {
		t.Fatalf("with a newer token: got %v", err)
	}
	if task := f.create(u.ID, `{"title":"again"}`); task.Seq != 7 {
		t.Errorf("the next change: got seq %d, want 7: three tasks were created and deleted", task.Seq)
	}
	if _, err := f.Changes(ctx(), u.ID, 1, 10); !errors.Is(err, ErrTooOld) {
		t.Errorf("changes since then: got %v, want ErrTooOld", err)
	}
	if _, err := f.Sync(ctx(), u.ID, 1, 10); !errors.Is(err, ErrTooOld) {
		t.Errorf("sync since then: got %v, want ErrTooOld", err)
	}
	if _, err := f.Sync(ctx(), u.ID, place, 10); !errors.Is(err, ErrTooOld) {
		t.Errorf("sync from the middle of a snapshot of then: got %v, want ErrTooOld", err)
	}
	page, err = f.Sync(ctx(), u.ID, 0, 10)
	if err != nil || len(page.Tasks) != 1 {
		t.Errorf("sync from the start: got %+v %v", page, err)
	}
	if err := f.DeleteUser(ctx(), u.ID, "", f.now()); err != nil { // and a second time
		t.Fatal(err)
	}
	f.finish()
	var seq int64
	if err := f.db.Raw(`SELECT seq FROM account_deletions WHERE user_id = ? AND finished_at IS NOT NULL`, u.ID).Scan(&seq).Error; err != nil || seq != 8 {
		t.Errorf("kept of the account: got seq %d %v, want 8", seq, err)
	}
}
