package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
)

// TestTextsOfNotificationsAreInTheUsersZone lets the same tasks remind a user in New York, and then the user on Kiritimati.
func TestTextsOfNotificationsAreInTheUsersZone(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	wanted := map[string][2]string{} // due_date and body, by task
	remind := func(body map[string]any, dueDate, text string) {
		t.Helper()
		body["title"], body["remind_at"] = text, time.Now().UTC().Format(time.RFC3339Nano)
		wanted[u.Create(body).ID] = [2]string{dueDate, text}
	}
	move := func(zone string) {
		t.Helper()
		u.Must(http.MethodPatch, "/api/v1/me", map[string]any{"timezone": zone}, http.StatusOK, nil)
	}
	move("America/New_York")
	remind(map[string]any{"due_date": "2036-12-01"}, "2036-12-01", "Due Monday 1 December 2036.")
	remind(map[string]any{"due_at": "2036-12-01T22:00:00Z"}, "", "Due Monday 1 December 2036 at 17:00 (America/New_York).")
	remind(map[string]any{"due_at": "2036-07-01T22:00:00Z", "timezone": "Asia/Tokyo"}, "", "Due Tuesday 1 July 2036 at 18:00 (America/New_York).")
	arrived := func() error {
		got := map[string]int{}
		for _, n := range page.Notifications() {
			got[n.TaskID]++
			if want := wanted[n.TaskID]; n.DueDate != want[0] || n.Body != want[1] {
				return fmt.Errorf("frame %+v, want %q", n, want)
			}
		}
		for task := range wanted {
			if got[task] != 1 {
				return fmt.Errorf("task %s: %d frames, want 1", task, got[task])
			}
		}
		inbox, err := u.Notifications()
		if err == nil && len(inbox) != len(wanted) {
			err = fmt.Errorf("%d notifications, want %d", len(inbox), len(wanted))
		}
		for _, n := range inbox {
			if want := wanted[n.TaskID]; n.DueDate != want[0] || n.Body != want[1] {
				return fmt.Errorf("notification %+v, want %q", n, want)
			}
		}
		return err
	}
	client.Eventually(t, time.Minute, "the reminders of a user in New York", arrived)
	move("Pacific/Kiritimati")
	remind(map[string]any{"due_date": "2036-12-01"}, "2036-12-01", "Due Monday 1 December 2036.")
	remind(map[string]any{"due_at": "2036-12-01T22:00:00Z"}, "", "Due Tuesday 2 December 2036 at 12:00 (Pacific/Kiritimati).")
	client.Eventually(t, time.Minute, "the reminders of a user on Kiritimati", arrived)
}
