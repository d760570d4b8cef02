package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

const rich = `{"title":"Write","description":"d","priority":"high","tags":["a","b"],"due_at":"2030-02-01T09:00:00Z",
	"remind_at":"2030-02-01T08:00:00Z","recurrence":{"rrule":"FREQ=WEEKLY"},"position":5,"timezone":"Asia/Tokyo","status":"in_progress"}`

// changed returns the changes of a patch as field:from>to.
func changed(t *testing.T, before Task, body string) []string {
	t.Helper()
	after, err := Patch(before, fields(t, body), defaults)
	if err != nil {
		t.Fatalf("Patch(%s): %v", body, err)
	}
	valid(t, "Patch("+body+")", after)
	var out []string
	for _, c := range Diff(before, after) {
		out = append(out, fmt.Sprintf("%s:%s>%s", c.Field, c.From, c.To))
	}
	return out
}

func TestPatchListsExactlyWhatChanged(t *testing.T) {
	for _, tc := range []struct {
		body string
		want []string
	}{
		{`{}`, nil},
		{`{"title":"Write"}`, nil},
		{`{"title":" Write ","priority":"high","tags":["a","b"],"due_at":"2030-02-01T10:00:00+01:00","position":5.0}`, nil},
		{`{"recurrence":{"rrule":"freq=weekly","anchor":"schedule","timezone":"Asia/Tokyo"}}`, nil},
		{`{"title":"Read"}`, []string{`title:"Write">"Read"`}},
		{`{"description":null}`, []string{`description:"d">""`}},
		{`{"priority":null}`, []string{`priority:"high">"medium"`}},
		{`{"tags":null}`, []string{`tags:["a","b"]>[]`}},
		{`{"tags":["b","a"]}`, []string{`tags:["a","b"]>["b","a"]`}},
		{`{"timezone":null}`, []string{`timezone:"Asia/Tokyo">"Europe/London"`,
			`recurrence:{"rrule":"FREQ=WEEKLY","anchor":"schedule","timezone":"Asia/Tokyo","catch_up":"next"}>{"rrule":"FREQ=WEEKLY","anchor":"schedule","timezone":"Europe/London","catch_up":"next"}`}},
		{`{"start_date":"2030-01-30"}`, []string{`start_date:null>"2030-01-30"`}},
		{`{"start_at":"2030-02-01T07:00:00"}`, []string{`start_at:null>"2030-01-31T22:00:00Z"`}},
		{`{"due_at":null,"due_date":"2030-02-01"}`, []string{`due_date:null>"2030-02-01"`, `due_at:"2030-02-01T09:00:00Z">null`}},
		{`{"remind_at":null}`, []string{`remind_at:"2030-02-01T08:00:00Z">null`}},
		{`{"position":-1.5}`, []string{`position:5>-1.5`}},
		{`{"status":"completed"}`, []string{`status:"in_progress">"completed"`, `completed_at:null>"2030-01-31T12:00:00Z"`}},
	} {
		if got := changed(t, newTask(t, rich), tc.body); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("Patch(%s): got changes %q, want %q", tc.body, got, tc.want)
		}
	}
}

func TestPatchNamesTheInvalidField(t *testing.T) {
	for _, tc := range []struct{ body, field string }{
		{`{"title":null}`, "title"},
		{`{"due_date":"2030-02-01"}`, "due_date"},                   // the task has due_at
		{`{"due_at":null}`, "remind_at"},                            // the reminder would have no due date
		{`{"due_at":null,"remind_at":null}`, "recurrence"},          // the recurrence would have no due date
		{`{"position":null}`, "position"},                           //
		{`{"id":"01890a5d-ac96-774b-bcce-b302099a8059"}`, "id"},     // read-only
		{`{"version":2}`, "version"},                                //
		{`{"completed_at":"2030-01-01T00:00:00Z"}`, "completed_at"}, //
	} {
		before := newTask(t, rich)
		after, err := Patch(before, fields(t, tc.body), defaults)
		wantRefused(t, "Patch("+tc.body+")", err, false, tc.field)
		if len(Diff(before, after)) != 0 {
			t.Errorf("Patch(%s): got a changed task with its error", tc.body)
		}
	}
}

func TestPutAcceptsTheAnswerOfGet(t *testing.T) {
	before := newTask(t, rich)
	raw, err := json.Marshal(before.TaskData)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Replace(before, fields(t, string(raw)), defaults)
	if err != nil || len(Diff(before, after)) != 0 {
		t.Errorf("Replace with the task itself: got %v and changes %v, want neither", err, Diff(before, after))
	}
}

