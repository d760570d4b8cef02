package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// daily is the master of a series at 2:30 in Berlin from 26 March 2027 on, two days before that hour is skipped.
func daily(more ...string) string {
	return todo(append([]string{"UID:s", "SUMMARY:pills", "DTSTART;TZID=Europe/Berlin:20270326T023000", "DUE;TZID=Europe/Berlin:20270326T030000"}, more...)...)
}

// exception is an occurrence of the series on a day.
func exception(day string, more ...string) string {
	return todo(append([]string{"UID:s", "SUMMARY:pills", "RECURRENCE-ID;TZID=Europe/Berlin:" + day + "T023000", "DTSTART;TZID=Europe/Berlin:" + day + "T023000", "DUE;TZID=Europe/Berlin:" + day + "T030000"}, more...)...)
}

func TestSeriesContinuesAtItsNextOpenOccurrence(t *testing.T) {
	const done, cancelled = "STATUS:COMPLETED", "STATUS:CANCELLED"
	for _, tt := range []struct {
		name       string
		components []string
		master     map[string]any
	}{
		{"without exceptions", []string{daily("RRULE:FREQ=DAILY")}, map[string]any{"due_at": "2027-03-26T02:00:00Z", "occurrence": 0.0}},
		{"exceptions after the master", []string{daily("RRULE:FREQ=DAILY"), exception("20270326", done), exception("20270327", done)},
			map[string]any{"start_at": "2027-03-28T01:30:00Z", "due_at": "2027-03-28T01:30:00Z", "occurrence": 3.0, "series": "s", "source": "s"}},
		{"exceptions before the master", []string{exception("20270327", cancelled), exception("20270326", done), daily("RRULE:FREQ=DAILY")},
			map[string]any{"start_at": "2027-03-28T01:30:00Z", "occurrence": 3.0}},
		{"the time of day returns after the skipped hour", []string{daily("RRULE:FREQ=DAILY"), exception("20270326", done), exception("20270327", done), exception("20270328", done)},
			map[string]any{"start_at": "2027-03-29T00:30:00Z", "due_at": "2027-03-29T01:00:00Z", "occurrence": 4.0}},
		{"the first day is left out", []string{daily("RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Berlin:20270326T023000")},
			map[string]any{"start_at": "2027-03-27T01:30:00Z", "occurrence": 2.0}},
		{"EXDATE and exceptions", []string{daily("RRULE:FREQ=DAILY", "EXDATE:20270327T013000Z,20270330T003000Z"), exception("20270326", done)},
			map[string]any{"start_at": "2027-03-28T01:30:00Z", "occurrence": 3.0, "recurrence": map[string]any{"exdates": []any{"2027-03-30"}, "rrule": "FREQ=DAILY"}}},
		{"a later day is done already", []string{daily("RRULE:FREQ=DAILY"), exception("20270328", done)},
			map[string]any{"start_at": "2027-03-26T01:30:00Z", "occurrence": 1.0, "recurrence": map[string]any{"exdates": []any{"2027-03-28"}, "rrule": "FREQ=DAILY"}}},
		{"COUNT goes on", []string{daily("RRULE:FREQ=DAILY;COUNT=3"), exception("20270326", done), exception("20270327", done)},
			map[string]any{"occurrence": 3.0, "recurrence": map[string]any{"rrule": "FREQ=DAILY;COUNT=3"}}},
		{"UNTIL is kept", []string{daily("RRULE:FREQ=DAILY;UNTIL=20270328"), exception("20270326", done)},
			map[string]any{"start_at": "2027-03-27T01:30:00Z", "recurrence": map[string]any{"rrule": "FREQ=DAILY;UNTIL=20270328"}}},
		{"all are done", []string{daily("RRULE:FREQ=DAILY;COUNT=2"), exception("20270326", done), exception("20270327", done, "COMPLETED:20270327T020000Z")},
			map[string]any{"start_at": "2027-03-27T01:30:00Z", "status": "completed", "occurrence": 2.0, "source": "s", "notes": "…last occurrence"}},
		{"all are left out", []string{daily("RRULE:FREQ=DAILY;COUNT=2", "EXDATE;TZID=Europe/Berlin:20270326T023000,20270327T023000")},
			map[string]any{"recurrence": nil, "notes": "…no open occurrence", "description": "…FREQ=DAILY;COUNT=2"}},
		{"the open one has a time of its own", []string{daily("RRULE:FREQ=DAILY"), exception("20270326", done),
			todo("UID:s", "SUMMARY:pills late", "RECURRENCE-ID;TZID=Europe/Berlin:20270327T023000", "DTSTART;TZID=Europe/Berlin:20270327T090000", "DUE;TZID=Europe/Berlin:20270327T100000")},
			map[string]any{"title": "pills late", "start_at": "2027-03-27T08:00:00Z", "due_at": "2027-03-27T09:00:00Z", "occurrence": 2.0, "source": "s", "pattern": `"pills""2027-03-27T01:30:00Z""2027-03-27T02:00:00Z"`, "notes": "…RECURRENCE-ID is the open occurrence"}},
		{"the reminder moves too", []string{daily("RRULE:FREQ=DAILY", "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT30M\nEND:VALARM"), exception("20270326", done)},
			map[string]any{"remind_at": "2027-03-27T01:00:00Z"}},
		{"the whole series is done", []string{daily("RRULE:FREQ=DAILY", done), exception("20270326", done), todo("UID:t", "SUMMARY:open")},
			map[string]any{"start_at": "2027-03-26T01:30:00Z", "status": "completed", "occurrence": 0.0}},
		{"days", []string{todo("UID:s", "SUMMARY:x", "DUE;VALUE=DATE:20270101", "RRULE:FREQ=WEEKLY"), todo("UID:s", "SUMMARY:x", "RECURRENCE-ID;VALUE=DATE:20270101", "DUE;VALUE=DATE:20270101", "PERCENT-COMPLETE:100")},
			map[string]any{"due_date": "2027-01-08", "occurrence": 2.0}},
		{"RECURRENCE-ID as an instant", []string{daily("RRULE:FREQ=DAILY"), todo("UID:s", "SUMMARY:pills", "RECURRENCE-ID:20270326T013000Z", "STATUS:COMPLETED")},
			map[string]any{"start_at": "2027-03-27T01:30:00Z", "occurrence": 2.0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var master map[string]any
			open, sources := 0, map[any]bool{}
			for _, task := range readTodos(t, tt.components...) {
				if task["source"] == "s" {
					master = task
				}
				if task["status"] == nil {
					open++
				}
				if sources[task["source"]] {
					t.Errorf("two tasks have the source %q", task["source"])
				}
				sources[task["source"]] = true
			}
			expect(t, tt.name, master, tt.master)
			if tt.name == "all are done" { // then none is open
				open++
			}
			if open != 1 {
				t.Errorf("%d open tasks, want 1", open)
			}
		})
	}
}

