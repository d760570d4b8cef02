package recurrence

import (
	"testing"
	"time"
)

func TestAWallTimeIsOneInstant(t *testing.T) {
	for _, tc := range []struct {
		name, zone, wall, want string
		gap                    time.Duration
		doubled                bool
	}{
		{"usual", "Europe/Berlin", "2027-03-27T02:30:00", "2027-03-27T02:30:00+01:00", 0, false},
		{"in a gap", "Europe/Berlin", "2027-03-28T02:30:00", "2027-03-28T03:30:00+02:00", time.Hour, false},
		{"the start of a gap", "Europe/Berlin", "2027-03-28T02:00:00", "2027-03-28T03:00:00+02:00", time.Hour, false},
		{"before a gap", "Europe/Berlin", "2027-03-28T01:59:59", "2027-03-28T01:59:59+01:00", 0, false},
		{"after a gap", "Europe/Berlin", "2027-03-28T03:00:00", "2027-03-28T03:00:00+02:00", 0, false},
		{"doubled", "Europe/Berlin", "2027-10-31T02:30:00", "2027-10-31T02:30:00+02:00", 0, true},
		{"the start of the doubled hour", "Europe/Berlin", "2027-10-31T02:00:00", "2027-10-31T02:00:00+02:00", 0, true},
		{"before the doubled hour", "Europe/Berlin", "2027-10-31T01:59:59", "2027-10-31T01:59:59+02:00", 0, false},
		{"after the doubled hour", "Europe/Berlin", "2027-10-31T03:00:00", "2027-10-31T03:00:00+01:00", 0, false},
		{"half an hour doubled", "Australia/Lord_Howe", "2027-04-04T01:45:00", "2027-04-04T01:45:00+11:00", 0, true},
		{"a gap at midnight", "America/Havana", "2027-03-14T00:00:00", "2027-03-14T01:00:00-04:00", time.Hour, false},
		{"a gap over midnight", "America/Toronto", "1919-03-30T23:45:00", "1919-03-31T00:45:00-04:00", time.Hour, false},
		{"a day that a zone skipped", "Pacific/Apia", "2011-12-30T09:00:00", "2011-12-31T09:00:00+14:00", 24 * time.Hour, false},
		{"far from UTC", "Pacific/Kiritimati", "2027-01-01T00:30:00", "2027-01-01T00:30:00+14:00", 0, false},
		{"UTC", "UTC", "2027-03-28T02:30:00", "2027-03-28T02:30:00Z", 0, false},
	} {
		wall, err := time.Parse("2006-01-02T15:04:05", tc.wall)
		if err != nil {
			t.Fatal(err)
		}
		got := AtWall(wall, zone(t, tc.zone))
		if got.At.Format(time.RFC3339) != tc.want || got.Gap != tc.gap || got.Doubled != tc.doubled {
			t.Errorf("%s: AtWall(%s, %s): got %s, gap %s, doubled %v; want %s, gap %s, doubled %v", tc.name, tc.wall, tc.zone,
				got.At.Format(time.RFC3339), got.Gap, got.Doubled, tc.want, tc.gap, tc.doubled)
		}
	}
}

// TestAWallTimeIsTheFirstInstantThatShowsIt compares AtWall with a search minute by minute, around every change of the clocks of
// some zones from 1880 to 2037.
func TestAWallTimeIsTheFirstInstantThatShowsIt(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "America/Toronto", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Asia/Manila", "Africa/Monrovia", "Antarctica/Troll", "Europe/Dublin"} {
		loc := zone(t, name)
		first := map[string]time.Time{} // by wall-clock time, around changes only
		shown := map[string]int{}
		at := time.Date(1880, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
		for {
			_, change := at.ZoneBounds()
			if change.IsZero() || change.Year() > 2037 {
				break
			}
			_, before := at.Zone()
			at = change.In(loc)
			if _, after := at.Zone(); before%60 != 0 || after%60 != 0 {
				continue // local mean time has seconds
			}
			clear(first)
			clear(shown)
			for minute := -360; minute < 360; minute++ {
				at := change.Add(time.Duration(minute) * time.Minute)
				wall := clockOf(at, loc).Format(time.DateTime)
				if _, ok := first[wall]; !ok {
					first[wall] = at
				}
				shown[wall]++
			}
			for wall, want := range first {
				if want.Before(change.Add(-3*time.Hour)) || want.After(change.Add(3*time.Hour)) {
					continue // a second time that shows it may be out of sight
				}
				parsed, _ := time.Parse(time.DateTime, wall)
				if got := AtWall(parsed, loc); !got.At.Equal(want) || got.Gap != 0 || got.Doubled != (shown[wall] > 1) {
					t.Fatalf("AtWall(%s, %s): got %s, gap %s, doubled %v; want %s, shown %d times", wall, name, got.At, got.Gap, got.Doubled, want.In(loc), shown[wall])
				}
			}
		}
	}
}

// TestLastDaysOfLeapYearsHaveTheirTimes has the days for which Time.ZoneBounds returns a bound that ends nothing.
func TestLastDaysOfLeapYearsHaveTheirTimes(t *testing.T) {
	for _, name := range []string{"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for year := 2036; year <= 2096; year += 4 {
			for hour := range 5 * 24 {
				wall := time.Date(year, 12, 29, hour, 30, 0, 0, time.UTC)
				if got := AtWall(wall, loc); !clockOf(got.At, loc).Equal(wall) || got.Doubled || got.Gap != 0 {
					t.Fatalf("%s in %s: got %+v, want that time, once", wall.Format(time.DateTime), name, got)
				}
			}
		}
	}
}
