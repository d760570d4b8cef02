package recurrence

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// stepBudget bounds how many periods and days are looked at to check a rule or to step it once. A step takes about 25 ns, one over
// a week 65 ns, so this is below 10 ms of CPU. A rule that never occurs takes fewer than 30,000.
//
// The most are needed to pass over what a DAILY rule with a rare day missed from year 1900 to 9999: two for each of the 97,200
// months (before and after the day), one for each of MaxCount dates, and 840 to list the days of all kinds of months.
const stepBudget = 210_000

// stepsOf runs f with a counter for the rule and fails if f takes more than the budget.
func stepsOf(t testing.TB, what string, counter *int, f func()) {
	t.Helper()
	*counter = 0
	f()
	if *counter > stepBudget {
		t.Errorf("%s: looked at %d periods and days, want at most %d", what, *counter, stepBudget)
	}
}

// expensive are rules that take many steps to check or to step.
var expensive = []string{
	"FREQ=DAILY;INTERVAL=7;BYDAY=MO",
	"FREQ=DAILY;INTERVAL=9;BYMONTHDAY=-18;COUNT=10000",
	"FREQ=DAILY;INTERVAL=10;BYMONTHDAY=11",
	"FREQ=DAILY;INTERVAL=20;BYMONTH=2;BYMONTHDAY=29;BYDAY=WE",
	"FREQ=DAILY;INTERVAL=189;BYMONTHDAY=31;BYDAY=TU",
	"FREQ=DAILY;INTERVAL=364;BYDAY=TU;BYMONTH=1,2,3,4,5,6,7,8,9,10,11",
	"FREQ=DAILY;INTERVAL=773;BYMONTHDAY=-20,-19,25,-27,-23,6,-13;BYDAY=TH",
	"FREQ=DAILY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29",
	"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
	"FREQ=WEEKLY;INTERVAL=9;BYMONTH=5,1,10;COUNT=10000",
	"FREQ=WEEKLY;INTERVAL=773;BYMONTH=4,6,11,9,1",
	"FREQ=WEEKLY;INTERVAL=1000;BYMONTH=2;BYDAY=MO,TU;BYSETPOS=2",
	"FREQ=WEEKLY;BYDAY=MO,TU,WE;BYSETPOS=4",
	"FREQ=MONTHLY;INTERVAL=12;BYMONTH=3",
	"FREQ=MONTHLY;BYMONTHDAY=5,-21,-25;BYDAY=-3TU,-3TH,-4SU,-3WE,5FR;BYSETPOS=3;COUNT=10000",
	"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
	"FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
	"FREQ=YEARLY;INTERVAL=1000;BYDAY=53MO",
	"FREQ=YEARLY;BYMONTHDAY=-31;BYYEARDAY=-104;BYSETPOS=366",
}

// FuzzParse looks for a text that Parse is slow for, or refuses without a reason.
func FuzzParse(f *testing.F) {
	for _, rule := range expensive {
		f.Add(rule)
	}
	f.Add("freq=monthly;byday=-1fr;count=3")
	f.Fuzz(func(t *testing.T, text string) {
		steps := 0
		stepsOf(t, "Parse("+text+")", &steps, func() {
			if _, err := parse(text, &steps); err != nil && !errors.Is(err, ErrInvalid) {
				t.Errorf("Parse(%q): got %v, want an *Error", text, err)
			}
		})
	})
}

// FuzzNext looks for a rule that is slow to step or to check, and for a successor that is not later than the task.
func FuzzNext(f *testing.F) {
	for _, rule := range expensive {
		for _, late := range []int{-400, 0, 40_000, 2_900_000} {
			f.Add(rule, 10_000, late, true, false)
			f.Add(rule, 10_001, late, false, late == 0)
		}
	}
	f.Fuzz(func(t *testing.T, text string, day, late int, schedule, all bool) {
		steps := 0
		rule, err := parse(text, &steps)
		if err != nil {
			return
		}
		due := newDate(1900, time.January, 1) + date(modulo(day, 200*366))
		s := series{rule: rule, anchor: events.AnchorCompletion, catchUp: events.CatchUpNext, zone: time.UTC, no: 1, ruleNo: 1, due: moment{given: true, day: due}}
		if schedule {
			s.anchor = events.AnchorSchedule
		}
		if all {
			s.catchUp = events.CatchUpAll
		}
		done := min(max(due+date(late%3_000_000), newDate(1, time.January, 1)), lastDate)
		what := string(s.anchor) + " " + text + " from " + due.String() + " done " + done.String()
		stepsOf(t, "step "+what, &steps, func() {
			path := s.from(done)
			next, ok := path.next(done.midnight())
			if ok && (next <= due || !schedule && next <= done || schedule && !all && next < done || path.elapsed < 1) {
				t.Errorf("%s: got %s after %d dates, want a later one", what, next, path.elapsed)
			}
		})
		stepsOf(t, "check "+what, &steps, func() { _ = s.checkOccurs() })
	})
}

// TestTheLongestCatchUpsStayInTheBudget steps rules whose dates are so rare that fewer than MaxCount of them are between a task of
// the year 1900 and the year 9999: the steps of such a rule are not cut short by a jump.
func TestTheLongestCatchUpsStayInTheBudget(t *testing.T) {
	first := newDate(1900, time.January, 1)
	for interval := 6; interval <= 32; interval++ {
		for _, days := range []string{
			"BYMONTHDAY=1", "BYMONTHDAY=11", "BYMONTHDAY=-1", "BYMONTHDAY=-18", "BYMONTHDAY=1,16", "BYMONTHDAY=1,11,21",
			"BYDAY=TU", "BYDAY=TU;BYMONTHDAY=1,2,3,4,5,6,7", "BYDAY=MO,FR;BYMONTHDAY=-2,-1,1,2", "BYMONTH=2,4,6,8,10,12;BYMONTHDAY=11",
		} {
			text := fmt.Sprintf("FREQ=DAILY;INTERVAL=%d;%s", interval, days)
			steps := 0
			rule, err := parse(text, &steps)
			if err != nil {
				continue // it may never occur
			}
			due := moment{given: true, day: first}
			s := series{rule: rule, anchor: events.AnchorSchedule, catchUp: events.CatchUpNext, zone: time.UTC, no: 1, ruleNo: 1, due: due}
			stepsOf(t, text, &steps, func() { s.from(lastDate).next(lastDate.midnight()) })
		}
	}
}

func BenchmarkStepOfARuleThatNeverOccurs(b *testing.B) {
	rule := mustParse(b, "FREQ=DAILY;INTERVAL=364;BYDAY=TU;BYMONTH=1,2,3,4,5,6,7,8,9,10,11")
	for b.Loop() {
		if _, ok := Next(rule, events.AnchorSchedule, time.UTC, Occurrence{No: 1, Date: "2027-03-01"}, time.Time{}); ok {
			b.Fatal("occurred")
		}
	}
}

func BenchmarkCatchUpTo9999(b *testing.B) {
	rule := mustParse(b, "FREQ=DAILY;INTERVAL=9;BYMONTHDAY=-18;COUNT=10000")
	for b.Loop() {
		Next(rule, events.AnchorSchedule, time.UTC, Occurrence{No: 1, Date: "2027-03-01"}, lastDate.midnight())
	}
}
