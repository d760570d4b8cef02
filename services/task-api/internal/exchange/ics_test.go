package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// berlin is the account of the tests below, on 27 November 2026.
var berlin = Options{Zone: "Europe/Berlin", Now: time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)}

// todo returns a VTODO with the properties.
func todo(properties ...string) string {
	return "BEGIN:VTODO\n" + strings.Join(properties, "\n") + "\nEND:VTODO\n"
}

// readTodos reads a calendar with the components. Each task is its fields in one map: those of the request, and source, series,
// occurrence, completed_at and notes. A refused or skipped entry has the member error.
func readTodos(t *testing.T, components ...string) (out []map[string]any) {
	t.Helper()
	reader, err := NewReader(ICS, strings.NewReader("BEGIN:VCALENDAR\n"+strings.Join(components, "")+"END:VCALENDAR\n"), berlin)
	if err != nil {
		t.Fatal(err)
	}
	for {
		item, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		task := map[string]any{}
		if err != nil {
			if task["error"] = err.Error(); errors.Is(err, ErrFile) {
				return append(out, task)
			}
		}
		for name, raw := range item.Fields {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			task[name] = v
		}
		task["source"], task["series"], task["occurrence"] = item.Source, item.Series, float64(item.Occurrence)
		if item.CompletedAt != nil {
			task["completed_at"] = instant(*item.CompletedAt)
		}
		var notes []string
		for _, n := range item.Notes {
			notes = append(notes, fmt.Sprintf("%s %s", n.Field, n.Reason))
		}
		task["notes"] = strings.Join(notes, "\n")
		if item.Pattern != nil {
			task["pattern"] = string(item.Pattern["title"]) + string(item.Pattern["start_at"]) + string(item.Pattern["due_at"])
		}
		out = append(out, task)
	}
}

// expect compares members of a task. A wanted text that begins with … has to be a part of the member.
func expect(t *testing.T, what string, got map[string]any, want map[string]any) {
	t.Helper()
	for name, w := range want {
		g := got[name]
		text, isText := w.(string)
		gotText, _ := g.(string)
		part, isPart := strings.CutPrefix(text, "…")
		if isText && isPart && strings.Contains(gotText, part) {
			continue
		}
		if fmt.Sprint(g) != fmt.Sprint(w) {
			t.Errorf("%s: %s is %v, want %v; all: %v", what, name, g, w, got)
		}
	}
}

// zone returns a VTIMEZONE. Each part is "STANDARD start from to rest…".
func zone(tzid string, parts ...string) string {
	var b strings.Builder
	b.WriteString("BEGIN:VTIMEZONE\nTZID:" + tzid + "\n")
	for _, part := range parts {
		f := strings.Fields(part)
		b.WriteString("BEGIN:" + f[0] + "\nDTSTART:" + f[1] + "\nTZOFFSETFROM:" + f[2] + "\nTZOFFSETTO:" + f[3] + "\n" + strings.Join(f[4:], "\n"))
		b.WriteString("\nEND:" + f[0] + "\n")
	}
	return b.String() + "END:VTIMEZONE\n"
}

