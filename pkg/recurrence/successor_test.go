package recurrence

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// at reads an instant, RFC 3339.
func at(t testing.TB, s string) *time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return &parsed
}

// recurring returns a task in Berlin. A date with a T is an instant; an empty one is not set.
func recurring(t testing.TB, rule, start, due, remind string) events.TaskData {
	t.Helper()
	task := events.TaskData{Timezone: "Europe/Berlin", OccurrenceNo: 1, Recurrence: &events.Recurrence{RRule: rule, Anchor: events.AnchorSchedule}}
	for value, field := range map[string]struct {
		day     *string
		instant **time.Time
	}{start: {&task.StartDate, &task.StartAt}, due: {&task.DueDate, &task.DueAt}, remind: {new(string), &task.RemindAt}} {
		switch {
		case strings.Contains(value, "T"):
			*field.instant = at(t, value)
		default:
			*field.day = value
		}
	}
	return task
}

// berlin shows the times of a successor as start, due and remind in Berlin.
func (s Successor) berlin(t testing.TB) answerTimes {
	show := func(day string, at *time.Time) string {
		if at == nil {
			return day
		}
		return at.In(zone(t, "Europe/Berlin")).Format("2006-01-02T15:04")
	}
	return answerTimes{show(s.StartDate, s.StartAt), show(s.DueDate, s.DueAt), show("", s.RemindAt)}
}

// TestLateCompletionGivesWhatIsNotOver completes tasks at 10:30 on Friday, 27 November 2026, in Berlin.
func TestLateCompletionGivesWhatIsNotOver(t *testing.T) {
	now := *at(t, "2026-11-27T10:30:00+01:00")
	for _, tc := range []struct {
		name, rule, due, want string
		elapsed               int
	}{
		{"ten days late", "FREQ=DAILY", "2026-11-17", "2026-11-27", 10},
		{"on its day", "FREQ=DAILY", "2026-11-27", "2026-11-28", 1},
		{"early", "FREQ=DAILY", "2026-11-28", "2026-11-29", 1},
		{"an instant that is over today", "FREQ=DAILY", "2026-11-26T09:30:00+01:00", "2026-11-28T09:30", 2},
		{"an instant that is now", "FREQ=DAILY", "2026-11-26T10:30:00+01:00", "2026-11-28T10:30", 2},
		{"an instant that is ahead today", "FREQ=DAILY", "2026-11-20T10:31:00+01:00", "2026-11-27T10:31", 7},
		{"three weeks late", "FREQ=WEEKLY", "2026-11-06", "2026-11-27", 3},
		{"every second week keeps its weeks", "FREQ=WEEKLY;INTERVAL=2", "2026-11-06", "2026-12-04", 2},
		{"the missed ones count", "FREQ=DAILY;COUNT=5", "2026-11-17", "end", 0},
		{"the last of the count", "FREQ=DAILY;COUNT=11", "2026-11-17", "2026-11-27", 10},
		{"the rule has ended", "FREQ=DAILY;UNTIL=20261122", "2026-11-17", "end", 0},
		{"the last day of the rule", "FREQ=DAILY;UNTIL=20261127", "2026-11-17", "2026-11-27", 10},
		{"more missed days than any count", "FREQ=DAILY", "1926-11-27", "2026-11-27", MaxCount + 4},
		{"more missed instants than any count", "FREQ=DAILY", "1926-11-27T10:30:00+01:00", "2026-11-28T10:30", MaxCount + 5},
	} {
		task := recurring(t, tc.rule, "", tc.due, "")
		got, ok, err := SuccessorOf(task, now)
		if err != nil || ok != (tc.want != "end") || ok && (got.berlin(t).Due != tc.want || got.Elapsed != tc.elapsed || got.OccurrenceNo != 2 || got.State.RuleNo != 1+tc.elapsed) {
			t.Errorf("%s: %s due %s: got %+v, elapsed %d, no %d, %v, %v; want %s, elapsed %d, no 2", tc.name, tc.rule, tc.due, got.berlin(t), got.Elapsed, got.OccurrenceNo, ok, err, tc.want, tc.elapsed)
		}
	}
}

