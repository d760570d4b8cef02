package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file tests that a session ends in every service and on every socket. The promise is 5 s. A test waits for longer, because
// it shares its processors with other tests; what it waits for would otherwise happen after 15 minutes.

// password is that of every account of client.NewUser.
const password = "correct horse battery staple"

// patience bounds the wait for the end of a session.
const patience = time.Minute

// served are requests that need a token, one to each service with a public side.
var served = map[string]string{apps.TaskAPI: "/api/v1/me", apps.Audit: "/api/v1/audit", apps.Notification: "/api/v1/notifications"}

// relogin returns another session of the user.
func relogin(t *testing.T, u *client.User) *client.User {
	t.Helper()
	return session(t, u, "/api/v1/auth/login", map[string]string{"email": emailOf(u), "password": password})
}

func emailOf(u *client.User) string {
	var me struct {
		Email string `json:"email"`
	}
	u.Must(http.MethodGet, "/api/v1/me", nil, http.StatusOK, &me)
	return me.Email
}

// setRole gives a user of the shared stack another role, as its operator does.
func setRole(t *testing.T, u *client.User, role string) {
	t.Helper()
	root, err := repoRoot()
	must(t, err)
	data := filepath.Dir(filepath.Dir(shared.LogPath(apps.Audit)))
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".taskwire", "bin", "taskwire"), "user", "role", emailOf(u), role, "--data", data)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("taskwire user role %s: %v\n%s", role, err, out)
	}
}

// session makes a request whose answer has the tokens of a session, and returns that session.
func session(t *testing.T, u *client.User, path string, body any) *client.User {
	t.Helper()
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	u.Must(http.MethodPost, path, body, http.StatusOK, &tokens)
	other := u.At(t, u.Base)
	other.Token, other.Refresh = tokens.Access, tokens.Refresh
	return other
}

func logout(u *client.User) {
	u.Must(http.MethodPost, "/api/v1/auth/logout", map[string]string{"refresh_token": u.Refresh}, http.StatusNoContent, nil)
}

// wantRefused waits until every service refuses the session's token.
func wantRefused(t *testing.T, what string, u *client.User) {
	t.Helper()
	begun := time.Now()
	for app, path := range served {
		client.Eventually(t, patience, what+": "+app+" refuses its token", func() error {
			status, raw, err := u.Do(http.MethodGet, path, nil, nil)
			if err == nil && status != http.StatusUnauthorized {
				err = fmt.Errorf("got %d %.200s, want 401", status, raw)
			}
			return err
		})
	}
	t.Logf("%s: refused everywhere after %s", what, time.Since(begun).Round(time.Millisecond))
}

// wantServed checks that every service takes the session's token.
func wantServed(t *testing.T, what string, u *client.User) {
	t.Helper()
	for app, path := range served {
		if status, raw, err := u.Do(http.MethodGet, path, nil, nil); err != nil || status != http.StatusOK {
			t.Errorf("%s: %s answers %d %.200s (%v), want 200", what, app, status, raw, err)
		}
	}
}

// wantEnded waits until a page is told that its session has ended.
func wantEnded(t *testing.T, what string, page *client.Browser) {
	t.Helper()
	client.Eventually(t, patience, what+" is told that its session has ended", func() error {
		if ended := page.Ended(); ended == nil || ended.Code != live.SessionEnded.String() {
			return fmt.Errorf("ended: %+v", ended)
		}
		return nil
	})
}

func TestALogOutEndsItsSessionEverywhere(t *testing.T) {
	usesShared(t)
	a := client.NewUser(t, shared.URL())
	b := relogin(t, a)
	pageA, pageB := client.OpenBrowser(t, a, 0), client.OpenBrowser(t, b, 0)
	wantServed(t, "before", a)
	logout(a)
	wantEnded(t, "the session's page", pageA)
	wantRefused(t, "a log-out", a)
	if status, raw, err := a.Do(http.MethodPost, "/api/v1/tasks", map[string]any{"title": "t"}, nil); err != nil || status != http.StatusUnauthorized {
		t.Errorf("a write with the old token: got %d %s (%v), want 401", status, raw, err)
	}
	if code, reason := closeCode(t, a, nil); code != live.Unauthenticated {
		t.Errorf("a new socket with the old token: got the close code %d %s, want %d", code, reason, live.Unauthenticated)
	}
	wantServed(t, "the other session", b)
	b.Create(map[string]any{"title": "t"})
	client.Eventually(t, patience, "the other session's page sees the next write", func() error { return pageB.SawAll(0, 1) })
}

