package domain

import (
	"errors"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

func TestSuccessorCopiesTheUsersValues(t *testing.T) {
	done, _ := Complete(newTask(t, rich), noon)
	due := time.Date(2030, 2, 8, 9, 0, 0, 0, time.UTC)
	remind := due.Add(-time.Hour)
	next, err := Successor(done, Next{DueAt: &due, RemindAt: &remind}, noon.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	want := done.clone()
	want.Status, want.CompletedAt, want.DueAt, want.RemindAt, want.OccurrenceNo = "pending", nil, &due, &remind, 2
	if diff := Diff(want, next); len(diff) != 0 {
		t.Errorf("Successor: got %v other than wanted", diff)
	}
	again, _ := Successor(done, Next{DueAt: &due, RemindAt: &remind}, noon.Add(time.Hour))
	if next.ID == done.ID || next.ID != again.ID {
		t.Errorf("ids: got %s and %s for the successor of %s, want the same new one", next.ID, again.ID, done.ID)
	}
	next.Version, next.Seq = 1, 2
	valid(t, "Successor", next)
	deleted, _ := Delete(done, noon)
	if _, err := Successor(deleted, Next{DueAt: &due}, noon); !errors.Is(err, ErrSeriesEnded) {
		t.Errorf("of a deleted task: got %v, want ErrSeriesEnded", err)
	}
	if _, err := Successor(newTask(t, `{"title":"t"}`), Next{DueAt: &due}, noon); !errors.Is(err, ErrNotRecurring) {
		t.Errorf("of a task that never recurred: got %v, want ErrNotRecurring", err)
	}
	_, err = Successor(done, Next{RemindAt: &remind}, noon)
	wantRefused(t, "without a due date", err, false, "remind_at")
}

// TestSeriesReturnsToItsTimeAfterASkippedHour follows a daily series at 02:30 in New York, with a reminder at 02:15, across
// 10 March 2030, on which the clocks skip 02:00 to 03:00.
func TestSeriesReturnsToItsTimeAfterASkippedHour(t *testing.T) {
	ny, _ := Zone("America/New_York")
	task := newTask(t, `{"title":"t","timezone":"America/New_York","due_at":"2030-03-09T02:30:00-05:00","remind_at":"2030-03-09T02:15:00-05:00","recurrence":{"rrule":"FREQ=DAILY"}}`)
	for _, want := range []string{"2030-03-10T03:30:00-04:00", "2030-03-11T02:30:00-04:00", "2030-03-12T02:30:00-04:00"} {
		s, ok, err := recurrence.SuccessorOf(task.TaskData, noon)
		if err != nil || !ok {
			t.Fatalf("SuccessorOf: %v %v", ok, err)
		}
		if task, err = Successor(task, Next{DueAt: s.DueAt, RemindAt: s.RemindAt}, noon); err != nil {
			t.Fatal(err)
		}
		if got := task.DueAt.In(ny).Format(time.RFC3339); got != want {
			t.Errorf("due: got %s, want %s", got, want)
		}
		if got := task.DueAt.Sub(*task.RemindAt); got != 15*time.Minute {
			t.Errorf("reminder before %s: got %v, want 15m", want, got)
		}
	}
	late := task
	clock := 2*time.Hour + 30*time.Minute
	late.DueClock = &clock
	moved, err := Patch(late, fields(t, `{"due_at":"2030-03-12T18:00:00-04:00"}`), defaults)
	if err != nil || moved.DueClock != nil {
		t.Errorf("a due date that the user moves: got %v with the old time of day still remembered: %v", err, moved.DueClock)
	}
}
