package tasks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

func TestACreateStoresTheTaskItsChangeAndItsEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	made := f.Make(user, `{"title":"Wäter","description":"a\nb","priority":"urgent","due_at":"2030-03-01T10:00:00Z","remind_at":"2030-02-28T09:00:00Z",
		"recurrence":{"rrule":"FREQ=WEEKLY","anchor":"completion"},"tags":["a\"b","c\\d","x,{y}","null"],"position":1.5}`)
	stored, err := f.Get(ctx(), user, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(stored.TaskData, made) {
		t.Errorf("Get: got %+v, want the task that Create returned: %+v", stored.TaskData, made)
	}
	page, err := f.Changes(ctx(), user, 0, 10)
	if err != nil || len(page.Items) != 1 || page.Head != 1 {
		t.Fatalf("Changes: got %d items, head %d, %v; want one change", len(page.Items), page.Head, err)
	}
	logged, err := events.DecodeTaskUpdateEvent(page.Items[0])
	if err != nil || !reflect.DeepEqual(logged.TaskData, made) || logged.Seq != 1 || logged.EventType != events.Created {
		t.Errorf("change log: got %+v %v, want the created task", logged, err)
	}
	if got := f.Sent(events.TopicTaskUpdates); len(got) != 1 || got[0].Data != string(page.Items[0]) {
		t.Errorf("task-updates: got %v, want the event of the change log, byte for byte", got)
	}
	sentEvent := f.Sent(events.TopicTaskEvents)
	if len(sentEvent) != 1 {
		t.Fatalf("task-events: got %d, want 1", len(sentEvent))
	}
	e, err := events.DecodeTaskEvent([]byte(sentEvent[0].Data))
	if err != nil || e.Actor != user || e.TaskVersion != 1 || sentEvent[0].Type != "TaskEvent" || sentEvent[0].Subject != made.ID {
		t.Errorf("task event: got %+v %v", e, err)
	}
	r, err := events.DecodeReminderEvent([]byte(f.Sent(events.TopicReminders)[0].Data))
	if err != nil || r.EventType != events.Scheduled || !r.DueAt.Equal(*made.DueAt) || !r.RemindAt.Equal(*made.RemindAt) || r.DueDate != "" {
		t.Errorf("reminder event: got %+v %v", r, err)
	}
}

// The task's zone says when the day ends. The text of the reminder is in the user's own zone.
func TestAReminderNamesTheDayAndTheUsersZone(t *testing.T) {
	t.Parallel()
	f := newFixture(t) // its users live in London
	f.Make(f.User(), `{"title":"t","due_date":"2030-03-01","timezone":"Pacific/Kiritimati","remind_at":"2030-02-28T09:00:00Z"}`)
	r, err := events.DecodeReminderEvent([]byte(f.Sent(events.TopicReminders)[0].Data))
	if err != nil || r.DueDate != "2030-03-01" || r.DueAt.Format(time.RFC3339) != "2030-03-01T09:59:59Z" || r.Timezone != "Europe/London" {
		t.Errorf("reminder event: got %+v %v, want the day, its end in Kiritimati, and London", r, err)
	}
}

func TestAChangeThatChangesNothingWritesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"t"}`)
	same := f.Patch(user, task.ID, `{"title":"t","status":"pending"}`)
	if same.Version != 1 || same.Seq != 1 || !same.UpdatedAt.Equal(task.UpdatedAt) {
		t.Errorf("patch with equal values: got version %d seq %d, want 1 and 1", same.Version, same.Seq)
	}
	changed := f.Patch(user, task.ID, `{"title":"u"}`)
	if changed.Version != 2 || changed.Seq != 2 || !changed.UpdatedAt.After(task.UpdatedAt) {
		t.Errorf("patch: got version %d seq %d, want 2 and 2", changed.Version, changed.Seq)
	}
	if got := f.Seqs(user); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("change log: got %v, want 1 and 2: the unchanged patch must return its number", got)
	}
	e, err := events.DecodeTaskEvent([]byte(f.Sent(events.TopicTaskEvents)[1].Data))
	if err != nil || len(e.Changes) != 1 || e.Changes[0].Field != "title" || string(e.Changes[0].To) != `"u"` {
		t.Errorf("changes of the event: got %v %v, want the title", e.Changes, err)
	}
}

func TestConcurrentCompletesMakeOneEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, recurring1)
	var wrong atomic.Int64
	tasktest.Together(100, func(int) {
		got, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: task.ID, Apply: tasktest.Lifecycle(domain.Complete)}})
		if err != nil || got.Task.Version != 2 || got.Task.Status != events.StatusCompleted {
			wrong.Add(1)
		}
	})
	if n := wrong.Load(); n != 0 {
		t.Errorf("complete: %d of 100 calls did not return the completed task", n)
	}
	if got := f.Types(events.TopicTaskEvents); !slices.Equal(got, []string{"created", "completed"}) {
		t.Errorf("task-events: got %v, want created and one completed", got)
	}
	if got := f.Types(events.TopicReminders); !slices.Equal(got, []string{"scheduled", "cancelled"}) {
		t.Errorf("reminders: got %v, want scheduled and one cancelled", got)
	}
}

const recurring1 = `{"title":"Water","due_date":"2030-03-01","remind_at":"2030-02-28T09:00:00Z","recurrence":{"rrule":"FREQ=WEEKLY"}}`

func TestSeqHasNoGapsUnderParallelWriters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	users := []string{f.User(), f.User()}
	const writes = 120
	tasktest.Together(writes, func(i int) {
		user := users[i%2]
		switch i % 6 {
		case 0, 1: // refused after it took a number, which the rollback must return
			if _, _, err := f.Create(ctx(), tasks.CreateRequest{UserID: user, Fields: f.Fields(`{"title":""}`)}); err == nil {
				t.Error("Create without a title: got no error")
			}
		default:
			f.Make(user, fmt.Sprintf(`{"title":"t%d"}`, i))
		}
	})
	for _, user := range users {
		got := f.Seqs(user)
		for i, seq := range got {
			if seq != int64(i)+1 {
				t.Fatalf("change log: got %v, want no gap", got)
			}
		}
		if len(got) != writes/3 {
			t.Errorf("change log: got %d changes, want %d", len(got), writes/3)
		}
	}
	// The outbox must have the events of a user in the order of seq, because the relay publishes them in its order.
	last := map[string]int64{}
	for _, row := range f.Sent(events.TopicTaskEvents) {
		var e events.TaskEvent
		if err := json.Unmarshal([]byte(row.Data), &e); err != nil {
			t.Fatal(err)
		}
		if e.Seq != last[e.UserID]+1 {
			t.Fatalf("outbox: got seq %d of user %s after %d", e.Seq, e.UserID, last[e.UserID])
		}
		last[e.UserID] = e.Seq
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"t"}`)
	f.Patch(user, task.ID, `{"title":"u"}`)
	for _, tc := range []struct {
		versions tasks.Versions
		want     error
	}{{tasks.Versions{1}, domain.ErrStale}, {tasks.Versions{}, domain.ErrStale}, {tasks.Versions{3}, domain.ErrStale}, {tasks.Versions{1, 2}, nil}} {
		_, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: task.ID, IfMatch: &tc.versions, Apply: tasktest.Lifecycle(domain.Complete)}})
		if !errors.Is(err, tc.want) {
			t.Errorf("If-Match %v: got %v, want %v", tc.versions, err, tc.want)
		}
	}
}

func TestOneOfManyWritersWithTheSameVersionWins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"t"}`)
	var won, stale atomic.Int64
	tasktest.Together(20, func(i int) {
		fields := f.Fields(fmt.Sprintf(`{"title":"t%d"}`, i))
		_, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: task.ID, IfMatch: &tasks.Versions{1}, Apply: func(t domain.Task, d domain.Defaults) (domain.Task, error) {
			return domain.Patch(t, fields, d)
		}}})
		switch {
		case err == nil:
			won.Add(1)
		case errors.Is(err, domain.ErrStale):
			stale.Add(1)
		}
	})
	if won.Load() != 1 || stale.Load() != 19 {
		t.Errorf("got %d successes and %d stale, want 1 and 19", won.Load(), stale.Load())
	}
}

func TestADeletedTaskIsATombstoneUntilItIsRestored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, recurring1)
	f.Apply(user, task.ID, domain.Delete)
	f.Apply(user, task.ID, domain.Delete)
	if _, err := f.Get(ctx(), user, task.ID); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("Get: got %v, want ErrNotFound", err)
	}
	if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: task.ID, Apply: tasktest.Lifecycle(domain.Complete)}}); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("Complete: got %v, want ErrNotFound", err)
	}
	restored := f.Apply(user, task.ID, domain.Restore)
	if restored.Version != 3 || restored.DeletedAt != nil {
		t.Errorf("Restore: got version %d deleted %v", restored.Version, restored.DeletedAt)
	}
	if got := f.Types(events.TopicTaskEvents); !slices.Equal(got, []string{"created", "deleted", "restored"}) {
		t.Errorf("task-events: got %v", got)
	}
	if got := f.Types(events.TopicReminders); !slices.Equal(got, []string{"scheduled", "cancelled", "scheduled"}) {
		t.Errorf("reminders: got %v", got)
	}
}

func TestAnotherUsersTaskIsNotFound(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	owner, other := f.User(), f.User()
	task := f.Make(owner, recurring1)
	if _, err := f.Get(ctx(), other, task.ID); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("Get: got %v, want ErrNotFound", err)
	}
	for name, fn := range map[string]func(domain.Task, domain.Defaults) (domain.Task, error){
		"complete": tasktest.Lifecycle(domain.Complete), "delete": tasktest.Lifecycle(domain.Delete), "restore": tasktest.Lifecycle(domain.Restore), "reopen": tasktest.Lifecycle(domain.Reopen),
	} {
		if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: other, Op: tasks.Op{TaskID: task.ID, Apply: fn, Deleted: true}}); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: other, Op: tasks.Op{TaskID: task.ID, Skip: true}}); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("skip: got %v, want ErrNotFound", err)
	}
	if got := f.Types(events.TopicTaskEvents); len(got) != 1 {
		t.Errorf("task-events: got %v, want only the owner's create", got)
	}
}