func TestALogOutEverywhereEndsEverySession(t *testing.T) {
	usesShared(t)
	a := client.NewUser(t, shared.URL())
	b := relogin(t, a)
	pageA, pageB := client.OpenBrowser(t, a, 0), client.OpenBrowser(t, b, 0)
	a.Must(http.MethodDelete, "/api/v1/me/sessions?all=true", nil, http.StatusNoContent, nil)
	for name, each := range map[string]struct {
		u    *client.User
		page *client.Browser
	}{"the caller": {a, pageA}, "the other session": {b, pageB}} {
		wantEnded(t, name, each.page)
		wantRefused(t, name, each.u)
	}
}

func TestAPasswordChangeEndsSocketsBeforeTheNextWrite(t *testing.T) {
	usesShared(t)
	a := client.NewUser(t, shared.URL())
	b := relogin(t, a)
	pages := map[string]*client.Browser{"the page of the request": client.OpenBrowser(t, a, 0), "another page": client.OpenBrowser(t, b, 0)}
	fresh := session(t, a, "/api/v1/me/password", map[string]string{"current_password": password, "new_password": "another horse battery staple"})
	fresh.Create(map[string]any{"title": "after the change"})
	for name, page := range pages {
		wantEnded(t, name, page)
		if err := page.SawAll(0, 0); err != nil { // it is closed: nothing can come later
			t.Errorf("%s saw the write after the change: %v", name, err)
		}
	}
	wantRefused(t, "the request's session", a)
	wantRefused(t, "the other session", b)
	for path, body := range map[string]any{"/api/v1/me": map[string]string{"name": "Eve"}, "/api/v1/tasks": map[string]string{"title": "t"}} {
		method := http.MethodPatch
		if path == "/api/v1/tasks" {
			method = http.MethodPost
		}
		if status, raw, err := a.Do(method, path, body, nil); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s %s with a token from before: got %d %s (%v), want 401", method, path, status, raw, err)
		}
	}
	if status, _, err := a.Do(http.MethodGet, "/api/v1/export?format=jsonl", nil, nil); err != nil || status != http.StatusUnauthorized {
		t.Errorf("an export with a token from before: got %d (%v), want 401", status, err)
	}
	page := client.OpenBrowser(t, fresh, 0)
	client.Eventually(t, patience, "a page with the new token sees the write", func() error { return page.SawAll(0, 1) })
}

func TestADemotedAuditorSeesOnlyTheOwnEntries(t *testing.T) {
	usesShared(t)
	u, other := client.NewUser(t, shared.URL()), client.NewUser(t, shared.URL())
	task := other.Create(map[string]any{"title": "another user's"})
	// seen returns how many of the other user's entries the user sees.
	seen := func() (int, error) {
		status, raw, err := u.Do(http.MethodGet, "/api/v1/audit/tasks/"+task.ID, nil, nil)
		switch {
		case err != nil:
			return 0, err
		case status == http.StatusNotFound:
			return 0, nil
		case status != http.StatusOK:
			return 0, fmt.Errorf("status %d: %s", status, raw)
		}
		var list struct{ Items []json.RawMessage }
		err = json.Unmarshal(raw, &list)
		return len(list.Items), err
	}
	waitFor := func(what string, want bool) {
		t.Helper()
		client.Eventually(t, patience, what, func() error {
			n, err := seen()
			if err == nil && (n > 0) != want {
				err = fmt.Errorf("the token shows %d entries of another user", n)
			}
			return err
		})
	}
	page := client.OpenBrowser(t, u, 0)
	setRole(t, u, "auditor")
	waitFor("the old token of a new auditor shows everything", true)
	setRole(t, u, "user")
	waitFor("the token of a demoted auditor shows the own entries only", false)
	if ended := page.Ended(); ended != nil {
		t.Errorf("the user's page ended with %+v: another role leaves sockets open", ended)
	}
}

