package recurrence

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// upcoming shows occurrences as "no: start - due", with the offset of an instant and what happened to its wall time.
func upcoming(t testing.TB, task events.TaskData, now time.Time, limit int) []string {
	t.Helper()
	list, err := Occurrences(task, State{}, now, limit)
	if err != nil {
		t.Fatal(err)
	}
	show := func(m Moment) string {
		text := m.Date
		if !m.At.IsZero() {
			text = m.At.Format("2006-01-02T15:04Z07:00")
		}
		if m.Gap > 0 {
			text += fmt.Sprint(" moved by ", m.Gap)
		}
		if m.Doubled {
			text += " doubled"
		}
		return text
	}
	var out []string
	for _, o := range list {
		out = append(out, fmt.Sprintf("%d: %s - %s", o.No, show(o.Start), show(o.Due)))
	}
	return out
}

func TestOccurrencesShowWhatFollowsTheTask(t *testing.T) {
	for _, tc := range []struct {
		name, rule, start, due string
		completion             bool
		now                    string
		want                   []string
	}{
		{"days", "FREQ=MONTHLY;BYMONTHDAY=-1", "", "2027-01-31", false, "", []string{"2:  - 2027-02-28", "3:  - 2027-03-31", "4:  - 2027-04-30"}},
		{"with a start", "FREQ=WEEKLY", "2027-01-31", "2027-02-02", false, "", []string{"2: 2027-02-07 - 2027-02-09", "3: 2027-02-14 - 2027-02-16", "4: 2027-02-21 - 2027-02-23"}},
		{"over the gap of March", "FREQ=DAILY", "", "2027-03-26T02:30:00+01:00", false, "", []string{"2:  - 2027-03-27T02:30+01:00", "3:  - 2027-03-28T03:30+02:00 moved by 1h0m0s", "4:  - 2027-03-29T02:30+02:00"}},
		{"over the doubled hour of October", "FREQ=DAILY", "", "2027-10-29T02:30:00+02:00", false, "", []string{"2:  - 2027-10-30T02:30+02:00", "3:  - 2027-10-31T02:30+02:00 doubled", "4:  - 2027-11-01T02:30+01:00"}},
		{"until the count", "FREQ=DAILY;COUNT=3", "", "2027-01-31", false, "", []string{"2:  - 2027-02-01", "3:  - 2027-02-02"}},
		{"none", "FREQ=DAILY;UNTIL=20270131", "", "2027-01-31", false, "", nil},
		{"overdue, from now on", "FREQ=WEEKLY", "", "2026-12-01", false, "2027-01-31T12:00:00Z", []string{"2:  - 2027-02-02", "3:  - 2027-02-09", "4:  - 2027-02-16"}},
		{"from completion to completion", "FREQ=MONTHLY", "", "2027-01-31", true, "", []string{"2:  - 2027-02-28", "3:  - 2027-03-28", "4:  - 2027-04-28"}},
		{"from completion, with a start", "FREQ=DAILY;INTERVAL=3", "2027-01-31", "2027-02-02", true, "", []string{"2: 2027-02-05 - 2027-02-07", "3: 2027-02-10 - 2027-02-12", "4: 2027-02-15 - 2027-02-17"}},
		{"from completion, overdue", "FREQ=DAILY;INTERVAL=3", "", "2027-01-31", true, "2027-02-10T12:00:00Z", []string{"2:  - 2027-02-13", "3:  - 2027-02-16", "4:  - 2027-02-19"}},
		{"from completion, counted", "FREQ=DAILY;COUNT=3", "", "2027-01-31", true, "", []string{"2:  - 2027-02-01", "3:  - 2027-02-02"}},
	} {
		task := recurring(t, tc.rule, tc.start, tc.due, "")
		if tc.completion {
			task.Recurrence.Anchor = events.AnchorCompletion
		}
		now := time.Time{}
		if tc.now != "" {
			now = *at(t, tc.now)
		}
		if got := upcoming(t, task, now, 3); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %s from %s: got %q, want %q", tc.name, tc.rule, tc.due, got, tc.want)
		}
	}
}

func TestOccurrencesAreThoseOfTheSuccessors(t *testing.T) {
	done := *at(t, "2027-03-20T12:00:00Z")
	for _, anchor := range events.Anchors() {
		task := recurring(t, "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU", "", "2027-03-06T02:30:00+01:00", "")
		task.Recurrence.Anchor, task.Recurrence.ExDates = anchor, []string{"2027-04-03"}
		list, err := Occurrences(task, State{}, done, 8)
		if err != nil || len(list) != 8 {
			t.Fatalf("%s: got %d occurrences, %v; want 8", anchor, len(list), err)
		}
		state := State{}
		for i, o := range list {
			next, ok, err := SuccessorAt(task, state, done)
			if !ok || err != nil || !next.DueAt.Equal(o.Due.At) || next.OccurrenceNo != o.No || next.State.RuleNo != o.RuleNo {
				t.Fatalf("%s, successor %d: got %+v, %v, %v; want %+v", anchor, i, next, ok, err, o)
			}
			task.DueAt, task.OccurrenceNo, state, done = next.DueAt, next.OccurrenceNo, next.State, *next.DueAt
		}
	}
}

