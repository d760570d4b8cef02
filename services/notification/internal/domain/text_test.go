package domain_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

func TestTextsNameTheDayInTheUsersZone(t *testing.T) {
	at := func(s string) *time.Time {
		t.Helper()
		if s == "" {
			return nil
		}
		instant, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return &instant
	}
	for _, c := range []struct {
		name, dueDate, dueAt, zone, now, want string
		older                                 bool
	}{
		{"a day", "2026-12-01", "2026-12-02T04:59:59Z", "America/New_York", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026.", false},
		{"a time", "", "2026-12-01T22:00:00Z", "America/New_York", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026 at 17:00 (America/New_York).", false},
		{"a day, far east", "2026-12-01", "2026-12-01T09:59:59Z", "Pacific/Kiritimati", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026.", false},
		{"a day, far west", "2026-12-01", "2026-12-02T11:59:59Z", "Pacific/Pago_Pago", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026.", false},
		{"a day of a task in another zone", "2026-12-01", "2026-12-01T09:59:59Z", "America/New_York", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026.", false},
		{"today", "2026-12-01", "2026-12-01T22:59:59Z", "Europe/Berlin", "2026-12-01T08:00:00Z", "Due today, Tuesday 1 December 2026.", false},
		{"today at a time", "", "2026-12-01T13:30:00Z", "Europe/Berlin", "2026-12-01T08:00:00Z", "Due today at 14:30, Tuesday 1 December 2026 (Europe/Berlin).", false},
		{"tomorrow at a time", "", "2026-12-01T13:30:00Z", "Europe/Berlin", "2026-11-30T08:00:00Z", "Due tomorrow at 14:30, Tuesday 1 December 2026 (Europe/Berlin).", false},
		{"today there, yesterday in UTC", "2026-12-01", "2026-12-01T09:59:59Z", "Pacific/Kiritimati", "2026-11-30T10:00:00Z", "Due today, Tuesday 1 December 2026.", false},
		{"tomorrow there, today in UTC", "2026-12-01", "2026-12-02T04:59:59Z", "America/New_York", "2026-12-01T04:59:59Z", "Due tomorrow, Tuesday 1 December 2026.", false},
		{"on another year's day", "2027-12-01", "2027-12-01T22:59:59Z", "Europe/Berlin", "2026-12-01T08:00:00Z", "Due Wednesday 1 December 2027.", false},
		{"before the reminder", "2026-11-30", "2026-11-30T22:59:59Z", "Europe/Berlin", "2026-12-01T08:00:00Z", "Due Monday 30 November 2026.", false},
		{"in winter, reminded in summer", "", "2026-12-01T13:30:00Z", "Europe/Berlin", "2026-07-01T08:00:00Z", "Due Tuesday 1 December 2026 at 14:30 (Europe/Berlin).", false},
		{"over a change of the clocks", "2026-10-25", "2026-10-25T22:59:59Z", "Europe/Berlin", "2026-10-24T21:59:59Z", "Due tomorrow, Sunday 25 October 2026.", false},
		{"the last second of a day as a time", "", "2026-12-01T22:59:59Z", "Europe/Berlin", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026 at 23:59 (Europe/Berlin).", false},
		{"an older event with a time", "", "2026-12-01T22:00:00Z", "", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026 at 22:00 (UTC).", true},
		{"an older event with a day of UTC", "", "2026-12-01T23:59:59Z", "", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026.", true},
		{"an older event of a user whose zone is known now", "", "2026-12-02T04:59:59Z", "America/New_York", "2026-11-27T16:00:00Z", "Due Tuesday 1 December 2026.", true},
		{"no due date", "", "", "", "2026-11-27T16:00:00Z", "", true},
	} {
		now := *at(c.now)
		d := domain.Due{TaskID: task, UserID: user, Title: "x", DueDate: c.dueDate, DueAt: at(c.dueAt), Timezone: c.zone, Older: c.older, RemindAt: now, DeliverAt: now, TaskVersion: 1}
		n := domain.Decide(d, domain.DefaultPreferences(), now).Notification
		if n.Body != c.want {
			t.Errorf("%s: body %q, want %q", c.name, n.Body, c.want)
		}
		if n.DueDate != c.dueDate {
			t.Errorf("%s: due_date %q, want %q", c.name, n.DueDate, c.dueDate)
		}
	}
}

// An event of an older version names neither the day nor the zone. The user's quiet hours have a zone.
func TestAnOlderEventIsReadInTheZoneOfTheQuietHours(t *testing.T) {
	p := domain.Preferences{InApp: true, Quiet: quiet(t, "01:00", "02:00", "America/New_York")}
	for due, want := range map[time.Time]string{
		time.Date(2030, time.March, 6, 4, 59, 59, 0, time.UTC):  "Due Tuesday 5 March 2030.",
		time.Date(2030, time.March, 5, 22, 0, 0, 0, time.UTC):   "Due Tuesday 5 March 2030 at 17:00 (America/New_York).",
		time.Date(2030, time.March, 5, 23, 59, 59, 0, time.UTC): "Due Tuesday 5 March 2030.", // the original form, whose days are of UTC
	} {
		d := domain.Due{TaskID: task, UserID: user, Title: "x", DueAt: &due, Older: true, RemindAt: noon, DeliverAt: noon, TaskVersion: 1}
		if got := domain.Decide(d, p, noon).Notification.Body; got != want {
			t.Errorf("due at %s: body %q, want %q", due, got, want)
		}
	}
}

func TestALateTextSaysWhenItWasFor(t *testing.T) {
	d := due()
	d.Timezone = "Asia/Tokyo"
	got := domain.Decide(d, domain.DefaultPreferences(), noon.Add(time.Hour)).Notification.Body
	const want = "Due today at 22:00, Friday 1 March 2030 (Asia/Tokyo). This reminder was for Friday 1 March 2030 at 21:00 (Asia/Tokyo) and is late."
	if got != want {
		t.Errorf("body %q, want %q", got, want)
	}
}

// FuzzTextOfADay checks every day in every zone against the rule: the body names the day, and no time of day.
func FuzzTextOfADay(f *testing.F) {
	f.Add("2026-12-01", "Pacific/Kiritimati", int64(0))
	f.Add("2011-12-30", "Pacific/Apia", int64(-86400)) // a day that the zone left out
	f.Add("2024-03-30", "America/Nuuk", int64(3600))
	clock := regexp.MustCompile(`\d:\d`)
	f.Fuzz(func(t *testing.T, date, zone string, before int64) {
		day, err := time.Parse(time.DateOnly, date)
		end, ok, dueErr := events.TaskData{DueDate: date, Timezone: zone}.DueInstant()
		if err != nil || dueErr != nil || !ok || before < -1e9 || before > 1e9 {
			return
		}
		now := end.Add(-time.Duration(before) * time.Second)
		d := domain.Due{TaskID: task, UserID: user, Title: "x", DueDate: date, DueAt: &end, Timezone: zone, RemindAt: now, DeliverAt: now, TaskVersion: 1}
		got := domain.Decide(d, domain.DefaultPreferences(), now).Notification.Body
		if !strings.Contains(got, day.Format("Monday 2 January 2006")) || clock.MatchString(got) {
			t.Errorf("due on %s in %s: body %q", date, zone, got)
		}
	})
}
