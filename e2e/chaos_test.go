package e2e

import (
	"context"
	"syscall"
	"testing"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
)

// chaosWrites is how many writes one round makes; the part dies when half of them are answered.
const chaosWrites = 200

// TestNothingIsLostWhenAPartIsKilled kills each part in turn with SIGKILL in the middle of 200 writes and then holds
// the whole system to its promise.
func TestNothingIsLostWhenAPartIsKilled(t *testing.T) {
	for _, part := range []string{
		"task-api", "task-api-daprd", "audit", "audit-daprd", "recurring-task", "recurring-task-daprd",
		"notification", "websocket", "websocket-daprd", "broker", "postgres",
	} {
		t.Run(part, func(t *testing.T) {
			if part == stack.Broker {
				needsOwnBroker(t, "it would be killed")
			}
			u := client.NewUser(t, shared.URL())
			page := client.OpenBrowser(t, u, 0)
			before := restarts(t, part)
			h := writeWhileKilling(t, u, part, func() error { return shared.Kill(part, syscall.SIGKILL) })
			h.Check(t, u, page)
			if after := restarts(t, part); after == before {
				t.Errorf("%s was not restarted: nothing was tested", part)
			}
		})
	}
}

// restarts is how often the supervisor has started a part again.
func restarts(t *testing.T, part string) int {
	t.Helper()
	for _, p := range shared.Status() {
		if p.Name == part {
			return p.Restarts
		}
	}
	t.Fatalf("there is no part %q", part)
	return 0
}

// writeWhileKilling makes chaosWrites writes and kills the part when half of them are answered.
func writeWhileKilling(t *testing.T, u *client.User, part string, kill func() error) *client.History {
	t.Helper()
	killed := false
	ctx, cancel := context.WithTimeout(t.Context(), client.RecoveryTimeout)
	defer cancel()
	h, err := client.Write(ctx, u, part, 0, func(answered int) bool {
		if answered >= chaosWrites/2 && !killed {
			killed = true
			if err := kill(); err != nil {
				t.Errorf("kill -9 %s: %v", part, err)
			}
		}
		return answered < chaosWrites
	})
	if err != nil {
		t.Fatalf("write while %s dies: %v", part, err)
	}
	return h
}