func TestEndsReportsTheLastTaskOfASeries(t *testing.T) {
	for _, tc := range []struct {
		rule    string
		exdates []string
		anchor  events.Anchor
		want    bool
	}{
		{"FREQ=DAILY", nil, "", false},
		{"FREQ=DAILY;COUNT=1", nil, "", true},
		{"FREQ=DAILY;COUNT=2", nil, "", false},
		{"FREQ=DAILY;COUNT=2", []string{"2027-03-02"}, "", true},
		{"FREQ=DAILY;UNTIL=20270301", nil, "", true},
		{"FREQ=DAILY;UNTIL=20270302", nil, "", false},
		{"FREQ=DAILY;UNTIL=20270302", []string{"2027-03-02"}, "", true},
		{"FREQ=DAILY;INTERVAL=7;BYDAY=TU", nil, "", true},
		{"FREQ=DAILY;INTERVAL=3;UNTIL=20270304", nil, events.AnchorCompletion, false},
		{"FREQ=DAILY;INTERVAL=3;UNTIL=20270303", nil, events.AnchorCompletion, true},
	} {
		task := recurring(t, tc.rule, "", "2027-03-01", "")
		task.Recurrence.ExDates, task.Recurrence.Anchor = tc.exdates, tc.anchor
		if got, err := Ends(task, State{}); got != tc.want || err != nil {
			t.Errorf("%s %s, exdates %v: got %v, %v; want %v", tc.anchor, tc.rule, tc.exdates, got, err, tc.want)
		}
	}
	if got, err := Ends(events.TaskData{DueDate: "2027-03-01"}, State{}); got || err != nil {
		t.Errorf("a task without a rule: got %v, %v; want false", got, err)
	}
}

func TestCheckOccursRefusesRulesThatNeverCome(t *testing.T) {
	for _, tc := range []struct{ rule, start, due, next string }{
		{"FREQ=DAILY;INTERVAL=7;BYDAY=MO", "", "2027-03-02", ""},
		{"FREQ=DAILY;INTERVAL=7;BYDAY=MO", "", "2027-03-01", "2027-03-08"},
		{"FREQ=DAILY;INTERVAL=7;BYDAY=MO", "2027-03-01", "2027-03-02", "2027-03-09"},
		{"FREQ=DAILY;INTERVAL=7;BYDAY=MO", "2027-03-02", "2027-03-08", ""},
		{"FREQ=DAILY;INTERVAL=364;BYDAY=TU", "", "2027-03-01", ""},
		{"FREQ=DAILY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29", "", "2027-03-01", "6216-02-29"},
		{"FREQ=WEEKLY;INTERVAL=1000;BYDAY=MO;BYMONTH=2", "", "2027-03-01", "2142-02-26"},
		{"FREQ=MONTHLY;INTERVAL=12;BYMONTH=3", "", "2027-01-10", ""},
		{"FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31", "", "2027-02-10", ""},
		{"FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=30,29", "", "2027-02-10", "2028-02-29"},
		{"FREQ=MONTHLY;INTERVAL=3;BYMONTH=1,4", "", "2027-02-10", ""},
		{"FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "", "2027-02-28", ""},
		{"FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "", "2028-02-29", "2032-02-29"},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "", "2027-03-01", "2028-02-29"},
		{"FREQ=YEARLY;INTERVAL=1000", "", "9500-03-01", ""},
		{"FREQ=DAILY;COUNT=1", "", "2027-03-01", "2027-03-01"}, // it occurs once: the task itself
		{"FREQ=DAILY;UNTIL=20200101", "", "2027-03-01", "2027-03-01"},
	} {
		task := recurring(t, tc.rule, tc.start, tc.due, "")
		err := CheckOccurs(task)
		var refused *Error
		if (tc.next == "") != errors.As(err, &refused) {
			t.Errorf("%s from %s %s: got %v, want it refused: %v", tc.rule, tc.start, tc.due, err, tc.next == "")
		}
		if refused != nil && !strings.Contains(refused.Reason, "never occurs after "+cmp.Or(tc.start, tc.due)) {
			t.Errorf("%s from %s %s: got the reason %q, want it to name the day", tc.rule, tc.start, tc.due, refused.Reason)
		}
		if got, ok, _ := SuccessorOf(task, time.Time{}); ok && got.DueDate != tc.next {
			t.Errorf("%s from %s %s: got %s, want %s", tc.rule, tc.start, tc.due, got.DueDate, tc.next)
		}
	}
}

// With anchor "completion", nobody knows the day of completion when the rule is written.
func TestCheckOccursLooksAtEveryDayOfCompletion(t *testing.T) {
	for rule, want := range map[string]bool{
		"FREQ=DAILY;INTERVAL=7;BYDAY=MO":                            false,
		"FREQ=DAILY;INTERVAL=6;BYDAY=MO":                            true,
		"FREQ=DAILY;INTERVAL=7;BYDAY=MO,TU,WE,TH,FR,SA,SU":          true,
		"FREQ=DAILY;INTERVAL=773;BYMONTH=1;BYMONTHDAY=1":            false,
		"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO":                           true,
		"FREQ=WEEKLY;INTERVAL=52;BYMONTH=2":                         true,
		"FREQ=WEEKLY;INTERVAL=773;BYMONTH=2;BYDAY=MO":               true,
		"FREQ=WEEKLY;INTERVAL=773;BYMONTH=2;BYDAY=MO,TU;BYSETPOS=3": false,
		"FREQ=MONTHLY;INTERVAL=12;BYMONTH=3":                        false,
		"FREQ=MONTHLY;INTERVAL=12":                                  true,
		"FREQ=MONTHLY;INTERVAL=5;BYMONTH=3":                         true,
		"FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31":                    false,
		"FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29":            false,
		"FREQ=YEARLY;INTERVAL=3;BYMONTH=2;BYMONTHDAY=29":            true,
		"FREQ=YEARLY;INTERVAL=4;BYMONTH=2":                          true,
	} {
		task := recurring(t, rule, "", "2027-02-22", "")
		task.Recurrence.Anchor = events.AnchorCompletion
		if err := CheckOccurs(task); (err == nil) != want || err != nil && !errors.Is(err, ErrInvalid) { // Parse may refuse it first
			t.Errorf("%s: got %v, want it accepted: %v", rule, err, want)
		}
	}
}
