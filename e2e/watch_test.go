package e2e

import (
	"strings"
	"testing"

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
	if !strings.Contains(got.out, `"code":"`+want.Name+`"`) {
		t.Errorf("watch printed %q, want the server's error frame", got.out)
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
