package phrase

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEachLanguageNamesTheCalendar checks that no language lacks a weekday, a month or a unit. Japanese has whole phrases only.
func TestEachLanguageNamesTheCalendar(t *testing.T) {
	wanted := []meaning{{every, 0}, {and, 0}, {starting, 0}, {until, 0}, {relative, 0}, {relative, 1}, {noDate, 0}, {ofMonth, 0}, {ordinal, -1}}
	for u := Hours; u <= Years; u++ {
		wanted = append(wanted, meaning{unit, int(u)})
	}
	for day := range 7 {
		wanted = append(wanted, meaning{weekday, day})
	}
	for m := range 12 {
		wanted = append(wanted, meaning{month, m + 1})
	}
	for code, words := range lexicons {
		if code == "ja" {
			continue
		}
		for _, m := range wanted {
			found := false
			for _, list := range words {
				found = found || slices.Contains(list, m)
			}
			if !found {
				t.Errorf("%s has no word for %v", code, m)
			}
		}
	}
}

func TestNoKeyHasMoreWordsThanAreTried(t *testing.T) {
	for code, words := range lexicons {
		for key := range words {
			if n := len(strings.Fields(key)); n < 1 || n > longest {
				t.Errorf("%s: %q has %d words, want 1 to %d", code, key, n, longest)
			}
		}
	}
}

func TestEachLanguageReadsItsWeekdaysAndMonths(t *testing.T) {
	for code, words := range lexicons {
		for key, list := range words {
			for _, m := range list {
				if m.kind == weekday {
					spec, err := Parse(key, code)
					if err != nil || spec.Rule == nil && spec.Day.week != time.Weekday(m.n) {
						t.Errorf("%s: %q: got %+v, %v; want weekday %d", code, key, spec, err, m.n)
					}
				}
				if m.kind == month {
					spec, err := Parse("27 "+key+" 2027", code)
					if err != nil || spec.Day.date != civil(2027, time.Month(m.n), 27) {
						t.Errorf("%s: 27 %s 2027: got %+v, %v; want month %d", code, key, spec.Day, err, m.n)
					}
				}
			}
		}
	}
}

func TestASpanEndsOnTheLastDayOfAShorterMonth(t *testing.T) {
	for _, tc := range []struct {
		span Span
		want time.Time
	}{
		{Span{1, Months}, civil(2027, time.February, 28)}, {Span{2, Months}, civil(2027, time.March, 31)}, {Span{-1, Months}, civil(2026, time.December, 31)},
		{Span{1, Quarters}, civil(2027, time.April, 30)}, {Span{1, Years}, civil(2028, time.January, 31)}, {Span{2, Weeks}, civil(2027, time.February, 14)},
		{Span{-3, Days}, civil(2027, time.January, 28)},
	} {
		if got := tc.span.From(civil(2027, time.January, 31)); !got.Equal(tc.want) {
			t.Errorf("%+v from 31 January 2027: got %s, want %s", tc.span, got, tc.want)
		}
	}
}