var (
	// europe has the rules of the European Union, an hour east of UTC in winter.
	europe = []string{"DAYLIGHT 19700329T020000 +0100 +0200 RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "STANDARD 19701025T030000 +0200 +0100 RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"}
	// eastern has the rules of the eastern United States, with the days of the month.
	eastern = []string{"DAYLIGHT 20070311T020000 -0500 -0400 RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14", "STANDARD 20071104T020000 -0400 -0500 RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU"}
)

func TestZoneOfATimeIsThatOfItsDefinitionOrName(t *testing.T) {
	listed := []string{"DAYLIGHT 20260308T020000 -0500 -0400", "STANDARD 20261101T020000 -0400 -0500"}
	for _, tt := range []struct {
		name, tzid, definition, due, at, timezone, notes string
	}{
		{"a name of Windows", "W. Europe Standard Time", "", "20270701T120000", "2027-07-01T10:00:00Z", "Europe/Berlin", ""},
		{"a name in another case", "america/new_york", "", "20270701T120000", "2027-07-01T16:00:00Z", "America/New_York", ""},
		{"a name with a blank", "America/New York", "", "20270701T120000", "2027-07-01T16:00:00Z", "America/New_York", ""},
		{"a name with a prefix", "/mozilla.org/20050126_1/America/Argentina/Salta", "", "20270701T120000", "2027-07-01T15:00:00Z", "America/Argentina/Salta", ""},
		{"UTC of Microsoft", "tzone://Microsoft/Utc", "", "20270701T120000", "2027-07-01T12:00:00Z", "UTC", ""},
		{"an unknown name", "Mars", "", "20270701T120000", "2027-07-01T10:00:00Z", "<nil>", "…\"Mars\""},
		{"own rules", "Mine", zone("Mine", eastern...), "20270701T120000", "2027-07-01T16:00:00Z", "America/New_York", ""},
		{"own rules as those of the account", "Customized Time Zone", zone("Customized Time Zone", europe...), "20270701T120000", "2027-07-01T10:00:00Z", "Europe/Berlin", ""},
		{"UTC that is New York", "UTC", zone("UTC", eastern...), "20270701T120000", "2027-07-01T16:00:00Z", "America/New_York", "…which the file defines with the offsets of America/New_York"},
		{"a place with the rules of another", "Europe/London", zone("Europe/London", eastern...), "20270701T120000", "2027-07-01T16:00:00Z", "America/New_York", "…Europe/London"},
		{"a place whose standard time alone is defined", "Europe/Berlin", zone("Europe/Berlin", "STANDARD 19700101T000000 +0100 +0100"), "20270701T120000", "2027-07-01T10:00:00Z", "Europe/Berlin", ""},
		{"a place without rules", "Asia/Tokyo", zone("Asia/Tokyo"), "20270701T120000", "2027-07-01T03:00:00Z", "Asia/Tokyo", ""},
		{"changes of one year, in that year", "Mine", zone("Mine", listed...), "20260701T120000", "2026-07-01T16:00:00Z", "America/New_York", ""},
		{"changes of one year, later", "Mine", zone("Mine", listed...), "20270701T120000", "2027-07-01T16:00:00Z", "America/New_York", ""},
		{"one offset", "Mine", zone("Mine", "STANDARD 19700101T000000 +0530 +0530"), "20270701T120000", "2027-07-01T06:30:00Z", "Asia/Calcutta", ""},
		{"an offset that no zone has", "Mine", zone("Mine", "STANDARD 19700101T000000 +0517 +0517"), "20270701T120000", "2027-07-01T06:43:00Z", "<nil>", "…fits no IANA time zone"},
		{"rules that no zone has, in the gap", "Mine", zone("Mine", "STANDARD 20001001T020000 +0717 +0617 RRULE:FREQ=YEARLY", "DAYLIGHT 20000401T020000 +0617 +0717 RRULE:FREQ=YEARLY"), "20270401T023000", "2027-03-31T20:13:00Z", "<nil>", "…fits no"},
		{"rules that no zone has, the doubled hour", "Mine", zone("Mine", "STANDARD 20001001T020000 +0717 +0617 RRULE:FREQ=YEARLY", "DAYLIGHT 20000401T020000 +0617 +0717 RRULE:FREQ=YEARLY"), "20271001T013000", "2027-09-30T18:13:00Z", "<nil>", "…fits no"},
		{"a year before the rules that matter", "Mine", zone("Mine", "DAYLIGHT 19870405T020000 -0500 -0400 RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z", "STANDARD 19871025T020000 -0400 -0500 RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z", eastern[0], eastern[1]), "20050320T120000", "2005-03-20T17:00:00Z", "America/New_York", ""},
		{"a rule that is not one", "Asia/Tokyo", zone("Asia/Tokyo", "STANDARD 19700101T000000 +0100 +0100 RRULE:FREQ=NEVER"), "20270701T120000", "2027-07-01T03:00:00Z", "Asia/Tokyo", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			task := todo("SUMMARY:x", "DUE;TZID="+tt.tzid+":"+tt.due)
			for order, components := range map[string][]string{"definition first": {tt.definition, task}, "definition last": {task, tt.definition}} {
				got := readTodos(t, components...)
				if len(got) != 1 {
					t.Fatalf("%s: %v", order, got)
				}
				expect(t, order, got[0], map[string]any{"due_at": tt.at, "notes": tt.notes})
				if fmt.Sprint(got[0]["timezone"]) != tt.timezone {
					t.Errorf("%s: timezone %v, want %s", order, got[0]["timezone"], tt.timezone)
				}
			}
		})
	}
}

