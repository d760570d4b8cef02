package recurrence

import (
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

func mustParse(t testing.TB, text string) Rule {
	t.Helper()
	r, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return r
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// days returns at most n successors of a due date.
func days(t *testing.T, rule, from string, n int) []string {
	t.Helper()
	r, out := mustParse(t, rule), []string(nil)
	o := Occurrence{No: 1, Date: from}
	for range n {
		next, ok := Next(r, events.AnchorSchedule, time.UTC, o, time.Time{})
		if !ok {
			break
		}
		out, o = append(out, next.Date), next
	}
	return out
}

func TestNextFollowsTheCalendar(t *testing.T) {
	for _, tc := range []struct {
		rule, from string
		want       []string
	}{
		{"FREQ=DAILY", "2024-02-28", []string{"2024-02-29", "2024-03-01"}},
		{"FREQ=DAILY;INTERVAL=3", "2023-12-30", []string{"2024-01-02", "2024-01-05"}},
		{"FREQ=WEEKLY", "2030-03-01", []string{"2030-03-08", "2030-03-15"}},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", "2024-01-01", []string{"2024-01-03", "2024-01-15", "2024-01-17"}},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "2024-01-07", []string{"2024-01-08", "2024-01-21"}},
		{"FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=MO", "2024-01-01", []string{"2024-01-07", "2024-01-15"}},
		{"FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", "2024-01-03", []string{"2024-01-10"}},
		{"FREQ=MONTHLY", "2023-01-31", []string{"2023-03-31", "2023-05-31", "2023-07-31", "2023-08-31"}},
		{"FREQ=MONTHLY;BYMONTHDAY=-1", "2023-12-31", []string{"2024-01-31", "2024-02-29", "2024-03-31"}},
		{"FREQ=MONTHLY;BYMONTHDAY=30", "2024-01-30", []string{"2024-03-30"}},
		{"FREQ=MONTHLY;BYDAY=2TU", "2024-01-09", []string{"2024-02-13", "2024-03-12"}},
		{"FREQ=MONTHLY;BYDAY=-1FR", "2024-01-26", []string{"2024-02-23", "2024-03-29"}},
		{"FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "2023-01-13", []string{"2023-10-13", "2024-09-13"}},
		{"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2024-02-29", []string{"2024-03-29", "2024-04-30"}},
		{"FREQ=MONTHLY;BYDAY=SU,2MO", "2024-01-07", []string{"2024-01-08", "2024-01-14"}},
		{"FREQ=YEARLY", "2024-02-29", []string{"2028-02-29", "2032-02-29"}},
		{"FREQ=YEARLY", "2096-02-29", []string{"2104-02-29"}},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "2023-02-28", []string{"2024-02-29", "2025-02-28"}},
		{"FREQ=YEARLY;BYDAY=1MO", "2024-01-01", []string{"2025-01-06"}},
		{"FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "2024-11-28", []string{"2025-11-27"}},
		{"FREQ=YEARLY;BYYEARDAY=366", "2024-12-31", []string{"2028-12-31"}},
		{"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29", "2096-02-29", []string{"2104-02-29"}},
		{"FREQ=YEARLY;INTERVAL=1000", "2024-05-05", []string{"3024-05-05", "4024-05-05"}},
	} {
		if got := days(t, tc.rule, tc.from, len(tc.want)); !slices.Equal(got, tc.want) {
			t.Errorf("%s from %s: got %v, want %v", tc.rule, tc.from, got, tc.want)
		}
	}
}

func TestNextEndsTheSeries(t *testing.T) {
	for _, tc := range []struct {
		rule, from string
		want       []string
	}{
		{"FREQ=DAILY;COUNT=1", "2024-01-01", nil},
		{"FREQ=DAILY;COUNT=3", "2024-01-01", []string{"2024-01-02", "2024-01-03"}},
		{"FREQ=DAILY;UNTIL=20240103", "2024-01-01", []string{"2024-01-02", "2024-01-03"}},
		{"FREQ=DAILY;UNTIL=20240103T000000Z", "2024-01-01", []string{"2024-01-02", "2024-01-03"}},
		{"FREQ=DAILY;UNTIL=20240103T080000", "2024-01-01", []string{"2024-01-02", "2024-01-03"}},
		{"FREQ=DAILY;UNTIL=20231231", "2024-01-01", nil},
		{"FREQ=DAILY", "9999-12-30", []string{"9999-12-31"}},
		{"FREQ=YEARLY;INTERVAL=1000", "9500-01-01", nil},
		{"FREQ=DAILY;INTERVAL=7;BYDAY=MO", "2024-01-02", nil}, // every seventh day from a Tuesday is never a Monday
		{"FREQ=YEARLY;BYMONTH=2", "2024-01-30", nil},          // there is no 30 February
	} {
		if got := days(t, tc.rule, tc.from, 5); !slices.Equal(got, tc.want) {
			t.Errorf("%s from %s: got %v, want %v", tc.rule, tc.from, got, tc.want)
		}
	}
}

func TestUntilIsComparedInTheZone(t *testing.T) {
	ny := zone(t, "America/New_York")
	at := time.Date(2024, 1, 2, 20, 0, 0, 0, ny) // the next one is 3 January 20:00 = 4 January 01:00 UTC
	for rule, want := range map[string]bool{
		"FREQ=DAILY;UNTIL=20240103":         true,
		"FREQ=DAILY;UNTIL=20240102":         false,
		"FREQ=DAILY;UNTIL=20240104T010000Z": true,
		"FREQ=DAILY;UNTIL=20240104T005959Z": false,
		"FREQ=DAILY;UNTIL=20240103T200000":  true,
		"FREQ=DAILY;UNTIL=20240103T195959":  false,
	} {
		if _, got := Next(mustParse(t, rule), events.AnchorSchedule, ny, Occurrence{No: 1, At: at}, at); got != want {
			t.Errorf("%s: got another occurrence: %v, want %v", rule, got, want)
		}
	}
}

func TestTimeOfDayIsKeptAcrossDaylightSaving(t *testing.T) {
	for _, tc := range []struct{ name, zone, rule, from, want string }{
		{"spring forward", "America/New_York", "FREQ=DAILY", "2024-03-09T09:00:00-05:00", "2024-03-10T09:00:00-04:00"},
		{"fall back", "America/New_York", "FREQ=DAILY", "2024-11-02T09:00:00-04:00", "2024-11-03T09:00:00-05:00"},
		{"a time in the gap moves later by the gap", "America/New_York", "FREQ=DAILY", "2024-03-09T02:30:00-05:00", "2024-03-10T03:30:00-04:00"},
		{"of a repeated time the first is used", "America/New_York", "FREQ=DAILY", "2024-11-02T01:30:00-04:00", "2024-11-03T01:30:00-04:00"},
		{"a gap at midnight", "Africa/Cairo", "FREQ=DAILY", "2024-04-25T00:30:00+02:00", "2024-04-26T01:30:00+03:00"},
		{"a gap of half an hour", "Australia/Lord_Howe", "FREQ=DAILY", "2024-10-05T02:15:00+10:30", "2024-10-06T02:45:00+11:00"},
		{"the day is that of the zone, not of UTC", "Asia/Tokyo", "FREQ=WEEKLY;BYDAY=MO", "2024-01-01T08:00:00+09:00", "2024-01-08T08:00:00+09:00"},
		{"monthly across the change", "Europe/Berlin", "FREQ=MONTHLY", "2024-03-15T18:00:00+01:00", "2024-04-15T18:00:00+02:00"},
	} {
		from, _ := time.Parse(time.RFC3339, tc.from)
		want, _ := time.Parse(time.RFC3339, tc.want)
		got, ok := Next(mustParse(t, tc.rule), events.AnchorSchedule, zone(t, tc.zone), Occurrence{No: 1, At: from}, from)
		if !ok || !got.At.Equal(want) {
			t.Errorf("%s: got %v, want %v", tc.name, got.At.In(want.Location()), want)
		}
	}
}

func TestAtClockReturnsToTheTimeOfTheSeries(t *testing.T) {
	ny := zone(t, "America/New_York")
	meant := 2*time.Hour + 30*time.Minute
	late := time.Date(2024, 3, 10, 3, 30, 0, 0, ny)
	if got := AtClock(late, meant, ny); !got.Equal(late) {
		t.Errorf("on the day of the gap: got %v, want %v", got.In(ny), late)
	}
	next := time.Date(2024, 3, 11, 3, 30, 0, 0, ny)
	if got, want := AtClock(next, meant, ny), time.Date(2024, 3, 11, 2, 30, 0, 0, ny); !got.Equal(want) {
		t.Errorf("on the day after: got %v, want %v", got.In(ny), want)
	}
	if got := Clock(late, ny); got != 3*time.Hour+30*time.Minute {
		t.Errorf("Clock: got %v, want 3h30m", got)
	}
}

func TestCompletionCountsFromTheDayOfCompletion(t *testing.T) {
	ny := zone(t, "America/New_York")
	for _, tc := range []struct{ rule, due, done, want string }{
		{"FREQ=DAILY;INTERVAL=3", "2024-01-01", "2024-01-10T23:30:00-05:00", "2024-01-13"},
		{"FREQ=WEEKLY", "2024-01-01", "2024-01-10T12:00:00-05:00", "2024-01-17"},
		{"FREQ=WEEKLY;BYDAY=MO", "2024-01-01", "2024-01-10T12:00:00-05:00", "2024-01-15"},
		{"FREQ=MONTHLY", "2023-01-01", "2023-01-31T12:00:00-05:00", "2023-02-28"},
		{"FREQ=MONTHLY;INTERVAL=2", "2024-01-01", "2023-12-31T12:00:00-05:00", "2024-02-29"},
		{"FREQ=YEARLY", "2024-01-01", "2024-02-29T12:00:00-05:00", "2025-02-28"},
		{"FREQ=MONTHLY;BYMONTHDAY=31", "2024-01-01", "2024-01-31T12:00:00-05:00", "2024-03-31"},
	} {
		done, _ := time.Parse(time.RFC3339, tc.done)
		got, ok := Next(mustParse(t, tc.rule), events.AnchorCompletion, ny, Occurrence{No: 1, Date: tc.due}, done)
		if !ok || got.Date != tc.want {
			t.Errorf("%s done %s: got %q, want %q", tc.rule, tc.done, got.Date, tc.want)
		}
	}
	due := time.Date(2024, 3, 1, 9, 0, 0, 0, ny)
	done := time.Date(2024, 3, 9, 22, 0, 0, 0, ny)
	got, _ := Next(mustParse(t, "FREQ=DAILY"), events.AnchorCompletion, ny, Occurrence{No: 4, At: due}, done)
	if want := time.Date(2024, 3, 10, 9, 0, 0, 0, ny); !got.At.Equal(want) || got.No != 5 {
		t.Errorf("an instant keeps its time of day: got %v no %d, want %v no 5", got.At.In(ny), got.No, want)
	}
}

func TestSuccessorOfCarriesTheReminder(t *testing.T) {
	ny := zone(t, "America/New_York")
	due, remind := time.Date(2024, 3, 8, 17, 0, 0, 0, ny), time.Date(2024, 3, 7, 9, 0, 0, 0, ny)
	task := events.TaskData{
		DueAt: &due, RemindAt: &remind, Timezone: "Europe/Berlin", OccurrenceNo: 2,
		Recurrence: &events.Recurrence{RRule: "FREQ=WEEKLY", Anchor: events.AnchorSchedule, Timezone: "America/New_York"},
	}
	got, ok, err := SuccessorOf(task, due)
	if err != nil || !ok {
		t.Fatalf("SuccessorOf: got %v, %v, want a successor", ok, err)
	}
	if want := time.Date(2024, 3, 15, 17, 0, 0, 0, ny); !got.DueAt.Equal(want) || got.OccurrenceNo != 3 {
		t.Errorf("due: got %v no %d, want %v no 3", got.DueAt.In(ny), got.OccurrenceNo, want)
	}
	if want := time.Date(2024, 3, 14, 9, 0, 0, 0, ny); got.RemindAt == nil || !got.RemindAt.Equal(want) {
		t.Errorf("reminder: got %v, want %v", got.RemindAt, want)
	}
	task.DueAt, task.DueDate = nil, "2024-03-08"
	got, ok, err = SuccessorOf(task, due)
	if err != nil || !ok || got.DueDate != "2024-03-15" || got.DueAt != nil {
		t.Errorf("a day: got %+v %v %v, want 2024-03-15", got, ok, err)
	}
	task.Recurrence.RRule = "FREQ=HOURLY"
	if _, _, err := SuccessorOf(task, due); err == nil {
		t.Error("a rule outside the subset: got no error")
	}
	task.Recurrence = nil
	if _, ok, err := SuccessorOf(task, due); ok || err != nil {
		t.Errorf("no rule: got %v %v, want no successor", ok, err)
	}
	task.Recurrence = &events.Recurrence{RRule: "FREQ=DAILY", Timezone: "Mars/Olympus"}
	if _, _, err := SuccessorOf(task, due); err == nil {
		t.Error("an unknown zone: got no error")
	}
}
