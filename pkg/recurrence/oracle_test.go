package recurrence

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/teambition/rrule-go"
	"pgregory.net/rapid"
)

// part draws ";NAME=v1,v2" or the empty string.
func part(t *rapid.T, name string, values *rapid.Generator[string], chance int) string {
	if rapid.IntRange(0, 99).Draw(t, name+"?") >= chance {
		return ""
	}
	list := rapid.SliceOfNDistinct(values, 1, 4, rapid.ID[string]).Draw(t, name)
	return ";" + name + "=" + strings.Join(list, ",")
}

func signed(hi int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(1, hi).Draw(t, "n")
		if rapid.Bool().Draw(t, "from the end") {
			n = -n
		}
		return fmt.Sprint(n)
	})
}

// rules draws rules of the subset, without COUNT and UNTIL.
func rules(t *rapid.T) (string, bool) {
	freq := rapid.SampledFrom([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}).Draw(t, "freq")
	rule := "FREQ=" + freq
	if rapid.Bool().Draw(t, "interval?") {
		rule += fmt.Sprintf(";INTERVAL=%d", rapid.IntRange(1, 12).Draw(t, "interval"))
	}
	month := part(t, "BYMONTH", rapid.Map(rapid.IntRange(1, 12), func(n int) string { return fmt.Sprint(n) }), 30)
	rule += month
	if freq != "WEEKLY" {
		rule += part(t, "BYMONTHDAY", signed(31), 30)
	}
	if freq == "YEARLY" {
		rule += part(t, "BYYEARDAY", signed(366), 15)
	}
	weekday := rapid.SampledFrom(weekdays)
	byDay := weekday
	if freq == "MONTHLY" || freq == "YEARLY" {
		// Either all or none have a number. For a mix, rrule-go requires that a day matches both kinds; RFC 5545 either.
		if rapid.Bool().Draw(t, "numbered") {
			byDay = rapid.Custom(func(t *rapid.T) string { return signed(5).Draw(t, "n") + weekday.Draw(t, "day") })
		}
	}
	rule += part(t, "BYDAY", byDay, 40)
	if strings.Contains(rule, "BY") {
		rule += part(t, "BYSETPOS", signed(4), 20)
	}
	if rapid.Bool().Draw(t, "wkst?") {
		rule += ";WKST=" + weekday.Draw(t, "wkst")
	}
	_, err := Parse(rule)
	return rule, err == nil
}

// TestAgreesWithAnIndependentImplementation compares Next with rrule-go over years of dates. rrule-go ignores the days of the
// first week before DTSTART, so for a WEEKLY rule the test starts it on the first day of the week and names the weekday.
func TestAgreesWithAnIndependentImplementation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, ok := rules(t)
		if !ok {
			t.Skip("a rule that never occurs")
		}
		start := newDate(1990, 1, 1) + date(rapid.IntRange(0, 60*366).Draw(t, "start"))
		r, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := newWalk(r.pattern(start, false), start, start).date()
		if !ok {
			return // the library would search to the year 9999
		}
		option, err := rrule.StrToROption(text)
		if err != nil {
			t.Fatalf("the library refuses %s: %v", text, err)
		}
		option.Dtstart = start.midnight()
		if r.freq == weekly {
			if len(r.byDay) == 0 {
				option.Byweekday = []rrule.Weekday{[]rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}[start.weekday()]}
			}
			p := r.pattern(start, false)
			option.Dtstart = p.first(p.number(start)).midnight()
		}
		lib, err := rrule.NewRRule(*option)
		if err != nil {
			t.Fatalf("the library refuses %s: %v", text, err)
		}
		if want := lib.After(start.midnight(), false); !want.Equal(got.midnight()) {
			t.Fatalf("%s after %s: got %s, want %s", text, start, got, want.Format(time.DateOnly))
		}
	})
}

// TestNextIsLaterAndKeepsTheTimeOfDay checks the promises of place for any rule, zone and instant.
func TestNextIsLaterAndKeepsTheTimeOfDay(t *testing.T) {
	names := []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "Africa/Casablanca", "America/Santiago"}
	zones := map[string]*time.Location{}
	for _, n := range names {
		zones[n] = zone(t, n)
	}
	rapid.Check(t, func(t *rapid.T) {
		text, ok := rules(t)
		if !ok {
			t.Skip("a rule that never occurs")
		}
		loc := zones[rapid.SampledFrom(names).Draw(t, "zone")]
		at := time.Unix(rapid.Int64Range(900_000_000, 2_500_000_000).Draw(t, "at"), 0)
		r, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		next, ok := Next(r, events.AnchorSchedule, loc, Occurrence{No: 7, At: at}, at)
		if !ok {
			return
		}
		if !next.At.After(at) || next.No != 8 {
			t.Fatalf("%s: got %v no %d, want later than %v and no 8", text, next.At, next.No, at)
		}
		was, is := Clock(at, loc), Clock(next.At, loc)
		if is == was {
			// Of two instants with the same wall-clock time, the first must be used.
			if earlier := next.At.Add(-time.Hour); Clock(earlier, loc) == is && dateOf(earlier, loc) == dateOf(next.At, loc) {
				t.Fatalf("%s: got %v, the second of two", text, next.At.In(loc))
			}
			return
		}
		// The time of day may differ only if that day has a gap, and then by the length of the gap.
		_, before := next.At.Add(-3 * time.Hour).In(loc).Zone()
		_, after := next.At.Add(3 * time.Hour).In(loc).Zone()
		if gap := seconds(after - before); gap <= 0 || is-was != gap {
			t.Fatalf("%s in %v: got clock %v for %v with a gap of %v", text, loc, is, was, gap)
		}
	})
}

func BenchmarkParseOfARuleThatNeverOccurs(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"); err == nil {
			b.Fatal("parsed")
		}
	}
}
