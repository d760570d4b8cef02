package domain

import (
	"errors"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

func successor(t testing.TB, done Task, at time.Time) Task {
	t.Helper()
	next, ok, err := Successor(done, at, at)
	if err != nil || !ok {
		t.Fatalf("Successor of the task due %s %v: got %v %v", done.DueDate, done.DueAt, ok, err)
	}
	next.Version, next.Seq = 1, 1
	return next
}

func TestSuccessorCopiesTheUsersValues(t *testing.T) {
	done, _ := Complete(newTask(t, rich), noon)
	next := successor(t, done, noon)
	want := done.clone()
	due := time.Date(2030, 2, 8, 9, 0, 0, 0, time.UTC)
	remind := due.Add(done.RemindAt.Sub(*done.DueAt))
	want.Status, want.CompletedAt, want.DueAt, want.RemindAt, want.OccurrenceNo = "pending", nil, &due, &remind, 2
	if diff := Diff(want, next); len(diff) != 0 {
		t.Errorf("Successor: got %v other than wanted", diff)
	}
	if again := successor(t, done, noon); next.ID == done.ID || next.ID != again.ID {
		t.Errorf("ids: got %s and %s for the successor of %s, want the same new one", next.ID, again.ID, done.ID)
	}
	if !next.Untouched() {
		t.Errorf("version %d, made as %d: want it untouched", next.Version, next.EngineVersion)
	}
	valid(t, "Successor", next)
	deleted, _ := Delete(done, noon)
	if _, _, err := Successor(deleted, noon, noon); !errors.Is(err, ErrSeriesEnded) {
		t.Errorf("of a deleted task: got %v, want ErrSeriesEnded", err)
	}
	if _, _, err := Successor(newTask(t, `{"title":"t"}`), noon, noon); !errors.Is(err, ErrNotRecurring) {
		t.Errorf("of a task that never recurred: got %v, want ErrNotRecurring", err)
	}
	last := newTask(t, `{"title":"t","due_date":"2030-02-01","recurrence":{"rrule":"FREQ=DAILY;COUNT=1"}}`)
	if _, ok, err := Successor(last, noon, noon); ok || err != nil {
		t.Errorf("of the last occurrence: got %v %v, want none", ok, err)
	}
	far := newTask(t, `{"title":"t","due_date":"9998-12-31","recurrence":{"rrule":"FREQ=DAILY"}}`)
	if _, ok, err := Successor(far, noon, noon); ok || err != nil {
		t.Errorf("after the last year: got %v %v, want the end of the series", ok, err)
	}
}

// TestSeriesReturnsToItsTimeAfterASkippedHour follows a daily series at 02:30 in New York, with a start at 02:05 and a reminder at
// 02:15, across 10 March 2030, on which the clocks skip 02:00 to 03:00.
func TestSeriesReturnsToItsTimeAfterASkippedHour(t *testing.T) {
	ny, _ := Zone("America/New_York")
	task := newTask(t, `{"title":"t","timezone":"America/New_York","start_at":"2030-03-09T02:05:00","due_at":"2030-03-09T02:30:00-05:00",
		"remind_at":"2030-03-09T02:15:00-05:00","recurrence":{"rrule":"FREQ=DAILY"}}`)
	for _, want := range []string{"2030-03-10T03:30:00-04:00", "2030-03-11T02:30:00-04:00", "2030-03-12T02:30:00-04:00"} {
		task = successor(t, task, noon)
		if got := task.DueAt.In(ny).Format(time.RFC3339); got != want {
			t.Errorf("due: got %s, want %s", got, want)
		}
		if remind, start := task.DueAt.Sub(*task.RemindAt), task.DueAt.Sub(*task.StartAt); remind != 15*time.Minute || start != 25*time.Minute {
			t.Errorf("before %s: got the reminder %v and the start %v earlier, want 15m and 25m", want, remind, start)
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

func TestASkippedFirstTimeIsRememberedFromTheClient(t *testing.T) {
	ny, _ := Zone("America/New_York")
	task := newTask(t, `{"title":"t","timezone":"America/New_York","due_at":"2030-03-10T02:30:00","recurrence":{"rrule":"FREQ=DAILY"}}`)
	if got := task.DueAt.In(ny).Format(time.RFC3339); got != "2030-03-10T03:30:00-04:00" {
		t.Errorf("in the gap: got %s, want it later by the gap", got)
	}
	if got := successor(t, task, noon).DueAt.In(ny).Format(time.RFC3339); got != "2030-03-11T02:30:00-04:00" {
		t.Errorf("the next day: got %s, want the time that the client gave", got)
	}
	twice := newTask(t, `{"title":"t","timezone":"America/New_York","due_at":"2030-11-03T01:30"}`)
	if got := twice.DueAt.In(ny).Format(time.RFC3339); got != "2030-11-03T01:30:00-04:00" {
		t.Errorf("a time that occurs twice: got %s, want the first", got)
	}
	kept, err := Replace(task, fields(t, `{"title":"t2","timezone":"America/New_York","due_at":"2030-03-10T07:30:00Z","recurrence":{"rrule":"FREQ=DAILY"}}`), defaults)
	if err != nil || kept.DueClock == nil {
		t.Errorf("PUT of the task as it was read: got clock %v %v, want it kept", kept.DueClock, err)
	}
}

func TestTheRulesZoneFollowsTheTaskUnlessItWasGiven(t *testing.T) {
	follows := newTask(t, `{"title":"t","timezone":"Asia/Tokyo","due_at":"2027-03-01T11:00:00Z","recurrence":{"rrule":"FREQ=WEEKLY;BYDAY=MO"}}`)
	given := newTask(t, `{"title":"t","timezone":"Europe/Berlin","due_at":"2027-03-01T11:00:00Z","recurrence":{"rrule":"FREQ=WEEKLY;BYDAY=MO","timezone":"Asia/Tokyo"}}`)
	const move = `{"timezone":"America/New_York","due_at":"2027-03-02T01:00:00Z"}`
	moved, err := Patch(follows, fields(t, move), defaults)
	if err != nil || moved.Recurrence.Timezone != "America/New_York" {
		t.Fatalf("rule's zone: got %v %v, want the task's", moved.Recurrence, err)
	}
	at := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	second := successor(t, moved, at)
	for i, want := range []string{"2027-03-09T01:00:00Z", "2027-03-16T00:00:00Z"} {
		if got := []Task{second, successor(t, second, at)}[i].DueAt.Format(time.RFC3339); got != want {
			t.Errorf("successor %d: got %s, want %s", i+1, got, want)
		}
	}
	if stays, err := Patch(given, fields(t, move), defaults); err != nil || stays.Recurrence.Timezone != "Asia/Tokyo" {
		t.Errorf("a given zone: got %v %v, want it to stay", stays.Recurrence, err)
	}
	// A client that reads a task, moves it and puts it back sends the zone that it read.
	put, err := Replace(follows, fields(t, `{"title":"t","timezone":"America/New_York","due_at":"2027-03-02T01:00:00Z","recurrence":{"rrule":"FREQ=WEEKLY;BYDAY=MO","anchor":"schedule","timezone":"Asia/Tokyo","catch_up":"next"}}`), defaults)
	if err != nil || put.Recurrence.Timezone != "America/New_York" || put.RuleZone {
		t.Errorf("PUT: got %v %v, want the task's zone", put.Recurrence, err)
	}
	back, err := Patch(given, fields(t, `{"recurrence":{"timezone":null}}`), defaults)
	if err != nil || back.Recurrence.Timezone != "Europe/Berlin" || back.RuleZone {
		t.Errorf("null: got %v %v, want the task's zone again", back.Recurrence, err)
	}
}

// RFC 7396: the members of a nested object are merged too.
func TestARecurrenceIsMerged(t *testing.T) {
	const body = `{"title":"t","due_date":"2030-05-05","recurrence":{"rrule":"FREQ=WEEKLY","anchor":"completion","timezone":"Asia/Tokyo","catch_up":"all","exdates":["2030-06-02","2030-05-12","2030-05-12"]}}`
	full := events.Recurrence{RRule: "FREQ=WEEKLY", Anchor: "completion", Timezone: "Asia/Tokyo", CatchUp: "all", ExDates: []string{"2030-05-12", "2030-06-02"}}
	with := func(change func(*events.Recurrence)) *events.Recurrence {
		r := full
		change(&r)
		return &r
	}
	for patch, want := range map[string]*events.Recurrence{
		`{"recurrence":{"anchor":"schedule"}}`:      with(func(r *events.Recurrence) { r.Anchor = "schedule" }),
		`{"recurrence":{"rrule":"freq=daily"}}`:     with(func(r *events.Recurrence) { r.RRule = "FREQ=DAILY" }),
		`{"recurrence":{}}`:                         &full,
		`{"recurrence":{"anchor":null}}`:            with(func(r *events.Recurrence) { r.Anchor = "schedule" }),
		`{"recurrence":{"catch_up":null}}`:          with(func(r *events.Recurrence) { r.CatchUp = "next" }),
		`{"recurrence":{"exdates":null}}`:           with(func(r *events.Recurrence) { r.ExDates = nil }),
		`{"recurrence":{"exdates":["2030-05-19"]}}`: with(func(r *events.Recurrence) { r.ExDates = []string{"2030-05-19"} }),
		`{"recurrence":null}`:                       nil,
	} {
		got, err := Patch(newTask(t, body), fields(t, patch), defaults)
		if err != nil || !sameRecurrence(got.Recurrence, want) {
			t.Errorf("Patch(%s): got %+v %v, want %+v", patch, got.Recurrence, err, want)
		}
	}
	for patch, field := range map[string]string{
		`{"recurrence":{"rrule":null}}`:                        "recurrence.rrule",
		`{"recurrence":{"rrule":"FREQ=HOURLY"}}`:               "recurrence.rrule",
		`{"recurrence":{"anchor":"due"}}`:                      "recurrence.anchor",
		`{"recurrence":{"catch_up":"some"}}`:                   "recurrence.catch_up",
		`{"recurrence":{"timezone":"Mars/Olympus"}}`:           "recurrence.timezone",
		`{"recurrence":{"exdates":["2030-02-30"]}}`:            "recurrence.exdates[0]",
		`{"recurrence":{"rrule":"FREQ=DAILY","text":"daily"}}`: "recurrence.text",
	} {
		_, err := Patch(newTask(t, body), fields(t, patch), defaults)
		wantRefused(t, patch, err, false, field)
	}
	plain := newTask(t, `{"title":"t","due_date":"2030-05-05"}`)
	for _, patch := range []string{`{"recurrence":{"anchor":"completion"}}`, `{"recurrence":{}}`} {
		_, err := Patch(plain, fields(t, patch), defaults)
		wantRefused(t, patch+" without a rule", err, false, "recurrence.rrule")
	}
	put, err := Replace(newTask(t, body), fields(t, `{"title":"t","due_date":"2030-05-05","recurrence":{"rrule":"FREQ=DAILY"}}`), defaults)
	if want := (&events.Recurrence{RRule: "FREQ=DAILY", Anchor: "schedule", Timezone: "Europe/London", CatchUp: "next"}); err != nil || !sameRecurrence(put.Recurrence, want) {
		t.Errorf("PUT replaces: got %+v %v, want %+v", put.Recurrence, err, want)
	}
}

func TestStartAndDueFitTogether(t *testing.T) {
	for body, field := range map[string]string{
		`{"title":"t","start_date":"2030-05-05"}`:                                                         "",
		`{"title":"t","start_date":"2030-05-05","due_date":"2030-05-05"}`:                                 "",
		`{"title":"t","start_date":"2030-05-06","due_date":"2030-05-05"}`:                                 "start_date",
		`{"title":"t","start_at":"2030-05-05T10:00:00Z","due_at":"2030-05-05T10:00:00Z"}`:                 "",
		`{"title":"t","start_at":"2030-05-05T10:00:01Z","due_at":"2030-05-05T10:00:00Z"}`:                 "start_at",
		`{"title":"t","start_at":"2030-05-05T20:00:00Z","due_date":"2030-05-05"}`:                         "",
		`{"title":"t","timezone":"Asia/Tokyo","start_at":"2030-05-05T20:00:00Z","due_date":"2030-05-05"}`: "start_at",
		`{"title":"t","start_date":"2030-05-05","start_at":"2030-05-05T10:00:00Z"}`:                       "start_date",
		`{"title":"t","start_date":"1899-12-31"}`:                                                         "start_date",
		`{"title":"t","start_date":"2030-05-05","recurrence":{"rrule":"FREQ=DAILY"}}`:                     "",
		`{"title":"t","recurrence":{"rrule":"FREQ=DAILY"}}`:                                               "recurrence",
		`{"title":"t","start_date":"2030-05-05","remind_at":"2030-05-05T10:00:00Z"}`:                      "remind_at",
	} {
		task, err := New(taskID, userID, fields(t, body), defaults)
		if field != "" {
			wantRefused(t, body, err, false, field)
			continue
		}
		if task.Version, task.Seq = 1, 1; err != nil {
			t.Errorf("New(%s): %v", body, err)
			continue
		}
		valid(t, body, task)
	}
}

func TestTheLastOccurrenceSaysThatItsSeriesEnds(t *testing.T) {
	task := newTask(t, `{"title":"t","due_date":"2030-02-01","recurrence":{"rrule":"FREQ=DAILY;COUNT=2"}}`)
	if task.SeriesEnds {
		t.Error("first of two: got the end of the series")
	}
	last := successor(t, task, noon)
	if !last.SeriesEnds {
		t.Error("second of two: got no end of the series")
	}
	longer, err := Patch(last, fields(t, `{"recurrence":{"rrule":"FREQ=DAILY;COUNT=3"}}`), defaults)
	if err != nil || longer.SeriesEnds {
		t.Errorf("a longer rule: got the end of the series %v", err)
	}
}

func TestAReminderOfThePastIsQuietInASuccessor(t *testing.T) {
	task := newTask(t, `{"title":"t","due_date":"2030-01-21","remind_at":"2030-01-21T09:00:00Z","recurrence":{"rrule":"FREQ=DAILY"}}`)
	next := successor(t, task, noon) // at noon on the day on which it is due
	if next.DueDate != "2030-01-31" || !next.Quiet {
		t.Errorf("due %s, quiet %v: want today, with a quiet reminder", next.DueDate, next.Quiet)
	}
	if kind, ok := Reminder(nil, next, noon); ok {
		t.Errorf("Reminder: got %s, want none", kind)
	}
	if later := successor(t, next, noon); later.Quiet {
		t.Error("the reminder of tomorrow: got quiet")
	}
}

func TestWordsOfARuleSetTheDueDateOnce(t *testing.T) {
	ask := func(text, rest string) (Task, error) {
		return New(taskID, userID, fields(t, `{"title":"t","timezone":"America/New_York","recurrence":{"text":"`+text+`"}`+rest+`}`), defaults)
	}
	for _, tc := range []struct{ text, rest, rule, due string }{
		{"every 2 weeks on mon,thu", "", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "2030-01-31"},
		{"monthly on the last friday", "", "FREQ=MONTHLY;BYDAY=-1FR", "2030-02-22"},
		{"every day at 7:30pm", "", "FREQ=DAILY", "2030-02-01T00:30:00Z"},
		{"every month", `,"due_date":"2030-03-05"`, "FREQ=MONTHLY", "2030-03-05"},
	} {
		task, err := ask(tc.text, tc.rest)
		due := task.DueDate
		if task.DueAt != nil {
			due = task.DueAt.Format(time.RFC3339)
		}
		if err != nil || task.Recurrence.RRule != tc.rule || due != tc.due {
			t.Errorf("%s: got %v due %s %v, want %s due %s", tc.text, task.Recurrence, due, err, tc.rule, tc.due)
		}
	}
	for text, rest := range map[string]string{
		"every day at 9am":               `,"due_date":"2030-03-05"`, // two times of day
		"every day starting 3 aug 2030":  `,"due_date":"2030-03-05"`,
		"tomorrow":                       "",
		"whenever it rains":              "",
		"every friday the 13th of never": `,"due_date":"2030-03-05"`,
	} {
		_, err := ask(text, rest)
		wantRefused(t, text, err, false, "recurrence.text")
	}
	done := newTask(t, `{"title":"t","due_date":"2030-02-01","recurrence":{"rrule":"FREQ=DAILY","anchor":"completion"}}`)
	for text, want := range map[string]events.Anchor{"weekdays": events.AnchorCompletion, "every! 3 days": events.AnchorCompletion} {
		if got := patched(t, done, `{"recurrence":{"text":"`+text+`"}}`).Recurrence.Anchor; got != want {
			t.Errorf("%s: got anchor %s, want %s", text, got, want)
		}
	}
}
