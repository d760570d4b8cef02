package tasks_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

func successorOf(user, id string) tasks.SuccessorRequest {
	return tasks.SuccessorRequest{UserID: user, TaskID: id, Actor: "recurring-task", Causation: "cause"}
}

func TestConcurrentSuccessorRequestsMakeOneTask(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	first := f.Make(user, recurring1)
	f.Apply(user, first.ID, domain.Complete)
	var made atomic.Int64
	ids := make([]string, 20)
	tasktest.Together(len(ids), func(i int) {
		task, isNew, err := f.CreateSuccessor(ctx(), successorOf(user, first.ID))
		if err != nil {
			t.Errorf("CreateSuccessor: %v", err)
		}
		if isNew {
			made.Add(1)
		}
		ids[i] = task.ID
	})
	if made.Load() != 1 || len(slices.Compact(ids)) != 1 {
		t.Errorf("got %d created with ids %v, want one", made.Load(), ids)
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

func TestOnlyACompletedOccurrenceGetsASuccessor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user, other := f.User(), f.User()
	complete := func(body string) string {
		id := f.Make(user, body).ID
		f.Apply(user, id, domain.Complete)
		return id
	}
	done, deleted, ruleless := complete(recurring1), complete(recurring1), complete(recurring1)
	f.Apply(user, deleted, domain.Delete)
	f.Patch(user, ruleless, `{"recurrence":null}`)
	open := f.Make(user, recurring1).ID
	last := complete(`{"title":"t","due_date":"2030-03-01","recurrence":{"rrule":"FREQ=DAILY;COUNT=1"}}`)
	for name, tc := range map[string]struct {
		user, id string
		want     error
	}{
		"of another user":         {other, done, domain.ErrNotFound},
		"that does not exist":     {user, uuid.NewString(), domain.ErrNotFound},
		"with a malformed id":     {user, "x", domain.ErrNotFound},
		"that never recurred":     {user, complete(`{"title":"t"}`), domain.ErrNotRecurring},
		"without a rule any more": {user, ruleless, domain.ErrNotRecurring},
		"that is open":            {user, open, domain.ErrNotDone},
		"that is deleted":         {user, deleted, domain.ErrSeriesEnded},
		"that is the last":        {user, last, domain.ErrSeriesEnded},
	} {
		if _, _, err := f.CreateSuccessor(ctx(), successorOf(tc.user, tc.id)); !errors.Is(err, tc.want) {
			t.Errorf("of a task %s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestADeletedSuccessorStaysDeletedWhenRequestedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	done := f.Apply(user, f.Make(user, recurring1).ID, domain.Complete)
	next := f.Follow(user, done.ID)
	f.Apply(user, next.ID, domain.Delete)
	again, isNew, err := f.CreateSuccessor(ctx(), successorOf(user, done.ID))
	if err != nil || isNew || again.ID != next.ID || again.DeletedAt == nil {
		t.Errorf("second request: got new %v deleted %v %v, want the tombstone", isNew, again.DeletedAt, err)
	}
}

// open returns the due dates of the user's open tasks.
func (f *fixture) open(user string) []string {
	f.T.Helper()
	page, err := f.Sync(ctx(), user, 0, 100)
	if err != nil {
		f.T.Fatal(err)
	}
	var due []string
	for _, task := range page.Tasks {
		if task.Open() {
			due = append(due, task.DueDate)
		}
	}
	slices.Sort(due)
	return due
}

func (f *fixture) wantOpen(user, when string, want ...string) {
	f.T.Helper()
	if got := f.open(user); !slices.Equal(got, want) {
		f.T.Errorf("%s: got open tasks due %v, want %v", when, got, want)
	}
}

func TestReopeningWithdrawsTheUntouchedSuccessor(t *testing.T) {
	t.Parallel()
	ends := map[string]func(f *fixture, user, id string){
		"complete": func(f *fixture, user, id string) {
			f.Apply(user, id, domain.Complete)
			f.Follow(user, id)
		},
		"skip": func(f *fixture, user, id string) { f.Skip(user, id) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			user := f.User()
			id := f.Make(user, recurring1).ID
			end(f, user, id)
			f.wantOpen(user, "after the end", "2030-03-08")
			op := tasks.Op{TaskID: id, Apply: tasktest.Lifecycle(domain.Reopen), Reopens: true}
			result, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: op})
			if err != nil || result.Next == nil || !result.Next.Withdrawn {
				t.Fatalf("reopen: got %+v %v, want the successor withdrawn", result.Next, err)
			}
			f.wantOpen(user, "after reopening", "2030-03-01")
			types := f.Types(events.TopicTaskEvents)
			if !slices.Equal(types[len(types)-2:], []string{"reopened", "deleted"}) {
				t.Errorf("task-events: got %v, want reopened and deleted at the end", types)
			}
			f.Patch(user, id, `{"title":"Water twice"}`)
			end(f, user, id)
			f.wantOpen(user, "after the second end", "2030-03-08")
			next, err := f.Get(ctx(), user, result.Next.ID)
			if err != nil || next.Title != "Water twice" || next.Version != 3 {
				t.Errorf("successor: got %q version %d %v, want the same task with the new title", next.Title, next.Version, err)
			}
			if again, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: op}); err != nil || !again.Next.Withdrawn {
				t.Errorf("reopen again: got %+v %v, want it withdrawn again", again.Next, err)
			}
			if got := f.Seqs(user); got[len(got)-1] != int64(len(got)) {
				t.Errorf("change log: got %v, want no gap", got)
			}
		})
	}
}