func TestCatchUpAllGivesMissedOnesOneByOne(t *testing.T) {
	task := recurring(t, "FREQ=DAILY", "", "2026-11-17", "2026-11-17T09:00:00+01:00")
	now := *at(t, "2026-11-27T10:30:00+01:00")
	for catchUp, want := range map[events.CatchUp]answerTimes{
		"":                 {"", "2026-11-27", "2026-11-27T09:00"}, // an event of an earlier version
		events.CatchUpNext: {"", "2026-11-27", "2026-11-27T09:00"},
		events.CatchUpAll:  {"", "2026-11-18", "2026-11-18T09:00"},
	} {
		task.Recurrence.CatchUp = catchUp
		if got, ok, err := SuccessorOf(task, now); !ok || err != nil || got.berlin(t) != want {
			t.Errorf("catch_up %q: got %+v, %v, %v; want %+v", catchUp, got.berlin(t), ok, err, want)
		}
	}
}

func TestTodayIsTheDayInTheZoneOfTheRule(t *testing.T) {
	task := recurring(t, "FREQ=DAILY", "", "2026-11-17", "")
	task.Recurrence.Timezone = "Pacific/Auckland"
	if got, _, _ := SuccessorOf(task, *at(t, "2026-11-27T12:00:00Z")); got.DueDate != "2026-11-28" {
		t.Errorf("in Auckland: got %s, want 2026-11-28", got.DueDate)
	}
}

func TestTheRuleCountsFromTheStart(t *testing.T) {
	for _, tc := range []struct {
		name, rule, start, due, remind string
		want                           answerTimes
	}{
		{"starts on Mondays, due on Wednesdays", "FREQ=WEEKLY;BYDAY=MO", "2027-03-01T09:00:00+01:00", "2027-03-03T17:00:00+01:00", "",
			answerTimes{"2027-03-08T09:00", "2027-03-10T17:00", ""}},
		{"starts on the 1st, due on the 5th", "FREQ=MONTHLY;BYMONTHDAY=1", "2027-03-01", "2027-03-05", "", answerTimes{"2027-04-01", "2027-04-05", ""}},
		{"a start alone", "FREQ=WEEKLY", "2027-03-01", "", "2027-03-01T08:00:00+01:00", answerTimes{"2027-03-08", "", "2027-03-08T08:00"}},
		{"a day to start and an instant to end", "FREQ=DAILY", "2027-03-27", "2027-03-28T01:30:00+01:00", "", answerTimes{"2027-03-28", "2027-03-29T01:30", ""}},
		{"distances in days over a change of the clocks", "FREQ=DAILY", "2027-03-27T12:00:00+01:00", "2027-03-29T09:00:00+02:00", "2027-03-26T20:00:00+01:00",
			answerTimes{"2027-03-28T12:00", "2027-03-30T09:00", "2027-03-27T20:00"}},
		{"the last day of a month", "FREQ=MONTHLY;BYMONTHDAY=-1", "2027-01-31", "2027-02-03", "2027-01-30T08:00:00+01:00", answerTimes{"2027-02-28", "2027-03-03", "2027-02-27T08:00"}},
		{"UNTIL bounds the start", "FREQ=DAILY;UNTIL=20270302", "2027-03-01", "2027-03-09", "", answerTimes{"2027-03-02", "2027-03-10", ""}},
	} {
		task := recurring(t, tc.rule, tc.start, tc.due, tc.remind)
		got, ok, err := SuccessorOf(task, *at(t, "2027-03-01T07:00:00Z"))
		if !ok || err != nil || got.berlin(t) != tc.want {
			t.Errorf("%s: got %+v, %v, %v; want %+v", tc.name, got.berlin(t), ok, err, tc.want)
		}
	}
}

// An occurrence that has begun but is not due yet is not over.
func TestAnOccurrenceIsOverWhenItsDueDateIs(t *testing.T) {
	task := recurring(t, "FREQ=DAILY", "2026-11-20T08:00:00+01:00", "2026-11-20T08:30:00+01:00", "")
	for now, want := range map[string]string{
		"2026-11-27T08:10:00+01:00": "2026-11-27T08:30",
		"2026-11-27T08:30:00+01:00": "2026-11-28T08:30",
	} {
		if got, _, _ := SuccessorOf(task, *at(t, now)); got.berlin(t).Due != want {
			t.Errorf("done at %s: got %+v, want %s", now, got.berlin(t), want)
		}
	}
}

