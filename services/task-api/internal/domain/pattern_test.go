package domain

import (
	"testing"
)

const weekly = `{"title":"Report","description":"d","due_at":"2030-02-04T09:00:00Z","remind_at":"2030-02-04T08:00:00Z","tags":["work"],"recurrence":{"rrule":"FREQ=WEEKLY"}}`

func patched(t *testing.T, task Task, body string) Task {
	t.Helper()
	after, err := Patch(task, fields(t, body), defaults)
	if err != nil {
		t.Fatalf("Patch(%s): %v", body, err)
	}
	after.Version++
	return after
}

func TestAnExceptionDoesNotChangeItsSeries(t *testing.T) {
	task := patched(t, newTask(t, weekly), `{"title":"Special","due_at":"2030-02-06T15:00:00Z","remind_at":null,"tags":["x"],"scope":"this"}`)
	if task.Title != "Special" || task.Pattern == nil {
		t.Fatalf("title %q, pattern %v: want an exception", task.Title, task.Pattern)
	}
	again := patched(t, task, `{"priority":"urgent","scope":"this"}`)
	for _, exception := range []Task{task, again} {
		got, want := successor(t, exception, noon), successor(t, newTask(t, weekly), noon)
		want.ID, want.SeriesID = got.ID, got.SeriesID
		if diff := Diff(want, got); len(diff) != 0 || got.Pattern != nil {
			t.Errorf("successor: got %v, want that of the series", diff)
		}
	}
}

func TestAFollowingChangeOfAnExceptionChangesTheSeries(t *testing.T) {
	exception := patched(t, newTask(t, weekly), `{"title":"Special","scope":"this"}`)
	both := patched(t, exception, `{"priority":"low","description":"new"}`)
	next := successor(t, both, noon)
	if next.Title != "Report" || next.Priority != "low" || next.Description != "new" {
		t.Errorf("successor: got %s %s %s, want the series' title and the new values", next.Title, next.Priority, next.Description)
	}
	same := patched(t, exception, `{"title":"Special"}`)
	if SamePattern(exception, same) || same.Pattern != nil {
		t.Errorf("the exception's own title for the series: got pattern %v, want none", same.Pattern)
	}
}

func TestScopeIsRefusedWhereItMeansNothing(t *testing.T) {
	recurring, plain := newTask(t, weekly), newTask(t, `{"title":"t"}`)
	for _, tc := range []struct {
		task Task
		body string
	}{
		{plain, `{"title":"u","scope":"this"}`},
		{recurring, `{"title":"u","scope":"all"}`},
		{recurring, `{"recurrence":{"rrule":"FREQ=DAILY"},"scope":"this"}`},
		{recurring, `{"recurrence":null,"scope":"this"}`},
	} {
		_, err := Patch(tc.task, fields(t, tc.body), defaults)
		wantRefused(t, tc.body, err, false, "scope")
	}
	if _, err := New(taskID, userID, fields(t, `{"title":"t","scope":"this"}`), defaults); err == nil {
		t.Error("a scope for a new task: got no error")
	}
}
