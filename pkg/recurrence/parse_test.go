package recurrence

import (
	"errors"
	"strings"
	"testing"
)

func TestParseAcceptsTheSubset(t *testing.T) {
	for _, text := range []string{
		"FREQ=DAILY", "freq=weekly;byday=mo,th", "FREQ=DAILY;INTERVAL=1000", "FREQ=DAILY;COUNT=10000",
		"FREQ=WEEKLY;WKST=SU;INTERVAL=2;BYDAY=SA,SU", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYDAY=-1FR",
		"FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
		"FREQ=YEARLY;BYDAY=53MO", "FREQ=YEARLY;BYYEARDAY=366", "FREQ=YEARLY;BYYEARDAY=-1", "FREQ=DAILY;UNTIL=20301231",
		"FREQ=DAILY;UNTIL=20301231T120000Z", "FREQ=DAILY;UNTIL=20301231T120000", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29",
		"FREQ=DAILY;INTERVAL=7;BYDAY=MO",
	} {
		if _, err := Parse(text); err != nil {
			t.Errorf("Parse(%q): got %v, want a rule", text, err)
		}
	}
}

func TestParseNamesTheRefusedPartAndTheReason(t *testing.T) {
	for _, tc := range []struct{ text, part, says string }{
		{"", "", "empty"},
		{"RRULE:FREQ=DAILY", "", "without RRULE:"},
		{"DTSTART:20200101\nRRULE:FREQ=DAILY", "", "without RRULE:"},
		{"FREQ", "", "parts like"},
		{"FREQ=DAILY;", "", "parts like"},
		{"INTERVAL=2", "FREQ", "missing"},
		{"FREQ=HOURLY", "FREQ", "more often than daily"},
		{"FREQ=MINUTELY;INTERVAL=60;BYMINUTE=1", "FREQ", "more often than daily"},
		{"FREQ=SECONDLY", "FREQ", "more often than daily"},
		{"FREQ=FORTNIGHTLY", "FREQ", "must be"},
		{"FREQ=DAILY;FREQ=DAILY", "FREQ", "twice"},
		{"FREQ=DAILY;INTERVAL=0", "INTERVAL", "1 to 1000"},
		{"FREQ=DAILY;INTERVAL=1001", "INTERVAL", "1 to 1000"},
		{"FREQ=DAILY;INTERVAL=9223372036854775807", "INTERVAL", "1 to 1000"},
		{"FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL", "1 to 1000"},
		{"FREQ=DAILY;COUNT=0", "COUNT", "1 to 10000"},
		{"FREQ=DAILY;COUNT=10001", "COUNT", "1 to 10000"},
		{"FREQ=DAILY;COUNT=2;UNTIL=20300101", "COUNT", "exclude"},
		{"FREQ=DAILY;UNTIL=tomorrow", "UNTIL", "must be"},
		{"FREQ=DAILY;BYHOUR=5", "BYHOUR", "time of day"},
		{"FREQ=DAILY;BYMINUTE=5", "BYMINUTE", "time of day"},
		{"FREQ=DAILY;BYSECOND=5", "BYSECOND", "time of day"},
		{"FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO", "not supported"},
		{"FREQ=YEARLY;BYEASTER=0", "", "does not know"},
		{"FREQ=DAILY;X-FOO=1", "", "does not know"},
		{"FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY", "WEEKLY"},
		{"FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY", "YEARLY"},
		{"FREQ=WEEKLY;BYDAY=2MO", "BYDAY", "MONTHLY"},
		{"FREQ=MONTHLY;BYDAY=6MO", "BYDAY", "fifth"},
		{"FREQ=YEARLY;BYMONTH=2;BYDAY=6MO", "BYDAY", "fifth"},
		{"FREQ=YEARLY;BYDAY=54MO", "BYDAY", "weekdays like"},
		{"FREQ=MONTHLY;BYDAY=0MO", "BYDAY", "weekdays like"},
		{"FREQ=WEEKLY;BYDAY=XX", "BYDAY", "weekdays like"},
		{"FREQ=WEEKLY;BYDAY=", "", "parts like"},
		{"FREQ=WEEKLY;BYDAY=MO,", "BYDAY", "weekdays like"},
		{"FREQ=WEEKLY;WKST=X", "WKST", "one of"},
		{"FREQ=YEARLY;BYMONTH=13", "BYMONTH", "1 to 12"},
		{"FREQ=YEARLY;BYMONTH=-1", "BYMONTH", "1 to 12"},
		{"FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY", "1 to 31"},
		{"FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY", "1 to 31"},
		{"FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS", "another BY part"},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "", "any calendar"},
		{"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "", "any calendar"},
		{"FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31", "", "any calendar"},
		{"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "", "any calendar"},
		{"FREQ=DAILY;BYMONTHDAY=" + strings.Repeat("1,", 300) + "1", "", "characters"},
	} {
		_, err := Parse(tc.text)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrInvalid) {
			t.Errorf("Parse(%.60q): got %v, want an *Error", tc.text, err)
			continue
		}
		if e.Part != tc.part || !strings.Contains(e.Reason, tc.says) {
			t.Errorf("Parse(%.60q): got %q %q, want part %q and a reason with %q", tc.text, e.Part, e.Reason, tc.part, tc.says)
		}
	}
}