func TestExDatesAreLeftOutAndCount(t *testing.T) {
	for _, tc := range []struct {
		name, rule, start, due string
		exdates                []string
		want                   string
		elapsed                int
	}{
		{"the next day", "FREQ=DAILY", "", "2027-03-01", []string{"2027-03-02"}, "2027-03-03", 2},
		{"an instant of that day", "FREQ=DAILY", "", "2027-03-01T23:30:00+01:00", []string{"2027-03-02", "2027-03-03"}, "2027-03-04T23:30", 3},
		{"days that the rule does not have", "FREQ=WEEKLY", "", "2027-03-01", []string{"2027-03-02"}, "2027-03-08", 1},
		{"they are days of the start", "FREQ=WEEKLY", "2027-03-01", "2027-03-03", []string{"2027-03-08", "2027-03-17"}, "2027-03-17", 2},
		{"the last of the count is left out", "FREQ=DAILY;COUNT=2", "", "2027-03-01", []string{"2027-03-02"}, "end", 0},
		{"the count goes on", "FREQ=DAILY;COUNT=3", "", "2027-03-01", []string{"2027-03-02"}, "2027-03-03", 2},
	} {
		task := recurring(t, tc.rule, tc.start, tc.due, "")
		task.Recurrence.ExDates = tc.exdates
		got, ok, err := SuccessorOf(task, *at(t, "2027-03-01T07:00:00Z"))
		if err != nil || ok != (tc.want != "end") || ok && (got.berlin(t).Due != tc.want || got.Elapsed != tc.elapsed) {
			t.Errorf("%s: got %+v, elapsed %d, %v, %v; want %s, elapsed %d", tc.name, got.berlin(t), got.Elapsed, ok, err, tc.want, tc.elapsed)
		}
	}
	task := recurring(t, "FREQ=DAILY;INTERVAL=3", "", "2027-03-01", "")
	task.Recurrence.Anchor, task.Recurrence.ExDates = events.AnchorCompletion, []string{"2027-03-13"}
	if got, _, _ := SuccessorOf(task, *at(t, "2027-03-10T07:00:00Z")); got.DueDate != "2027-03-16" || got.Elapsed != 2 {
		t.Errorf("anchor completion: got %s, elapsed %d; want 2027-03-16, elapsed 2", got.DueDate, got.Elapsed)
	}
}

// COUNT is compared with the number in the rule, which the caller keeps, and not with the number of tasks.
func TestCountUsesTheNumberInTheRule(t *testing.T) {
	task := recurring(t, "FREQ=DAILY;COUNT=7", "", "2027-03-01", "")
	task.OccurrenceNo = 3
	for ruleNo, want := range map[int]bool{0: true, 3: true, 6: true, 7: false, 12: false} {
		got, ok, err := SuccessorAt(task, State{RuleNo: ruleNo}, *at(t, "2027-03-01T07:00:00Z"))
		if err != nil || ok != want || ok && (got.OccurrenceNo != 4 || got.State.RuleNo != max(ruleNo, 3)+1) {
			t.Errorf("rule no %d: got %+v, %v, %v; want a successor: %v", ruleNo, got, ok, err, want)
		}
		if ends, err := Ends(task, State{RuleNo: ruleNo}); ends == want || err != nil {
			t.Errorf("Ends with rule no %d: got %v, %v; want %v", ruleNo, ends, err, !want)
		}
	}
}

// In Berlin, the clocks go from 2:00 to 3:00 on 28 March 2027.
func TestTheMeantTimeComesBackAfterAGap(t *testing.T) {
	task := recurring(t, "FREQ=DAILY", "2027-03-27T02:30:00+01:00", "2027-03-27T02:45:00+01:00", "2027-03-27T02:15:00+01:00")
	var state State
	for _, want := range []answerTimes{
		{"2027-03-28T03:30", "2027-03-28T03:45", "2027-03-28T03:15"},
		{"2027-03-29T02:30", "2027-03-29T02:45", "2027-03-29T02:15"},
	} {
		next, ok, err := SuccessorAt(task, state, *at(t, "2027-03-01T07:00:00Z"))
		if !ok || err != nil || next.berlin(t) != want {
			t.Fatalf("got %+v, %v, %v; want %+v", next.berlin(t), ok, err, want)
		}
		if inGap := strings.HasPrefix(want.Due, "2027-03-28"); inGap != (next.State.StartClock != nil && next.State.DueClock != nil && next.State.RemindClock != nil) {
			t.Fatalf("state of %+v: got %+v, want times to remember: %v", want, next.State, inGap)
		}
		task.StartAt, task.DueAt, task.RemindAt, state = next.StartAt, next.DueAt, next.RemindAt, next.State
	}
}

