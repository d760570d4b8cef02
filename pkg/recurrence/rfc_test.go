package recurrence

import (
	"slices"
	"testing"
	"time"
)

// TestRulesOfOtherProgramsContinueAsMeant lists rules as other programs write them, with the occurrences that follow in Berlin; the
// last one is "end" if the series ends there. The sources are RFC 5545, sections 3.3.10 and 3.8.5, and RFC 7529.
func TestRulesOfOtherProgramsContinueAsMeant(t *testing.T) {
	for _, tc := range []struct {
		name, rule, start, due string
		exdates                []string
		want                   []string
	}{
		{"a rule on the day of the task", "FREQ=WEEKLY;BYDAY=MO", "", "2027-03-01", nil, []string{"2027-03-08"}},
		{"names in lower case", "freq=weekly;byday=mo", "", "2027-03-01", nil, []string{"2027-03-08"}},
		{"weekdays", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;WKST=SU", "", "2027-03-01", nil, []string{"2027-03-02", "2027-03-03", "2027-03-04", "2027-03-05", "2027-03-08"}},
		{"UNTIL is a day and the task an instant", "FREQ=DAILY;UNTIL=20270303", "", "2027-03-01T23:00:00+01:00", nil, []string{"2027-03-02T23:00", "2027-03-03T23:00", "end"}},
		{"UNTIL is an instant and the task a day", "FREQ=DAILY;UNTIL=20270302T230000Z", "", "2027-03-01", nil, []string{"2027-03-02", "2027-03-03", "end"}},
		{"an exception", "FREQ=DAILY", "", "2027-03-01", []string{"2027-03-02"}, []string{"2027-03-03", "2027-03-04"}},
		{"starts on Mondays", "FREQ=WEEKLY;BYDAY=MO", "2027-03-01T09:00:00+01:00", "2027-03-03T17:00:00+01:00", nil, []string{"2027-03-10T17:00", "2027-03-17T17:00"}},
		{"starts on the 1st", "FREQ=MONTHLY;BYMONTHDAY=1", "2027-03-01", "2027-03-05", nil, []string{"2027-04-05", "2027-05-05"}},
		{"a plus sign", "FREQ=MONTHLY;BYDAY=+1MO", "", "2027-03-01", nil, []string{"2027-04-05"}},
		{"the last day of each month", "FREQ=MONTHLY;BYMONTHDAY=-1", "", "2027-01-31", nil, []string{"2027-02-28", "2027-03-31"}},
		{"the 31st or the last day", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "", "2027-01-31T09:00:00+01:00", nil, []string{"2027-02-28T09:00", "2027-03-31T09:00", "2027-04-30T09:00"}},
		{"the 31st only", "FREQ=MONTHLY", "", "2027-01-31", nil, []string{"2027-03-31", "2027-05-31"}},
		{"29 February or the last day", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "", "2028-02-29", nil, []string{"2029-02-28", "2030-02-28"}},
		{"a set position of a week that has begun", "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1", "", "2027-03-01", nil, []string{"2027-03-05", "2027-03-12"}},
		{"the first workday", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", "", "2026-12-01", nil, []string{"2027-01-01", "2027-02-01"}},
		{"the last workday", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "", "2026-11-30", nil, []string{"2026-12-31", "2027-01-29"}},
		{"a first day that the rule does not name", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "", "2027-01-10T09:00:00+01:00", nil, []string{"2027-01-11T09:00"}},
		{"it counts as the first", "FREQ=WEEKLY;BYDAY=MO;COUNT=2", "", "2027-01-10", nil, []string{"2027-01-11", "end"}},
		{"six months over the change of the clocks", "FREQ=MONTHLY;INTERVAL=6", "", "2027-01-10T09:00:00+01:00", nil, []string{"2027-07-10T09:00", "2028-01-10T09:00"}},
		{"1000 days", "FREQ=DAILY;INTERVAL=1000", "", "2026-11-27", nil, []string{"2029-08-23"}},
	} {
		task, state, got := recurring(t, tc.rule, tc.start, tc.due, ""), State{}, []string(nil)
		task.Recurrence.ExDates = tc.exdates
		for range tc.want {
			next, ok, err := SuccessorAt(task, state, time.Time{})
			if err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			if !ok {
				got = append(got, "end")
				break
			}
			got, state = append(got, next.berlin(t).Due), next.State
			task.StartDate, task.StartAt, task.DueDate, task.DueAt = next.StartDate, next.StartAt, next.DueDate, next.DueAt
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %s from %s %s: got %v, want %v", tc.name, tc.rule, tc.start, tc.due, got, tc.want)
		}
	}
}

// A rule whose zone follows the task keeps the wall time of the zone that the task has now.
func TestTheZoneOfTheTaskGivesTheWallTime(t *testing.T) {
	task := recurring(t, "FREQ=WEEKLY;BYDAY=MO", "", "2027-03-01T20:00:00-05:00", "")
	task.Timezone = "America/New_York"
	for _, want := range []string{"2027-03-08T20:00:00-05:00", "2027-03-15T20:00:00-04:00"} { // the clocks change on 14 March
		next, ok, err := SuccessorOf(task, time.Time{})
		if !ok || err != nil || !next.DueAt.Equal(*at(t, want)) {
			t.Fatalf("got %v, %v, %v; want %s", next.DueAt, ok, err, want)
		}
		task.DueAt = next.DueAt
	}
}
