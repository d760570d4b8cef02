package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

const (
	task = "0190a000-0000-7000-8000-000000000001"
	user = "0190a000-0000-7000-8000-0000000000aa"
)

var noon = time.Date(2030, time.March, 1, 12, 0, 0, 0, time.UTC)

func due() domain.Due {
	end := noon.Add(time.Hour)
	return domain.Due{TaskID: task, UserID: user, Title: "Call home", DueAt: &end, RemindAt: noon, DeliverAt: noon, TaskVersion: 3}
}

func quiet(t *testing.T, start, end, zone string) *domain.QuietHours {
	t.Helper()
	q, err := domain.NewQuietHours(start, end, zone)
	if err != nil {
		t.Fatalf("NewQuietHours(%q, %q, %q): %v", start, end, zone, err)
	}
	return q
}

func TestTheSameReminderMakesTheSameNotification(t *testing.T) {
	id := func(change func(*domain.Due), at time.Time) string {
		d := due()
		change(&d)
		return domain.Decide(d, domain.DefaultPreferences(), at).Notification.ID
	}
	first := id(func(*domain.Due) {}, noon)
	for name, c := range map[string]struct {
		change func(*domain.Due)
		same   bool
	}{
		"nothing else":            {func(*domain.Due) {}, true},
		"held, and another title": {func(d *domain.Due) { d.DeliverAt, d.Title = noon.Add(time.Hour), "x" }, true},
		"in another zone":         {func(d *domain.Due) { d.RemindAt = noon.In(time.FixedZone("", 3600)) }, true},
		"another task":            {func(d *domain.Due) { d.TaskID = user }, false},
		"another instant":         {func(d *domain.Due) { d.RemindAt = noon.Add(time.Microsecond) }, false},
		"another version":         {func(d *domain.Due) { d.TaskVersion = 4 }, false},
		"a snooze":                {func(d *domain.Due) { d.SnoozedID = task }, false},
	} {
		if got := id(c.change, noon.Add(time.Hour)) == first; got != c.same {
			t.Errorf("id with %s: same as the first is %t, want %t", name, got, c.same)
		}
	}
}

// A changed derivation would deliver reminders of a running system twice.
func TestNotificationIDsNeverChange(t *testing.T) {
	const want = "a0bab2e4-71e7-50d5-a87c-311d3ce4469b"
	if got := domain.Decide(due(), domain.DefaultPreferences(), noon).Notification.ID; got != want {
		t.Errorf("Decide(%+v): id %s, want %s", due(), got, want)
	}
}

func TestAReminderIsLateAfterTheThreshold(t *testing.T) {
	for _, c := range []struct {
		behind time.Duration
		late   bool
	}{{0, false}, {time.Minute, false}, {time.Minute + 1, true}, {48 * time.Hour, true}} {
		d := domain.Decide(due(), domain.DefaultPreferences(), noon.Add(c.behind))
		if d.Notification.Late != c.late || d.Event.Late != c.late {
			t.Errorf("%s behind: late %t, in the event %t, want %t", c.behind, d.Notification.Late, d.Event.Late, c.late)
		}
		if says := strings.Contains(d.Notification.Body, "late"); says != c.late {
			t.Errorf("%s behind: body is %q", c.behind, d.Notification.Body)
		}
	}
}

func TestAHeldReminderIsNotLateAtTheEndOfTheQuietHours(t *testing.T) {
	d := due()
	d.DeliverAt = noon.Add(9 * time.Hour)
	if got := domain.Decide(d, domain.DefaultPreferences(), d.DeliverAt); got.Notification.Late {
		t.Error("got a late notification, want one in time: it was delivered at the end of the quiet hours")
	}
}

func TestTheEventIsWhatTheListShows(t *testing.T) {
	got := domain.Decide(due(), domain.DefaultPreferences(), noon)
	n, ev := got.Notification, got.Event
	if ev.EventType != events.Added || ev.NotificationID != n.ID || ev.UserID != user || ev.TaskID != task || ev.Title != n.Title || ev.Body != n.Body || ev.Kind != n.Kind || !ev.DueAt.Equal(*n.DueAt) {
		t.Errorf("event %+v, notification %+v", ev, n)
	}
	if err := ev.Validate(); err != nil {
		t.Errorf("the event of a decision: %v", err)
	}
}

func TestQuietHoursHoldAReminderButNotASnooze(t *testing.T) {
	p := domain.Preferences{InApp: true, Quiet: quiet(t, "11:00", "13:30", "UTC")}
	if got, want := domain.Decide(due(), p, noon).HoldUntil, noon.Add(90*time.Minute); !got.Equal(want) {
		t.Errorf("held until %s, want %s", got, want)
	}
	snoozed := due()
	snoozed.SnoozedID = task
	if got := domain.Decide(snoozed, p, noon); !got.HoldUntil.IsZero() || got.Event == nil {
		t.Errorf("a snooze in quiet hours: %+v, want it delivered", got)
	}
}

func TestWithoutTheChannelANotificationIsOnlyListed(t *testing.T) {
	got := domain.Decide(due(), domain.Preferences{}, noon)
	if got.Notification.ID == "" || got.Event.EventType != events.Listed || got.Delivery != nil {
		t.Errorf("channel off: %+v, want a notification that is only listed, and no delivery", got)
	}
}

func TestAReminderThatCannotBeAnEventIsOnlyListed(t *testing.T) {
	d := due()
	d.Title = strings.Repeat("x", events.MaxTitle+1)
	got := domain.Decide(d, domain.DefaultPreferences(), noon)
	if got.Event != nil || got.Delivery == nil || got.Delivery.State != domain.DeliveryFailed || got.Delivery.LastError == "" {
		t.Errorf("title too long: event %v, delivery %+v; want a failed delivery with its reason", got.Event, got.Delivery)
	}
}
