package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events"
)

// opened is the answer to a change that opens a task again.
type opened struct {
	events.TaskData
	Next *struct {
		ID        string `json:"id"`
		Withdrawn bool   `json:"withdrawn"`
	} `json:"next_occurrence"`
}

// openTasks returns the user's open tasks.
func openTasks(u *client.User) ([]events.TaskData, error) {
	all, _, err := u.Sync(0)
	if err != nil {
		return nil, err
	}
	var open []events.TaskData
	for _, task := range all {
		if task.Status == events.StatusPending || task.Status == events.StatusInProgress {
			open = append(open, task)
		}
	}
	return open, nil
}

// successor waits until the only open task of the user is an occurrence with this number, and returns it.
func successor(t *testing.T, u *client.User, number int) (task events.TaskData) {
	t.Helper()
	client.Eventually(t, time.Minute, fmt.Sprintf("occurrence %d is the only open task", number), func() error {
		open, err := openTasks(u)
		if err != nil {
			return err
		}
		if len(open) != 1 || open[0].OccurrenceNo != number {
			return fmt.Errorf("open tasks: %+v", open)
		}
		task = open[0]
		return nil
	})
	return task
}

// TestReopeningTakesTheSuccessorBack completes, skips and reopens recurring tasks, and follows what the recurrence engine, the
// audit log and an open browser see of it.
func TestReopeningTakesTheSuccessorBack(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	task := u.Create(map[string]any{"title": "Water", "due_date": "2030-03-01", "recurrence": map[string]any{"rrule": "FREQ=DAILY"}})
	path := "/api/v1/tasks/" + task.ID

	u.Must(http.MethodPost, path+"/complete", nil, http.StatusOK, nil)
	first := successor(t, u, 2)
	var answer opened
	u.Must(http.MethodPost, path+"/reopen", nil, http.StatusOK, &answer)
	if answer.Next == nil || !answer.Next.Withdrawn || answer.Next.ID != first.ID {
		t.Errorf("reopen: got %+v, want the successor withdrawn", answer.Next)
	}
	successor(t, u, 1)
	u.Must(http.MethodPatch, path, map[string]any{"status": "completed"}, http.StatusOK, nil)
	if again := successor(t, u, 2); again.ID != first.ID || again.Version != first.Version+2 {
		t.Errorf("completed again: got %s version %d, want %s version %d", again.ID, again.Version, first.ID, first.Version+2)
	}

	u.Must(http.MethodPatch, "/api/v1/tasks/"+first.ID, map[string]any{"title": "Water less"}, http.StatusOK, nil)
	u.Must(http.MethodPatch, path, map[string]any{"status": "pending"}, http.StatusOK, &answer)
	if answer.Next == nil || answer.Next.Withdrawn {
		t.Errorf("reopened after a change of the successor: got %+v, want it kept", answer.Next)
	}
	if open, err := openTasks(u); err != nil || len(open) != 2 {
		t.Errorf("open tasks: got %d %v, want both", len(open), err)
	}

	head, err := u.Head()
	if err != nil {
		t.Fatal(err)
	}
	client.Eventually(t, time.Minute, "the audit log and the browser have every change", func() error {
		if err := auditHas(u, "/api/v1/audit", int(head)); err != nil {
			return err
		}
		return page.SawAll(0, head)
	})
}

// TestTwoDevicesLeaveOneOpenTask completes and reopens one occurrence from two devices at the same time, while the engine acts.
func TestTwoDevicesLeaveOneOpenTask(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	task := u.Create(map[string]any{"title": "Water", "due_date": "2030-03-01", "recurrence": map[string]any{"rrule": "FREQ=DAILY"}})
	for _, last := range []string{"complete", "reopen", "skip"} {
		var devices sync.WaitGroup
		for _, changes := range [][]string{{"complete", "reopen", "complete"}, {"reopen", "complete", "reopen"}} {
			devices.Go(func() {
				for _, change := range changes {
					if status, raw, err := u.Do(http.MethodPost, "/api/v1/tasks/"+task.ID+"/"+change, nil, nil); err != nil || status != http.StatusOK {
						t.Errorf("%s: got %d %s %v", change, status, raw, err)
					}
				}
			})
		}
		devices.Wait()
		u.Must(http.MethodPost, "/api/v1/tasks/"+task.ID+"/reopen", nil, http.StatusOK, nil)
		want := 1
		if last != "reopen" {
			u.Must(http.MethodPost, "/api/v1/tasks/"+task.ID+"/"+last, nil, http.StatusOK, nil)
			want = 2
		}
		successor(t, u, want)
	}
}

// TestALateTaskGoesOnToday completes a task that was due ten days ago.
func TestALateTaskGoesOnToday(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	date := func(offset int) string { return time.Now().UTC().AddDate(0, 0, offset).Format(time.DateOnly) }
	late := u.Create(map[string]any{"title": "late", "timezone": "UTC", "due_date": date(-10), "remind_at": date(-10) + "T00:00", "recurrence": map[string]any{"text": "daily"}})
	before := date(0)
	u.Must(http.MethodPost, "/api/v1/tasks/"+late.ID+"/complete", nil, http.StatusOK, nil)
	next := successor(t, u, 2)
	if next.DueDate != before && next.DueDate != date(0) {
		t.Errorf("successor: got due %s, want today", next.DueDate)
	}
	// The reminder at midnight is past on the successor's day. A later reminder marks the end: one of the successor would be there.
	mark := u.Create(map[string]any{"title": "the mark", "due_date": date(1), "remind_at": time.Now().UTC().Add(2 * time.Second).Format(time.RFC3339Nano)})
	client.Eventually(t, time.Minute, "the mark", func() error {
		got, err := u.Notifications()
		if err != nil {
			return err
		}
		marked := false
		for _, n := range got {
			if n.TaskID == next.ID {
				t.Fatalf("the successor's past reminder fired: %+v", n)
			}
			marked = marked || n.TaskID == mark.ID
		}
		if !marked {
			return errNothingYet
		}
		return nil
	})
}