func TestATouchedSuccessorStaysWhenItsPredecessorIsReopened(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	for name, touch := range map[string]func(id string){
		"changed":              func(id string) { f.Patch(user, id, `{"title":"mine"}`) },
		"completed":            func(id string) { f.Apply(user, id, domain.Complete) },
		"deleted and restored": func(id string) { f.Apply(user, id, domain.Delete); f.Apply(user, id, domain.Restore) },
	} {
		id := f.Make(user, recurring1).ID
		f.Apply(user, id, domain.Complete)
		next := f.Follow(user, id)
		touch(next.ID)
		before, _ := f.Get(ctx(), user, next.ID)
		result, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: id, Apply: tasktest.Lifecycle(domain.Reopen), Reopens: true}})
		if err != nil || result.Next == nil || result.Next.Withdrawn || result.Next.ID != next.ID {
			t.Errorf("%s: got %+v %v, want the successor kept", name, result.Next, err)
		}
		if after, err := f.Get(ctx(), user, next.ID); err != nil || after.Version != before.Version {
			t.Errorf("%s: got version %d %v, want %d", name, after.Version, err, before.Version)
		}
	}
}

func TestReopeningBeforeTheEngineActsMakesNoSuccessor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	id := f.Make(user, recurring1).ID
	f.Apply(user, id, domain.Complete)
	f.Patch(user, id, `{"status":"in_progress"}`)
	if _, _, err := f.CreateSuccessor(ctx(), successorOf(user, id)); !errors.Is(err, domain.ErrNotDone) {
		t.Errorf("the late event: got %v, want ErrNotDone", err)
	}
	f.wantOpen(user, "after the late event", "2030-03-01")
}

// Completions, reopenings, skips and redelivered events of two devices and two replicas at once, each way through the store.
func TestRacesOfASeriesLeaveOneOpenTask(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	id := f.Make(user, recurring1).ID
	for round := range 5 {
		tasktest.Together(12, func(i int) {
			var err error
			switch (i + round) % 4 {
			case 0:
				_, err = f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: id, Apply: tasktest.Lifecycle(domain.Complete)}})
			case 1:
				_, err = f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: id, Apply: tasktest.Lifecycle(domain.Reopen), Reopens: true}})
			case 2:
				_, err = f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: id, Skip: true}})
			default:
				_, _, err = f.CreateSuccessor(ctx(), successorOf(user, id))
			}
			if err != nil && !errors.Is(err, domain.ErrNotDone) && !errors.Is(err, domain.ErrAlreadyDone) {
				t.Errorf("call %d: %v", i, err)
			}
		})
		if task, _ := f.Get(ctx(), user, id); task.Status == events.StatusCompleted {
			f.Follow(user, id) // the engine has the last word about a completed task
		}
		if got := f.open(user); len(got) != 1 {
			t.Fatalf("round %d: got open tasks due %v, want one", round, got)
		}
	}
	seqs := f.Seqs(user)
	if got := seqs[len(seqs)-1]; got != int64(len(seqs)) {
		t.Errorf("change log: got %v, want no gap", seqs)
	}
}

func TestSkipMakesTheNextOccurrenceUntilTheSeriesEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	first := f.Make(user, `{"title":"t","due_at":"2030-03-01T09:00:00Z","recurrence":{"rrule":"FREQ=DAILY;COUNT=2"}}`)
	if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: first.ID, IfMatch: &tasks.Versions{7}, Skip: true}}); !errors.Is(err, domain.ErrStale) {
		t.Errorf("Skip of another version: got %v, want ErrStale", err)
	}
	f.Skip(user, first.ID)
	second, err := f.occurrence(user, first.SeriesID, 2)
	if err != nil || !second.DueAt.Equal(time.Date(2030, 3, 2, 9, 0, 0, 0, time.UTC)) || !second.SeriesEnds {
		t.Fatalf("second: got %v, end of the series %v, %v", second.DueAt, second.SeriesEnds, err)
	}
	f.Skip(user, second.ID)
	if _, err := f.occurrence(user, first.SeriesID, 3); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("third: got %v, want ErrNotFound, because COUNT is 2", err)
	}
	if got := f.Types(events.TopicTaskEvents); !slices.Equal(got, []string{"created", "updated", "created", "updated"}) {
		t.Errorf("task-events: got %v", got)
	}
}