func TestDefinitionOfAZoneIsThatOfItsCalendar(t *testing.T) {
	task := todo("SUMMARY:x", "DUE;TZID=Mine:20270701T120000")
	got := readTodos(t, zone("Mine", eastern...), task, "END:VCALENDAR\nBEGIN:VCALENDAR\n", zone("Mine", europe...), task, "END:VCALENDAR\nBEGIN:VCALENDAR\n", task)
	var at []any
	for _, task := range got {
		at = append(at, task["due_at"])
	}
	if want := []any{"2027-07-01T16:00:00Z", "2027-07-01T10:00:00Z", "2027-07-01T10:00:00Z"}; !slices.Equal(at, want) {
		t.Errorf("got %v, want %v", at, want)
	}
}

func TestAlarmBecomesTheReminderThatItMeans(t *testing.T) {
	alarm := func(properties ...string) string {
		return "BEGIN:VALARM\n" + strings.Join(properties, "\n") + "\nEND:VALARM"
	}
	const start, due = "DTSTART;TZID=Europe/Berlin:20270328T080000", "DUE;TZID=Europe/Berlin:20270328T170000" // the day of the change
	for _, tt := range []struct {
		name       string
		properties []string
		remind     any
		notes      string
	}{
		{"a week before", []string{due, alarm("ACTION:DISPLAY", "TRIGGER;RELATED=END:-P1W")}, "2027-03-21T16:00:00Z", ""},
		{"a day and two hours before", []string{start, due, alarm("ACTION:DISPLAY", "TRIGGER:-P1DT2H")}, "2027-03-27T05:00:00Z", ""},
		{"24 hours before", []string{start, due, alarm("ACTION:DISPLAY", "TRIGGER:-PT24H")}, "2027-03-27T06:00:00Z", ""},
		{"after the due time", []string{due, alarm("ACTION:AUDIO", "TRIGGER:PT30M")}, "2027-03-28T15:30:00Z", ""},
		{"a day of the start", []string{"DTSTART;VALUE=DATE:20270326", "DUE;VALUE=DATE:20270328", alarm("ACTION:DISPLAY", "TRIGGER:-PT15H")}, "2027-03-25T08:00:00Z", ""},
		{"START and DURATION", []string{start, "DURATION:PT2H", alarm("ACTION:EMAIL", "TRIGGER;RELATED=END:PT0S")}, "2027-03-28T08:00:00Z", ""},
		{"an instant", []string{due, alarm("ACTION:DISPLAY", "TRIGGER;VALUE=DATE-TIME:20270320T080000Z")}, "2027-03-20T08:00:00Z", ""},
		{"no action", []string{due, alarm("TRIGGER:-PT1H")}, "2027-03-28T14:00:00Z", ""},
		{"an action of another program", []string{due, alarm("ACTION:X-FLASH", "TRIGGER:-PT1H")}, nil, "…X-FLASH"},
		{"no time at all", []string{due, alarm("ACTION:DISPLAY", "TRIGGER:soon")}, nil, "…TRIGGER is not a duration or a time"},
		{"the first of two", []string{due, alarm("ACTION:DISPLAY", "TRIGGER:-PT1H"), alarm("ACTION:DISPLAY", "TRIGGER:-PT5M")}, "2027-03-28T14:00:00Z", "…a task has one reminder"},
		{"the first is acknowledged", []string{due, alarm("ACTION:DISPLAY", "TRIGGER:-P1W", "ACKNOWLEDGED:20270321T160000Z"), alarm("ACTION:DISPLAY", "TRIGGER:-PT5M")}, "2027-03-28T14:55:00Z", "…acknowledged"},
		{"an earlier one was acknowledged", []string{due, alarm("ACTION:DISPLAY", "TRIGGER:-PT1H", "ACKNOWLEDGED:20261101T000000Z")}, "2027-03-28T14:00:00Z", ""},
		{"the alarm is repeated", []string{due, alarm("ACTION:DISPLAY", "TRIGGER:-PT1H", "REPEAT:2", "DURATION:PT5M")}, "2027-03-28T14:00:00Z", "…is repeated"},
		{"acknowledged, but the task recurs", []string{"DUE:20261120T080000Z", "RRULE:FREQ=WEEKLY", alarm("ACTION:DISPLAY", "TRIGGER:-PT1H", "ACKNOWLEDGED:20261120T070001Z")}, "2026-11-20T07:00:00Z", ""},
		{"the end of the alarm is missing", []string{due, "BEGIN:VALARM", "TRIGGER:-PT1H"}, "2027-03-28T14:00:00Z", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := readTodos(t, todo(append([]string{"SUMMARY:x"}, tt.properties...)...))
			expect(t, tt.name, got[0], map[string]any{"remind_at": tt.remind, "notes": tt.notes})
		})
	}
}

