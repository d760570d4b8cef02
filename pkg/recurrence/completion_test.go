package recurrence

import (
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// TestCompletionGivesALaterDay lists when a task with anchor "completion" comes again: always on a day that is later than the one
// that was due and than the one on which it was done.
func TestCompletionGivesALaterDay(t *testing.T) {
	for _, tc := range []struct{ name, rule, due, done, want string }{
		{"done before its day", "FREQ=WEEKLY;BYDAY=MO", "2027-03-01", "2027-02-27", "2027-03-08"},
		{"done after its day", "FREQ=WEEKLY;BYDAY=MO", "2027-03-01", "2027-03-03", "2027-03-08"},
		{"done weeks late", "FREQ=WEEKLY;BYDAY=MO", "2027-03-01", "2027-03-24", "2027-03-29"},
		{"done late on a day of the rule", "FREQ=WEEKLY;BYDAY=MO", "2027-03-01", "2027-03-08", "2027-03-15"},
		{"the next day of the week", "FREQ=WEEKLY;BYDAY=MO,TH", "2027-03-01", "2027-03-01", "2027-03-04"},
		{"the last day of the week, done early", "FREQ=WEEKLY;BYDAY=MO,TH", "2027-03-04", "2027-03-02", "2027-03-08"},
		{"every second week, done early", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "2027-03-05", "2027-03-03", "2027-03-19"},
		{"every second week, done a week late", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "2027-03-05", "2027-03-09", "2027-03-26"},
		{"every second week, the rest of the week", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "2027-03-01", "2027-03-02", "2027-03-04"},
		{"every second week, a week late, from its first day", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "2027-03-01", "2027-03-09", "2027-03-22"},
		{"every second week, done months early", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "2027-03-05", "2027-01-05", "2027-03-19"},
		{"the week begins with WKST", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "2027-03-07", "2027-03-07", "2027-03-08"},
		{"the week begins on Monday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO", "2027-03-07", "2027-03-07", "2027-03-15"},
		{"every third month, done early", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15", "2027-03-15", "2027-03-10", "2027-06-15"},
		{"every third month, on the day", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15", "2027-03-15", "2027-03-15", "2027-06-15"},
		{"every third month, days late", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15", "2027-03-15", "2027-03-20", "2027-06-15"},
		{"every third month, months late", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15", "2027-03-15", "2027-05-02", "2027-08-15"},
		{"every third month, months early", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15", "2027-09-15", "2027-03-02", "2027-12-15"},
		{"every third month, the rest of the month", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1,15", "2027-03-01", "2027-03-05", "2027-03-15"},
		{"a month without the day is passed over", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=31", "2027-03-31", "2027-03-31", "2027-12-31"},
		{"the last Friday", "FREQ=MONTHLY;BYDAY=-1FR", "2027-03-26", "2027-03-20", "2027-04-30"},
		{"once a year, done early", "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=1", "2027-04-01", "2027-03-15", "2028-04-01"},
		{"once a year, done late", "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=1", "2027-04-01", "2027-06-15", "2028-04-01"},
		{"every second year, done a year late", "FREQ=YEARLY;INTERVAL=2;BYMONTH=4;BYMONTHDAY=1", "2027-04-01", "2028-02-15", "2030-04-01"},
		{"a month of the year has the day of the task", "FREQ=YEARLY;BYMONTH=4", "2027-04-10", "2027-03-15", "2028-04-10"},
		{"every second day, if it is a weekday", "FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR", "2027-03-04", "2027-03-04", "2027-03-08"},
		{"an interval from the completion", "FREQ=MONTHLY;INTERVAL=3", "2027-03-15", "2027-03-10", "2027-06-10"},
		{"an interval of days", "FREQ=DAILY;INTERVAL=3", "2027-03-01", "2027-03-10", "2027-03-13"},
		{"an interval that ends on the day just done", "FREQ=DAILY;INTERVAL=3", "2027-03-04", "2027-03-01", "2027-03-07"},
		{"an interval that ends before the day just done", "FREQ=WEEKLY", "2027-03-20", "2027-03-01", "2027-03-22"},
		{"an interval of months has the last day", "FREQ=MONTHLY", "2027-01-31", "2027-01-31", "2027-02-28"},
		{"an interval of years has the last day", "FREQ=YEARLY", "2028-02-29", "2028-02-29", "2029-02-28"},
		{"an interval within months of the year", "FREQ=MONTHLY;BYMONTH=4,7", "2027-04-10", "2027-04-20", "2027-07-20"},
	} {
		done, err := time.Parse(time.DateOnly, tc.done)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := Next(mustParse(t, tc.rule), events.AnchorCompletion, time.UTC, Occurrence{No: 1, Date: tc.due}, done.Add(12*time.Hour))
		if !ok || got.Date != tc.want || got.No != 2 {
			t.Errorf("%s: %s due %s done %s: got %q no %d, want %q no 2", tc.name, tc.rule, tc.due, tc.done, got.Date, got.No, tc.want)
		}
	}
}