func TestAGapDoesNotMoveTheStartBehindTheDueDate(t *testing.T) {
	task := recurring(t, "FREQ=DAILY", "2027-03-27T02:30:00+01:00", "2027-03-27T03:10:00+01:00", "")
	var state State
	for _, want := range []answerTimes{{"2027-03-28T03:30", "2027-03-28T03:30", ""}, {"2027-03-29T02:30", "2027-03-29T03:10", ""}} {
		next, _, err := SuccessorAt(task, state, *at(t, "2027-03-01T07:00:00Z"))
		if err != nil || next.berlin(t) != want {
			t.Fatalf("got %+v, %v; want %+v", next.berlin(t), err, want)
		}
		task.StartAt, task.DueAt, state = next.StartAt, next.DueAt, next.State
	}
}

// In Toronto, the clocks went from 23:30 on 30 March 1919 to 0:30 on the next day.
func TestAGapOverMidnightKeepsTheDayOfTheRule(t *testing.T) {
	task := recurring(t, "FREQ=DAILY", "", "1919-03-29T23:45:00-05:00", "")
	task.Recurrence.Timezone = "America/Toronto"
	var state State
	for _, want := range []string{"1919-03-31T00:45:00-04:00", "1919-03-31T23:45:00-04:00"} {
		next, _, err := SuccessorAt(task, state, *at(t, "1919-03-01T07:00:00Z"))
		if err != nil || !next.DueAt.Equal(*at(t, want)) {
			t.Fatalf("got %v, %v; want %s", next.DueAt, err, want)
		}
		task.DueAt, state = next.DueAt, next.State
	}
}

func TestSuccessorNamesTheValueThatIsUnreadable(t *testing.T) {
	for want, change := range map[string]func(*events.TaskData){
		"recurrence.rrule":    func(d *events.TaskData) { d.Recurrence.RRule = "FREQ=HOURLY" },
		"recurrence.timezone": func(d *events.TaskData) { d.Recurrence.Timezone = "Mars/Olympus" },
		"recurrence.exdates":  func(d *events.TaskData) { d.Recurrence.ExDates = []string{"2027-02-30"} },
		"start_date":          func(d *events.TaskData) { d.StartDate = "soon" },
		"due_date":            func(d *events.TaskData) { d.DueDate = "2027-3-1" },
	} {
		task := recurring(t, "FREQ=DAILY", "", "2027-03-01", "")
		change(&task)
		_, ok, err := SuccessorOf(task, time.Now())
		_, err2 := Occurrences(task, State{}, time.Time{}, 1)
		_, err3 := Ends(task, State{})
		for _, err := range []error{err, err2, err3, CheckOccurs(task)} {
			if ok || err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, %v; want an error of %s", ok, err, want)
			}
		}
	}
	if _, _, err := SuccessorOf(recurring(t, "FREQ=HOURLY", "", "2027-03-01", ""), time.Now()); !errors.Is(err, ErrInvalid) {
		t.Errorf("a rule outside of the subset: got %v, want ErrInvalid", err)
	}
	for name, task := range map[string]events.TaskData{"no rule": {DueDate: "2027-03-01"}, "no date": recurring(t, "FREQ=DAILY", "", "", "")} {
		if _, ok, err := SuccessorOf(task, time.Now()); ok || err != nil {
			t.Errorf("%s: got %v, %v; want no successor", name, ok, err)
		}
	}
}

// A rule that was stored before such rules were refused ends its series.
func TestAStoredRuleThatNeverOccursHasNoSuccessor(t *testing.T) {
	task := recurring(t, "FREQ=DAILY;INTERVAL=7;BYDAY=MO", "", "2027-03-02", "")
	if _, ok, err := SuccessorOf(task, *at(t, "2027-03-01T07:00:00Z")); ok || err != nil {
		t.Errorf("got %v, %v; want no successor", ok, err)
	}
}

func TestTimesEndWithTheYear9999(t *testing.T) {
	for _, tc := range []struct {
		start, due, remind string
		want               bool
	}{
		{"", "9999-12-30", "", true},
		{"", "9999-12-31", "", false},
		{"", "9999-12-29T23:00:00Z", "", true},
		{"", "9999-12-30T23:00:00Z", "", false},
		{"9999-12-20", "9999-12-31", "", false},
		{"", "9999-12-30", "9999-12-31T08:00:00Z", false},
	} {
		task := recurring(t, "FREQ=DAILY", tc.start, tc.due, tc.remind)
		task.Recurrence.Timezone = "America/New_York"
		got, ok, err := SuccessorOf(task, *at(t, "2027-03-01T07:00:00Z"))
		if ok != tc.want || err != nil || got.DueAt != nil && got.DueAt.Year() > lastYear {
			t.Errorf("%+v: got %+v, %v, %v; want a successor: %v", tc, got, ok, err, tc.want)
		}
	}
}