func TestRuleIsTakenWithoutLosingAPart(t *testing.T) {
	for _, tt := range []struct{ due, rrule, want, notes string }{
		{"DUE;VALUE=DATE:20270130", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=BACKWARD", "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", ""},
		{"DUE;VALUE=DATE:20280229", "FREQ=YEARLY;SKIP=BACKWARD;RSCALE=GREGORIAN", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1", ""},
		{"DUE;VALUE=DATE:20270115", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD", "FREQ=MONTHLY", ""},
		{"DUE;VALUE=DATE:20270131", "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD", "", "…SKIP=FORWARD is not supported"},
		{"DUE;VALUE=DATE:20270131", "RSCALE=HEBREW;FREQ=YEARLY", "", "…RSCALE=HEBREW is not supported"},
		{"DUE;VALUE=DATE:20270131", "RSCALE=GREGORIAN;FREQ=DAILY;SKIP=OMIT", "FREQ=DAILY", ""},
		{"DUE:20270131T080000Z", "FREQ=DAILY;BYHOUR=9;BYMINUTE=0", "FREQ=DAILY", ""}, // 9:00 in Berlin
		{"DUE:20270131T080000Z", "FREQ=DAILY;BYHOUR=8", "", "…BYHOUR"},
		{"DUE:20270131T080000Z", "FREQ=DAILY;BYHOUR=9,18", "", "…BYHOUR"},
		{"DUE:20270131T080000Z", "FREQ=DAILY;COUNT=3;UNTIL=20270303", "", "…exclude each other"},
		{"DUE:20270131T080000Z", "FREQ=DAILY;UNTIL=2027-03-01T08:00:00Z", "FREQ=DAILY;UNTIL=20270301T080000Z", ""},
		{"DUE:20270131T080000Z", "FREQ=DAILY;BYEASTER=1", "", "…does not know"},
		{"DUE:20270131T080000Z", "FREQ=DAILY;INTERVAL=1;X-A=1;X-B=2", "FREQ=DAILY", "…X-B=2"},
		{"DUE;VALUE=DATE:20270302", "FREQ=DAILY;INTERVAL=7;BYDAY=MO", "", "…never occurs"}, // from a Tuesday
	} {
		t.Run(tt.rrule, func(t *testing.T) {
			got := readTodos(t, todo("SUMMARY:x", tt.due, "RRULE:"+tt.rrule))[0]
			rule, _ := got["recurrence"].(map[string]any)
			if tt.want == "" && rule != nil || tt.want != "" && fmt.Sprint(rule["rrule"]) != tt.want {
				t.Errorf("got %v, want %q", rule, tt.want)
			}
			expect(t, tt.rrule, got, map[string]any{"notes": tt.notes})
			if tt.want == "" {
				expect(t, tt.rrule, got, map[string]any{"description": "…" + tt.rrule})
			}
		})
	}
}

func TestExceptionDatesAboveTheLimitAreReported(t *testing.T) {
	for _, extra := range []int{0, 1, 50} {
		var days []string
		for i := range events.MaxExDates + extra {
			days = append(days, time.Date(2027, 3, 2+i, 0, 0, 0, 0, time.UTC).Format("20060102"))
		}
		got := readTodos(t, todo("SUMMARY:x", "DUE;VALUE=DATE:20270301", "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:"+strings.Join(days, ",")))[0]
		kept := got["recurrence"].(map[string]any)["exdates"].([]any)
		reported := strings.Contains(got["notes"].(string), "EXDATE has more than 100 days")
		if len(kept) != events.MaxExDates || reported != (extra > 0) {
			t.Errorf("%d days: %d kept, reported %v", events.MaxExDates+extra, len(kept), reported)
		}
	}
}
