package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// TestTheReadmeTourWorksWordForWord runs the tours of README.md and docs/api.md as a reader would.
func TestTheReadmeTourWorksWordForWord(t *testing.T) {
	usesShared(t)
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(root, "scripts", "tour.sh"), shared.URL()).CombinedOutput()
	if err != nil {
		t.Fatalf("tour: %v\n%s", err, out)
	}
}

// TestAReminderIsDeliveredOnce sets reminders that are due soon, moves some of them, completes the task of one, and counts
// the notifications.
func TestAReminderIsDeliveredOnce(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	soon := time.Now().UTC().Add(6 * time.Second).Format(time.RFC3339Nano) // after the changes below, also on a busy machine
	far := time.Now().UTC().Add(48 * time.Hour).Format(time.RFC3339)
	due := time.Now().UTC().Add(72 * time.Hour).Format(time.RFC3339)

	u.Create(map[string]any{"title": "stays", "due_at": due, "remind_at": soon})
	completed := u.Create(map[string]any{"title": "is completed before", "due_at": due, "remind_at": soon})
	moved := u.Create(map[string]any{"title": "is moved away", "due_at": due, "remind_at": soon})
	brought := u.Create(map[string]any{"title": "is brought forward", "due_at": due, "remind_at": far})
	u.Must(http.MethodPost, "/api/v1/tasks/"+completed.ID+"/complete", nil, http.StatusOK, nil)
	u.Must(http.MethodPatch, "/api/v1/tasks/"+moved.ID, map[string]any{"remind_at": far}, http.StatusOK, nil)
	u.Must(http.MethodPatch, "/api/v1/tasks/"+brought.ID, map[string]any{"remind_at": soon}, http.StatusOK, nil)

	var got []live.Notification
	client.Eventually(t, time.Minute, "two notifications", func() error {
		if got = page.Notifications(); len(got) < 2 {
			return fmt.Errorf("got %d: %+v", len(got), got)
		}
		return nil
	})
	// A later reminder marks the end: anything that was due before it has arrived by then.
	mark := time.Now().UTC().Add(2 * time.Second).Format(time.RFC3339Nano)
	u.Create(map[string]any{"title": "the mark", "due_at": due, "remind_at": mark})
	client.Eventually(t, time.Minute, "the mark", func() error {
		if got = page.Notifications(); len(got) < 3 {
			return errNothingYet
		}
		return nil
	})
	titles := map[string]int{}
	for _, f := range got {
		titles[f.Title]++
	}
	for _, title := range []string{"stays", "is brought forward", "the mark"} {
		if titles[title] != 1 {
			t.Errorf("notification %q: got %d, want 1 (all: %v)", title, titles[title], titles)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %d notifications, want 3: %v", len(got), titles)
	}
}

// TestABrowserThatWasAwayCatchesUpWithoutAHole connects with an old since and expects every later seq.
func TestABrowserThatWasAwayCatchesUpWithoutAHole(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	task := u.Create(map[string]any{"title": "0"})
	for i := 1; i < 300; i++ { // more than one page of the replay
		u.Must(http.MethodPatch, "/api/v1/tasks/"+task.ID, map[string]any{"title": fmt.Sprint(i)}, http.StatusOK, nil)
	}
	page := client.OpenBrowser(t, u, 17)
	client.Eventually(t, time.Minute, "every seq after 17", func() error { return page.SawAll(17, 300) })
	u.Must(http.MethodDelete, "/api/v1/tasks/"+task.ID, nil, http.StatusNoContent, nil)
	client.Eventually(t, time.Minute, "the deletion, live", func() error { return page.SawAll(17, 301) })
}

// TestASidecarThatIsMissingAtStartDoesNotStopWrites starts a stack without the sidecar of the task API, writes, and then
// starts the sidecar: everything that was answered arrives.
func TestASidecarThatIsMissingAtStartDoesNotStopWrites(t *testing.T) {
	startsAStack(t)
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	needsOwnBroker(t, "a second stack would share the first one's consumer groups")
	cfg := stackConfig(root, t.TempDir())
	cfg.BinDir, cfg.Out, cfg.Hold = filepath.Join(root, ".taskwire", "bin"), t.Output(), []string{"task-api-daprd"}
	s, err := stack.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Errorf("the stack ended with %v", err)
		}
	})
	client.Eventually(t, startTimeout, "the gateway answers", func() error {
		resp, err := http.Get(s.URL() + "/healthz")
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
	u := client.NewUser(t, s.URL())
	var tasks []events.TaskData
	for i := range 20 {
		tasks = append(tasks, u.Create(map[string]any{"title": fmt.Sprint("written without a sidecar ", i)}))
	}
	resp, err := http.Get(s.URL() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz without the sidecar: got %d, want 503", resp.StatusCode)
	}
	if err := s.Start("task-api-daprd"); err != nil {
		t.Fatal(err)
	}
	client.Eventually(t, client.RecoveryTimeout, "all writes are in the audit log", func() error { return auditHas(u, "/api/v1/audit", len(tasks)) })
	client.Eventually(t, time.Minute, "ready", func() error {
		select {
		case <-s.Ready():
			return nil
		default:
			return errNothingYet
		}
	})
}

var errNothingYet = errors.New("nothing yet")
