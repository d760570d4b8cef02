package domain_test

import (
	"errors"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

func TestQuietHoursEnd(t *testing.T) {
	const none = ""
	for _, c := range []struct {
		name, start, end, zone, at, want string
	}{
		{"before", "22:00", "23:00", "UTC", "2030-03-01T21:59:59Z", none},
		{"at the start", "22:00", "23:00", "UTC", "2030-03-01T22:00:00Z", "2030-03-01T23:00:00Z"},
		{"within", "22:00", "23:00", "UTC", "2030-03-01T22:59:59.999Z", "2030-03-01T23:00:00Z"},
		{"at the end", "22:00", "23:00", "UTC", "2030-03-01T23:00:00Z", none},
		{"over midnight, before it", "22:00", "07:00", "UTC", "2030-12-31T23:30:00Z", "2031-01-01T07:00:00Z"},
		{"over midnight, after it", "22:00", "07:00", "UTC", "2030-03-01T06:59:00Z", "2030-03-01T07:00:00Z"},
		{"over midnight, in the day", "22:00", "07:00", "UTC", "2030-03-01T12:00:00Z", none},
		{"in the user's zone", "22:00", "07:00", "Asia/Tokyo", "2030-03-01T13:00:00Z", "2030-03-01T22:00:00Z"},
		{"the night the clocks go forward", "22:00", "07:00", "Europe/London", "2030-03-30T23:00:00Z", "2030-03-31T06:00:00Z"},
		{"the end is in the gap", "22:00", "01:30", "Europe/London", "2030-03-30T23:00:00Z", "2030-03-31T01:30:00Z"},
		{"the end shows twice, before the first", "22:00", "01:30", "Europe/London", "2030-10-27T00:10:00Z", "2030-10-27T00:30:00Z"},
		{"the end shows twice, after the first", "22:00", "01:30", "Europe/London", "2030-10-27T01:10:00Z", none},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, c.at)
			if err != nil {
				t.Fatal(err)
			}
			end, isQuiet := quiet(t, c.start, c.end, c.zone).EndAt(at)
			got := none
			if isQuiet {
				got = end.Format(time.RFC3339)
			}
			if got != c.want {
				t.Errorf("%s–%s %s at %s: quiet until %q, want %q", c.start, c.end, c.zone, c.at, got, c.want)
			}
		})
	}
}

// Covers a year in zones whose clocks change in unusual ways.
func TestQuietHoursAlwaysEndLater(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca", "Asia/Kathmandu"} {
		for _, hours := range [][2]string{{"22:00", "07:00"}, {"00:00", "00:01"}, {"01:30", "02:30"}, {"23:59", "00:00"}, {"12:00", "11:59"}} {
			q := quiet(t, hours[0], hours[1], zone)
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for at := start; at.Before(start.AddDate(1, 0, 0)); at = at.Add(17 * time.Minute) {
				if end, isQuiet := q.EndAt(at); isQuiet && (!end.After(at) || end.Sub(at) > 25*time.Hour) {
					t.Fatalf("%v %s at %s: quiet until %s", hours, zone, at, end)
				}
			}
		}
	}
}

func TestQuietHoursAreRefusedByField(t *testing.T) {
	for _, c := range []struct{ start, end, zone, field string }{
		{"", "07:00", "UTC", "quiet_hours.start"},
		{"7:00", "08:00", "UTC", "quiet_hours.start"},
		{"24:00", "08:00", "UTC", "quiet_hours.start"},
		{"07:00:00", "08:00", "UTC", "quiet_hours.start"},
		{"22:00", "7", "UTC", "quiet_hours.end"},
		{"22:00", "22:00", "UTC", "quiet_hours.end"},
		{"22:00", "07:00", "", "quiet_hours.timezone"},
		{"22:00", "07:00", "Local", "quiet_hours.timezone"},
		{"22:00", "07:00", "Mars/Olympus", "quiet_hours.timezone"},
		{"22:00", "07:00", "../../etc/passwd", "quiet_hours.timezone"},
	} {
		_, err := domain.NewQuietHours(c.start, c.end, c.zone)
		var field *domain.FieldError
		if !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("NewQuietHours(%q, %q, %q): %v, want an error about %s", c.start, c.end, c.zone, err, c.field)
		}
	}
}