func TestPutSetsDefaultsForAbsentFields(t *testing.T) {
	before := newTask(t, rich)
	after, err := Replace(before, fields(t, `{"title":"Only"}`), defaults)
	if err != nil {
		t.Fatal(err)
	}
	want := newTask(t, `{"title":"Only"}`)
	want.SeriesID, want.OccurrenceNo, want.Position = before.SeriesID, before.OccurrenceNo, before.Position
	if diff := Diff(want, after); len(diff) != 0 {
		t.Errorf("Replace: got %v other than the defaults", diff)
	}
	if _, err := Replace(before, fields(t, `{"priority":"low"}`), defaults); err == nil {
		t.Error("Replace without a title: got no error")
	}
}

func TestLifecycle(t *testing.T) {
	open := newTask(t, `{"title":"t"}`)
	must := func(task Task, err error) Task {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	later := noon.Add(time.Hour)
	done := must(Complete(open, later))
	deleted := must(Delete(done, later))
	cancelled := must(Patch(open, fields(t, `{"status":"cancelled"}`), defaults))
	for _, tc := range []struct {
		name          string
		before, after Task
		want          events.Type
	}{
		{"complete", open, done, events.Completed},
		{"complete a cancelled one", cancelled, must(Complete(cancelled, later)), events.Completed},
		{"reopen", done, must(Reopen(done, later)), events.Reopened},
		{"reopen a cancelled one", cancelled, must(Reopen(cancelled, later)), events.Reopened},
		{"reopen by status", done, must(Patch(done, fields(t, `{"status":"in_progress"}`), defaults)), events.Reopened},
		{"delete", done, deleted, events.Deleted},
		{"restore", deleted, must(Restore(deleted, later)), events.Restored},
		{"cancel", open, cancelled, events.Updated},
	} {
		if got := EventType(tc.before, tc.after); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
		if len(Diff(tc.before, tc.after)) == 0 {
			t.Errorf("%s: got no changes", tc.name)
		}
	}
	for name, pair := range map[string][2]Task{
		"complete twice": {done, must(Complete(done, later.Add(time.Hour)))},
		"reopen twice":   {open, must(Reopen(open, later))},
		"delete twice":   {deleted, must(Delete(deleted, later.Add(time.Hour)))},
		"restore twice":  {open, must(Restore(open, later))},
	} {
		if diff := Diff(pair[0], pair[1]); len(diff) != 0 {
			t.Errorf("%s: got changes %v, want none", name, diff)
		}
	}
	if got := must(Restore(deleted, later)); !sameInstant(got.CompletedAt, done.CompletedAt) || got.Status != events.StatusCompleted {
		t.Errorf("restore: got %s, want it as it was", got.Status)
	}
	if _, err := Complete(deleted, later); !errors.Is(err, ErrNotFound) {
		t.Errorf("complete a deleted one: got %v, want ErrNotFound", err)
	}
	if _, err := Restore(deleted, later.Add(RestoreWindow)); err != nil {
		t.Errorf("restore on the last day: got %v", err)
	}
	if _, err := Restore(deleted, later.Add(RestoreWindow+time.Second)); !errors.Is(err, ErrRestoreWindow) {
		t.Errorf("restore after the last day: got %v, want ErrRestoreWindow", err)
	}
}

func TestSkipCancelsAnOpenOccurrence(t *testing.T) {
	task := newTask(t, strings.Replace(rich, `"status":"in_progress"`, `"status":"pending"`, 1))
	skipped, err := Skip(task, noon)
	if err != nil || skipped.Status != events.StatusCancelled {
		t.Fatalf("Skip: got %s %v, want cancelled", skipped.Status, err)
	}
	if again, err := Skip(skipped, noon); err != nil || len(Diff(skipped, again)) != 0 {
		t.Errorf("Skip twice: got %v, want no change", err)
	}
	plain := newTask(t, `{"title":"t"}`)
	if _, err := Skip(plain, noon); !errors.Is(err, ErrNotRecurring) {
		t.Errorf("Skip a task that does not recur: got %v", err)
	}
	done, _ := Complete(task, noon)
	if _, err := Skip(done, noon); !errors.Is(err, ErrAlreadyDone) {
		t.Errorf("Skip a completed task: got %v", err)
	}
}