func TestADeletedAccountsTokenIsRefusedEverywhere(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	u.Must(http.MethodDelete, "/api/v1/me", map[string]any{"password": password}, http.StatusNoContent, nil)
	wantRefused(t, "a deletion", u)
	if status, raw, err := u.Do(http.MethodPut, "/api/v1/preferences", map[string]any{"channels": []string{"in_app"}}, nil); err != nil || status != http.StatusUnauthorized {
		t.Errorf("PUT /preferences: got %d %s (%v), want 401", status, raw, err)
	}
}

// Without the broker no event arrives. The services ask the task API.
func TestASessionEndsWithoutTheBroker(t *testing.T) {
	needsOwnBroker(t, "it would stop them")
	disturbsShared(t)
	a := client.NewUser(t, shared.URL())
	b := relogin(t, a)
	pageA, pageB := client.OpenBrowser(t, a, 0), client.OpenBrowser(t, b, 0)
	must(t, shared.Kill(stack.Broker, syscall.SIGSTOP))
	resume := func() { must(t, shared.Kill(stack.Broker, syscall.SIGCONT)) }
	defer resume()
	logout(a)
	wantEnded(t, "the session's page", pageA)
	wantRefused(t, "a log-out without the broker", a)
	wantServed(t, "the other session", b)
	if ended := pageB.Ended(); ended != nil {
		t.Errorf("the other session's page ended with %+v", ended)
	}
}

// A sidecar that hangs delivers no event and passes no question on. The service learns what it missed when the sidecar goes on.
func TestASessionEndsAfterALongStopOfTheSidecars(t *testing.T) {
	disturbsShared(t)
	a := client.NewUser(t, shared.URL())
	b := relogin(t, a)
	page := client.OpenBrowser(t, a, 0)
	hanging := []string{apps.Audit, apps.Notification, apps.WebSocket}
	for _, app := range hanging {
		must(t, shared.Kill(stack.Sidecar(app), syscall.SIGSTOP))
	}
	logout(a)
	time.Sleep(longStops[0]) // the duration is what is tested
	for _, app := range hanging {
		must(t, shared.Kill(stack.Sidecar(app), syscall.SIGCONT))
	}
	wantEnded(t, "the session's page", page)
	wantRefused(t, "a log-out while the sidecars hang", a)
	client.Eventually(t, client.RecoveryTimeout, "the other session goes on", func() error {
		for app, path := range served {
			status, raw, err := b.Do(http.MethodGet, path, nil, nil)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("status %d: %.200s", status, raw)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", app, err)
			}
		}
		return nil
	})
}

func TestAnEndedSessionStaysEndedOverARestart(t *testing.T) {
	disturbsShared(t)
	a := client.NewUser(t, shared.URL())
	b := relogin(t, a)
	logout(a)
	wantRefused(t, "a log-out", a)
	for _, app := range apps.Public() {
		killPart(t, app)
		path := served[app]
		if path == "" {
			path = served[apps.TaskAPI]
		}
		client.Eventually(t, client.RecoveryTimeout, app+" knows the other session after its restart", func() error {
			if status, raw, err := a.Do(http.MethodGet, path, nil, nil); err == nil && status == http.StatusOK {
				return client.Final(fmt.Errorf("%s takes the ended session's token after its restart: %s", app, raw))
			}
			status, raw, err := b.Do(http.MethodGet, path, nil, nil)
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("got %d %.200s, want 200", status, raw)
			}
			return err
		})
		wantRefused(t, "after a restart of "+app, a)
	}
	client.OpenBrowser(t, b, 0) // the websocket service is back
	if code, reason := closeCode(t, a, nil); code != live.Unauthenticated {
		t.Errorf("a new socket with the old token: got the close code %d %s, want %d", code, reason, live.Unauthenticated)
	}
}
