package e2e

import (
	"net/http"
	"testing"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// scripted returns the user with a new personal API token instead of a session, and the token's id.
func scripted(t *testing.T, u *client.User, name string, scopes ...string) (script *client.User, id string) {
	t.Helper()
	var made struct{ ID, Token string }
	u.Must(http.MethodPost, "/api/v1/me/tokens", map[string]any{"name": name, "scopes": scopes}, http.StatusCreated, &made)
	script = u.At(t, u.Base)
	script.Token, script.Refresh = made.Token, ""
	return script, made.ID
}

func TestAnAPITokenOpensEveryServiceUntilItIsRevoked(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	reads, id := scripted(t, u, "reads", "read")
	writes, _ := scripted(t, u, "writes", "read", "write")
	wantServed(t, "a token that reads", reads)
	page := client.OpenBrowser(t, reads, 0)
	writes.Create(map[string]any{"title": "by a script"})
	client.Eventually(t, patience, "a page with the token sees the write", func() error { return page.SawAll(0, 1) })
	for path, method := range map[string]string{"/api/v1/tasks": http.MethodPost, "/api/v1/preferences": http.MethodPut} {
		if status, raw, err := reads.Do(method, path, map[string]string{"title": "t"}, nil); err != nil || status != http.StatusForbidden {
			t.Errorf("%s %s with a token that only reads: got %d %s (%v), want 403", method, path, status, raw, err)
		}
	}
	u.Must(http.MethodDelete, "/api/v1/me/tokens/"+id, nil, http.StatusNoContent, nil)
	wantEnded(t, "the page with the token", page)
	wantRefused(t, "a revoked token", reads)
	if code, reason := closeCode(t, reads, nil); code != live.Unauthenticated {
		t.Errorf("a new socket with the revoked token: got the close code %d %s, want %d", code, reason, live.Unauthenticated)
	}
	wantServed(t, "the other token", writes)
	u.Must(http.MethodDelete, "/api/v1/me", map[string]string{"password": password}, http.StatusNoContent, nil)
	wantRefused(t, "the token of a deleted account", writes)
}
