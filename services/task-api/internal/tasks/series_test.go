package tasks_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

func (f *fixture) successorRequest(done events.TaskData) tasks.SuccessorRequest {
	remind := done.RemindAt.AddDate(0, 0, 7)
	return tasks.SuccessorRequest{Completed: done, Next: domain.Next{DueDate: "2030-03-08", RemindAt: &remind}, Actor: "recurring-task", Causation: "cause"}
}

func TestManyRequestsForASuccessorMakeOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	first := f.Make(user, recurring1)
	done := f.Apply(user, first.ID, domain.Complete)
	var made atomic.Int64
	ids := make([]string, 20)
	tasktest.Together(len(ids), func(i int) {
		task, isNew, err := f.CreateSuccessor(ctx(), f.successorRequest(done.TaskData))
		if err != nil {
			t.Errorf("CreateSuccessor: %v", err)
		}
		if isNew {
			made.Add(1)
		}
		ids[i] = task.ID
	})
	if made.Load() != 1 || len(slices.Compact(ids)) != 1 {
		t.Errorf("got %d made with ids %v, want one", made.Load(), ids)
	}
	next, err := f.Get(ctx(), user, ids[0])
	if err != nil || next.OccurrenceNo != 2 || next.SeriesID != first.SeriesID || next.DueDate != "2030-03-08" || next.Status != events.StatusPending {
		t.Errorf("successor: got %+v %v", next, err)
	}
	if want, _ := domain.SuccessorID(first.SeriesID, 2); next.ID != want {
		t.Errorf("id: got %s, want %s", next.ID, want)
	}
	if got := f.Seqs(user); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("change log: got %v, want 1 2 3", got)
	}
	if got := f.Types(events.TopicReminders); !slices.Equal(got, []string{"scheduled", "cancelled", "scheduled"}) {
		t.Errorf("reminders: got %v", got)
	}
	rows := f.Sent(events.TopicTaskEvents)
	e, err := events.DecodeTaskEvent([]byte(rows[len(rows)-1].Data))
	if err != nil || e.Actor != "recurring-task" || e.CausationID != "cause" {
		t.Errorf("event: got actor %q causation %q %v", e.Actor, e.CausationID, err)
	}
}

func TestASuccessorIsNotMadeWhereTheSeriesEnded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user, other := f.User(), f.User()
	first := f.Make(user, recurring1)
	done := f.Apply(user, first.ID, domain.Complete).TaskData
	plain := f.Make(user, `{"title":"t"}`)
	foreign, wrongSeries, wrongNo := done, done, done
	foreign.UserID = other
	wrongSeries.SeriesID = "01890a5d-ac96-774b-bcce-b302099a8057"
	wrongNo.OccurrenceNo = 5
	for name, task := range map[string]events.TaskData{"another user": foreign, "another series": wrongSeries, "another number": wrongNo} {
		if _, _, err := f.CreateSuccessor(ctx(), f.successorRequest(task)); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	request := f.successorRequest(done)
	request.Completed = plain
	if _, _, err := f.CreateSuccessor(ctx(), request); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("a task that never recurred: got %v, want ErrNotFound", err)
	}
	f.Apply(user, first.ID, domain.Delete)
	if _, _, err := f.CreateSuccessor(ctx(), f.successorRequest(done)); !errors.Is(err, domain.ErrSeriesEnded) {
		t.Errorf("a deleted task: got %v, want ErrSeriesEnded", err)
	}
}

func TestADeletedSuccessorStaysDeletedWhenItIsAskedForAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	done := f.Apply(user, f.Make(user, recurring1).ID, domain.Complete).TaskData
	next, _, err := f.CreateSuccessor(ctx(), f.successorRequest(done))
	if err != nil {
		t.Fatal(err)
	}
	f.Apply(user, next.ID, domain.Delete)
	again, isNew, err := f.CreateSuccessor(ctx(), f.successorRequest(done))
	if err != nil || isNew || again.ID != next.ID || again.DeletedAt == nil {
		t.Errorf("asked again: got new %v deleted %v %v, want the tombstone", isNew, again.DeletedAt, err)
	}
}

func TestSkipAndEngineAtOnceMakeOneSuccessor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	first := f.Make(user, recurring1)
	done := f.Apply(user, first.ID, domain.Complete).TaskData
	f.Apply(user, first.ID, domain.Reopen)
	tasktest.Together(10, func(i int) {
		var err error
		if i%2 == 0 {
			_, err = f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: first.ID, Skip: true}})
		} else {
			_, _, err = f.CreateSuccessor(ctx(), f.successorRequest(done))
		}
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	})
	page, err := f.Sync(ctx(), user, 0, 100)
	if err != nil || len(page.Tasks) != 2 {
		t.Fatalf("Sync: got %d tasks %v, want the first and its one successor", len(page.Tasks), err)
	}
	seqs := f.Seqs(user)
	if got := seqs[len(seqs)-1]; got != int64(len(seqs)) || page.Next != got {
		t.Errorf("change log: got %v and head %d, want no gap", seqs, page.Next)
	}
	if skipped, _ := f.Get(ctx(), user, first.ID); skipped.Status != events.StatusCancelled {
		t.Errorf("skipped: got %s, want cancelled", skipped.Status)
	}
}

func TestSkipMovesOnAndEndsWithTheSeries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	first := f.Make(user, `{"title":"t","due_at":"2030-03-01T09:00:00Z","recurrence":{"rrule":"FREQ=DAILY;COUNT=2"}}`)
	if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: first.ID, IfMatch: &tasks.Versions{7}, Skip: true}}); !errors.Is(err, domain.ErrStale) {
		t.Errorf("Skip of another version: got %v, want ErrStale", err)
	}
	if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: first.ID, Skip: true}}); err != nil {
		t.Fatal(err)
	}
	second, err := f.occurrence(user, first.SeriesID, 2)
	if err != nil || !second.DueAt.Equal(time.Date(2030, 3, 2, 9, 0, 0, 0, time.UTC)) {
		t.Fatalf("second: got %v %v", second.DueAt, err)
	}
	if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: second.ID, Skip: true}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.occurrence(user, first.SeriesID, 3); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("third: got %v, want none: COUNT is 2", err)
	}
	if got := f.Types(events.TopicTaskEvents); !slices.Equal(got, []string{"created", "updated", "created", "updated"}) {
		t.Errorf("task-events: got %v", got)
	}
}

// occurrence returns an occurrence of a series by the id that the service gives it.
func (f *fixture) occurrence(user, series string, number int) (domain.Task, error) {
	id, err := domain.SuccessorID(series, number)
	if err != nil {
		f.T.Fatal(err)
	}
	return f.Get(ctx(), user, id)
}
