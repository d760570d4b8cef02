package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// TestWatchEndsWhenTheServerRefusesItsToken runs `taskwire watch` against the real service. It must not reconnect for
// ever.
func TestWatchEndsWhenTheServerRefusesItsToken(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	u.Token += "x" // the signature is not valid any more
	got := runs(t, u, "watch", "--timeout", "1m")
	want := live.Codes[live.Unauthenticated]
	if got.code != 1 || !strings.Contains(got.errs, "taskwire: the server refused the connection: "+want.Message) {
		t.Errorf("watch: got %+v, want exit code 1 and the server's message %q", got, want.Message)
	}
	if lines := strings.Count(got.errs, "\n"); lines != 1 {
		t.Errorf("watch: got %d lines on standard error, want one:\n%s", lines, got.errs)
	}
	if !strings.Contains(got.out, `"code":"`+want.Name+`"`) {
		t.Errorf("watch printed %q, want the server's error frame", got.out)
	}
}

// TestWatchRenewsARefusedToken begins with a token that the real service refuses, and with the log-in's refresh token. The
// file keeps the successor, which is valid, and the used token is not used again.
func TestWatchRenewsARefusedToken(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	task := u.Create(map[string]any{"title": "seen with a new token"})
	u.Token += "x"
	file := filepath.Join(t.TempDir(), "login")
	must(t, os.WriteFile(file, []byte(u.Refresh+"\n"), 0o600))
	for range 2 { // the second run depends on what the first has kept
		got := runs(t, u, "watch", "--since", "0", "--count", "1", "--timeout", "1m", "--refresh-token-file", file)
		if got.code != 0 || !strings.Contains(got.out, task.ID) {
			t.Fatalf("watch: got %+v, want exit code 0 and task %s", got, task.ID)
		}
	}
	kept, err := os.ReadFile(file)
	must(t, err)
	if strings.TrimSpace(string(kept)) == u.Refresh {
		t.Error("the file has the used refresh token, want its successor")
	}
	u.Must(http.MethodPost, "/api/v1/auth/logout", map[string]string{"refresh_token": strings.TrimSpace(string(kept))}, http.StatusNoContent, nil)
	got := runs(t, u, "watch", "--timeout", "1m", "--refresh-token-file", file)
	if got.code != 1 || !strings.Contains(got.errs, "The refresh token is not valid.") {
		t.Errorf("watch after a log-out: got %+v, want exit code 1 and the server's words", got)
	}
}

func TestWatchPrintsTheUsersChanges(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	task := u.Create(map[string]any{"title": "seen in a terminal"})
	got := runs(t, u, "watch", "--since", "0", "--count", "1", "--timeout", "1m")
	if got.code != 0 || !strings.Contains(got.out, task.ID) {
		t.Errorf("watch: got %+v, want exit code 0 and task %s", got, task.ID)
	}
}

func TestWatchPrintsTheUsersNotifications(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	created := createReminders(t, u, 2, time.Now(), 0)
	client.Eventually(t, time.Minute, "the reminders are in the inbox", func() error {
		inbox, err := u.Notifications()
		if err != nil {
			return err
		}
		return onceEach(inbox, created)
	})
	got := runs(t, u, "watch", "--notifications-since", "1", "--count", "1", "--timeout", "1m")
	if got.code != 0 || !strings.Contains(got.out, `"notification_seq":2`) {
		t.Errorf("watch: got %+v, want exit code 0 and the second notification", got)
	}
}
