package domain

import (
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestReminderFollowsTheTask(t *testing.T) {
	future := newTask(t, `{"title":"t","due_date":"2030-02-02","remind_at":"2030-02-01T08:00:00Z"}`)
	past := newTask(t, `{"title":"t","due_date":"2030-01-02","remind_at":"2030-01-01T08:00:00Z"}`)
	plain := newTask(t, `{"title":"t","due_date":"2030-02-02"}`)
	patch := func(before Task, body string) Task {
		t.Helper()
		after, err := Patch(before, fields(t, body), defaults)
		if err != nil {
			t.Fatal(err)
		}
		return after
	}
	done := func(before Task) Task { after, _ := Complete(before, noon); return after }
	gone := func(before Task) Task { after, _ := Delete(before, noon); return after }
	none := events.Type("")
	for _, tc := range []struct {
		name   string
		before *Task
		after  Task
		want   events.Type
	}{
		{"created with one", nil, future, events.Scheduled},
		{"created with one that has passed comes at once", nil, past, events.Scheduled},
		{"created without", nil, plain, none},
		{"created completed", nil, done(future), none},
		{"set", &plain, patch(plain, `{"remind_at":"2030-02-01T08:00:00Z"}`), events.Scheduled},
		{"moved", &future, patch(future, `{"remind_at":"2030-02-01T09:00:00Z"}`), events.Scheduled},
		{"moved to the past comes at once", &future, patch(future, `{"remind_at":"2030-01-01T09:00:00Z"}`), events.Scheduled},
		{"removed", &future, patch(future, `{"remind_at":null}`), events.Cancelled},
		{"completed", &future, done(future), events.Cancelled},
		{"cancelled", &future, patch(future, `{"status":"cancelled"}`), events.Cancelled},
		{"deleted", &future, gone(future), events.Cancelled},
		{"reopened", ptr(done(future)), future, events.Scheduled},
		{"reopened after it came", ptr(done(past)), past, none},
		{"restored", ptr(gone(future)), future, events.Scheduled},
		{"restored after it came", ptr(gone(past)), past, none},
		{"renamed", &future, patch(future, `{"title":"u"}`), events.Scheduled},
		{"renamed after it came", &past, patch(past, `{"title":"u"}`), none},
		{"due date moved", &future, patch(future, `{"due_date":"2030-02-03"}`), events.Scheduled},
		{"zone of the due date moved", &future, patch(future, `{"timezone":"Asia/Tokyo"}`), events.Scheduled},
		{"a time of day at the same instant", &future, patch(future, `{"due_date":null,"due_at":"2030-02-02T23:59:59Z"}`), events.Scheduled},
		{"something else", &future, patch(future, `{"priority":"low","status":"in_progress"}`), none},
		{"deleted after it was completed", ptr(done(future)), gone(done(future)), none},
		{"renamed while completed", ptr(done(future)), done(patch(future, `{"title":"u"}`)), none},
		{"a completed task gets one", ptr(done(plain)), done(future), none},
	} {
		got, ok := Reminder(tc.before, tc.after, noon)
		if !ok {
			got = none
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func ptr(t Task) *Task { return &t }