func TestAnExceptionIsStoredWithTheValuesOfItsSeries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	id := f.Make(user, `{"title":"Water","start_date":"2030-02-28","due_date":"2030-03-01","recurrence":{"rrule":"FREQ=WEEKLY","exdates":["2030-03-07"]}}`).ID
	f.Patch(user, id, `{"title":"Water less","due_date":"2030-03-03","scope":"this"}`)
	version := f.Patch(user, id, `{"title":"Water less"}`).Version // now the title of the series too
	if version != 3 {
		t.Errorf("version: got %d, want 3: the series changed", version)
	}
	f.Apply(user, id, domain.Complete)
	next := f.Follow(user, id)
	if next.Title != "Water less" || next.StartDate != "2030-03-14" || next.DueDate != "2030-03-15" || next.Pattern != nil {
		t.Errorf("successor: got %q from %s to %s, want the values of the series", next.Title, next.StartDate, next.DueDate)
	}
}

// The missed occurrences come one by one with catch_up all, and not at all with next.
func TestLateCompletionsCatchUpAsTheRuleSays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	day := func(offset int) string { return f.Now().AddDate(0, 0, offset).Format(time.DateOnly) }
	for _, tc := range []struct {
		due         int
		rule, extra string
		want        string // "": the series ends
	}{
		{-10, "FREQ=DAILY", "", day(0)},
		{0, "FREQ=DAILY", "", day(1)},
		{1, "FREQ=DAILY", "", day(2)},
		{-21, "FREQ=WEEKLY", "", day(0)},
		{-10, "FREQ=DAILY", `,"catch_up":"all"`, day(-9)},
		{-10, "FREQ=DAILY;COUNT=5", "", ""},
		{-3, "FREQ=DAILY;COUNT=5", "", day(0)},
	} {
		for _, end := range []string{"complete", "skip"} {
			name := fmt.Sprintf("due in %d days, %s%s, %s", tc.due, tc.rule, tc.extra, end)
			task := f.Make(user, fmt.Sprintf(`{"title":"t","timezone":"UTC","due_date":%q,"recurrence":{"rrule":%q%s}}`, day(tc.due), tc.rule, tc.extra))
			if end == "skip" {
				f.Skip(user, task.ID)
			} else {
				f.Apply(user, task.ID, domain.Complete)
				if _, _, err := f.CreateSuccessor(ctx(), successorOf(user, task.ID)); err != nil && !errors.Is(err, domain.ErrSeriesEnded) {
					t.Errorf("%s: %v", name, err)
				}
			}
			next, err := f.occurrence(user, task.SeriesID, 2)
			if tc.want == "" {
				if !errors.Is(err, domain.ErrNotFound) {
					t.Errorf("%s: got %v due %s, want no successor", name, err, next.DueDate)
				}
				continue
			}
			if err != nil || next.DueDate != tc.want {
				t.Errorf("%s: got %s %v, want %s", name, next.DueDate, err, tc.want)
			}
		}
	}
	// COUNT=5 from three days ago: the missed ones count, so after today there is one more.
	task := f.Make(user, fmt.Sprintf(`{"title":"t","timezone":"UTC","due_date":%q,"recurrence":{"rrule":"FREQ=DAILY;COUNT=5"}}`, day(-3)))
	for want := range 3 {
		f.Apply(user, task.ID, domain.Complete)
		next, _, err := f.CreateSuccessor(ctx(), successorOf(user, task.ID))
		if want == 2 {
			if !errors.Is(err, domain.ErrSeriesEnded) {
				t.Errorf("after the fifth: got %v due %s, want the end", err, next.DueDate)
			}
			break
		}
		if err != nil || next.DueDate != day(want) || next.SeriesEnds != (want == 1) {
			t.Fatalf("successor %d: got %s, end %v, %v", want+1, next.DueDate, next.SeriesEnds, err)
		}
		task = next.TaskData
	}
}

// occurrence returns an occurrence of a series, found by its derived id.
func (f *fixture) occurrence(user, series string, number int) (domain.Task, error) {
	id, err := domain.SuccessorID(series, number)
	if err != nil {
		f.T.Fatal(err)
	}
	return f.Get(ctx(), user, id)
}
