package domain

import (
	"testing"
	"time"
)

func TestDueFiltersAreParsed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]DueFilter{
		"today": {Word: "today"}, "tomorrow": {Word: "tomorrow"}, "this_week": {Word: "this_week"},
		"2030-01-31": {From: "2030-01-31", To: "2030-01-31"}, "2030-01-01..2030-01-31": {From: "2030-01-01", To: "2030-01-31"},
		"2030-01-01..": {From: "2030-01-01"}, "..2030-01-31": {To: "2030-01-31"}, "2030-01-31..2030-01-31": {From: "2030-01-31", To: "2030-01-31"},
		"1900-01-01..9998-12-31": {From: "1900-01-01", To: "9998-12-31"},
	} {
		if got, ok := ParseDue(text); !ok || got != want {
			t.Errorf("ParseDue(%s): got %+v %v, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "..", "Today", "yesterday", "overdue", "2030-02-30", "2030-1-1", "2030-01-31..2030-01-01", "2030-01-01...", "a..b", "1899-12-31..", "..9999-01-01",
		"2030-01-01T00:00:00Z", "2030-01-01..2030-01-02..2030-01-03", " today",
	} {
		if got, ok := ParseDue(text); ok {
			t.Errorf("ParseDue(%s): got %+v, want it refused", text, got)
		}
	}
}

func TestDueDaysAreOfTheUsersZone(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return t
	}
	for _, tc := range []struct {
		due, zone, now                 string
		wantFrom, wantTo, wantStart, e string
	}{
		{"today", "UTC", "2026-11-27T23:59:59Z", "2026-11-27", "2026-11-27", "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z"},
		{"today", "Asia/Tokyo", "2026-11-27T15:00:00Z", "2026-11-28", "2026-11-28", "2026-11-27T15:00:00Z", "2026-11-28T15:00:00Z"},
		{"today", "America/New_York", "2026-11-27T04:59:59Z", "2026-11-26", "2026-11-26", "2026-11-26T05:00:00Z", "2026-11-27T05:00:00Z"},
		{"tomorrow", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"this_week", "Europe/Berlin", "2026-11-29T22:59:59Z", "2026-11-23", "2026-11-29", "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z"}, // a Sunday
		{"this_week", "Europe/Berlin", "2026-11-29T23:00:00Z", "2026-11-30", "2026-12-06", "2026-11-29T23:00:00Z", "2026-12-06T23:00:00Z"}, // a Monday
		{"today", "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // begins at 01:00
		{"2026-12-01..", "UTC", "2026-11-27T00:00:00Z", "2026-12-01", "", "2026-12-01T00:00:00Z", ""},
		{"..2026-12-01", "UTC", "2026-11-27T00:00:00Z", "", "2026-12-01", "", "2026-12-02T00:00:00Z"},
	} {
		f, ok := ParseDue(tc.due)
		if !ok {
			t.Fatal(tc.due)
		}
		got, err := f.Days(at(tc.now), tc.zone)
		text := func(t *time.Time) string {
			if t == nil {
				return ""
			}
			return t.UTC().Format(time.RFC3339)
		}
		if err != nil || got.From != tc.wantFrom || got.To != tc.wantTo || text(got.Start) != tc.wantStart || text(got.End) != tc.e {
			t.Errorf("%s in %s at %s: got %s..%s, %s to %s, %v, want %+v", tc.due, tc.zone, tc.now, got.From, got.To, text(got.Start), text(got.End), err, tc)
		}
	}
}
