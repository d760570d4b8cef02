package accounts_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

// The texts of reminders are in the user's zone. One event tells the notification service the new zone, whatever the number
// of reminders.
func TestANewZoneIsSentWithTheNextReminder(t *testing.T) {
	t.Parallel()
	f := tasktest.New(t)
	log := slog.New(slog.DiscardHandler)
	service := accounts.New(f.Store, nil, nil, publish.New(log), log, f.Now)
	user := f.User() // in London
	in := func(d time.Duration) string { return f.Now().Add(d).Format(time.RFC3339) }
	make := func(more string) events.TaskData {
		return f.Make(user, `{"title":"t","due_date":"2099-03-01"`+more+`}`)
	}
	make("")
	sent := 0
	update := func(p accounts.Profile, want int) []events.ReminderEvent {
		t.Helper()
		sent = len(f.Sent(events.TopicReminders))
		if _, err := service.Update(ctx, user, p); err != nil {
			t.Fatalf("Update: %v", err)
		}
		var fresh []events.ReminderEvent
		for _, m := range f.Sent(events.TopicReminders)[sent:] {
			e, err := events.DecodeReminderEvent([]byte(m.Data))
			if err != nil || e.UserID != user {
				t.Fatalf("%s : %v", m.Data, err)
			}
			fresh = append(fresh, e)
		}
		if len(fresh) != want {
			t.Errorf("ReminderEvents: %+v, want %d", fresh, want)
		}
		return fresh
	}
	zone := func(name string) accounts.Profile { return accounts.Profile{Timezone: &name} }

	update(zone("Asia/Tokyo"), 0) // there is no reminder
	make(`,"remind_at":"` + in(-time.Minute) + `"`)
	update(zone("Asia/Seoul"), 0) // it came already
	later := make(`,"remind_at":"` + in(2*time.Hour) + `"`)
	next := make(`,"remind_at":"` + in(time.Hour) + `"`)
	update(zone("Asia/Seoul"), 0) // it is the same zone
	name := "Ada L."
	update(accounts.Profile{Name: &name}, 0)
	got := update(zone("Europe/Berlin"), 1)
	if len(got) == 1 && (got[0].TaskID != next.ID || got[0].Timezone != "Europe/Berlin" || got[0].TaskVersion != next.Version ||
		!got[0].RemindAt.Equal(*next.RemindAt) || !got[0].Timestamp.After(next.UpdatedAt) || got[0].DueDate != "2099-03-01") {
		t.Errorf("ReminderEvent: %+v, want that of task %+v in the new zone", got[0], next)
	}
	f.Patch(user, next.ID, `{"status":"completed"}`)
	if got := update(zone("America/New_York"), 1); len(got) == 1 && got[0].TaskID != later.ID {
		t.Errorf("ReminderEvent: %+v, want that of the open task %s", got[0], later.ID)
	}
	if u, err := service.User(ctx, user); err != nil || fmt.Sprint(u.Name, u.Timezone) != "Ada L.America/New_York" {
		t.Errorf("User: %+v, %v", u, err)
	}
	if _, err := service.Update(ctx, uuid.NewString(), zone("UTC")); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("Update of nobody: %v, want ErrNoUser", err)
	}
}