func TestOccurrencesThatAreDoneBecomeDoneTasks(t *testing.T) {
	got := readTodos(t, daily("RRULE:FREQ=DAILY"), exception("20270326", "STATUS:COMPLETED", "COMPLETED:20261126T020000Z"), exception("20270328", "STATUS:COMPLETED"))
	expect(t, "first", got[1], map[string]any{"status": "completed", "completed_at": "2026-11-26T02:00:00Z", "due_at": "2027-03-26T02:00:00Z", "series": "s", "occurrence": 1.0, "recurrence": nil})
	// The third may not take the number that the engine gives later.
	expect(t, "third", got[2], map[string]any{"status": "completed", "series": "", "occurrence": 0.0})
}

func TestExceptionWithoutItsSeriesIsATaskOfItsOwn(t *testing.T) {
	for name, file := range map[string][]string{
		"no master":        {exception("20270326")},
		"no rule":          {exception("20270326"), daily("RRULE:FREQ=HOURLY")},
		"a later open one": {daily("RRULE:FREQ=DAILY"), exception("20270328")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, task := range readTodos(t, file...) {
				if task["source"] != "s" {
					expect(t, name, task, map[string]any{"title": "pills", "source": "s\x00" + task["start_at"].(string), "notes": "…RECURRENCE-ID", "recurrence": nil})
					return
				}
			}
			t.Error("the exception made no task")
		})
	}
}

func TestLargeSeriesAreImportedEarlyAndReported(t *testing.T) {
	var b strings.Builder
	n := 0
	for ; b.Len() < maxHeld+maxHeld/2; n++ {
		b.WriteString(todo(fmt.Sprintf("UID:%d", n), "SUMMARY:"+strings.Repeat("x", 300), "DUE:20270101T080000Z", "RRULE:FREQ=DAILY"))
	}
	b.WriteString(todo("UID:0", "SUMMARY:late", "RECURRENCE-ID:20270101T080000Z", "DUE:20270101T080000Z", "STATUS:COMPLETED"))
	got := readTodos(t, b.String())
	if len(got) != n+1 {
		t.Fatalf("%d tasks of %d entries", len(got), n+1)
	}
	expect(t, "the first series", got[0], map[string]any{"source": "0", "notes": "…before the end of the file"})
	expect(t, "its late exception", got[n], map[string]any{"title": "late", "notes": "…a series that is not in the file"})
	expect(t, "the last series", got[n-1], map[string]any{"notes": ""})
}

func TestSeriesGoesOnAfterAnImportedException(t *testing.T) {
	moved := todo("UID:s", "SUMMARY:pills late", "RECURRENCE-ID;TZID=Europe/Berlin:20270327T023000", "DTSTART;TZID=Europe/Berlin:20270327T090000", "DUE;TZID=Europe/Berlin:20270327T100000")
	file := "BEGIN:VCALENDAR\n" + daily("RRULE:FREQ=DAILY") + exception("20270326", "STATUS:COMPLETED") + moved + exception("20270329", "STATUS:CANCELLED") + "END:VCALENDAR\n"
	reader, err := NewReader(ICS, strings.NewReader(file), berlin)
	if err != nil {
		t.Fatal(err)
	}
	item, err := reader.Next()
	if err != nil {
		t.Fatal(err)
	}
	fields, err1 := domain.ParseFields(item.Fields)
	pattern, err2 := domain.ParseFields(item.Pattern)
	origin := domain.Origin{SeriesID: someUser, OccurrenceNo: item.Occurrence, Pattern: pattern}
	task, err3 := domain.Import(someUser, someUser, fields, origin, domain.Defaults{Timezone: berlin.Zone, Now: berlin.Now})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 3 {
		got = append(got, fmt.Sprintf("%d %s %s", task.OccurrenceNo, task.Title, instant(*task.StartAt)))
		next, ok, err := domain.Successor(task, *task.DueAt, *task.DueAt)
		if !ok || err != nil {
			t.Fatalf("after %v: %v, %v", got, ok, err)
		}
		task = next
	}
	want := []string{"2 pills late 2027-03-27T08:00:00Z", "3 pills 2027-03-28T01:30:00Z", "4 pills 2027-03-30T00:30:00Z"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
