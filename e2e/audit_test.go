package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// This file tests who sees which log-ins and reads in the audit log, and what a changed log does to its service.

// logInTypes are the types of the events of a person who logs in and out, as a filter.
const logInTypes = "login_refused,logged_in,password_changed,logged_out"

// seenEntry is what the tests read of an entry.
type seenEntry struct {
	EventID   string  `json:"event_id"`
	EventType string  `json:"event_type"`
	UserID    string  `json:"user_id"`
	TaskID    *string `json:"task_id"`
	Event     struct {
		SessionID string `json:"session_id"`
		Address   string `json:"address"`
		Route     string `json:"route"`
		Filter    string `json:"filter"`
	} `json:"event"`
}

// entriesOf returns the entries of a query that the reader sees, by position.
func entriesOf(reader *client.User, query url.Values) ([]seenEntry, error) {
	query.Set("limit", "200")
	status, raw, err := reader.Do(http.MethodGet, "/api/v1/audit?"+query.Encode(), nil, nil)
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("GET /audit?%s: %d %.300s (%w)", query.Encode(), status, raw, err)
	}
	var page struct{ Items []seenEntry }
	return page.Items, json.Unmarshal(raw, &page)
}

func typesOf(entries []seenEntry) (types []string) {
	for _, e := range entries {
		types = append(types, e.EventType)
	}
	return types
}

func TestAUserSeesTheOwnLogInsInTheAuditLog(t *testing.T) {
	usesShared(t)
	u, other, auditor := client.NewUser(t, shared.URL()), client.NewUser(t, shared.URL()), client.NewUser(t, shared.URL())
	email := emailOf(u)
	begun, err := entriesOf(u, url.Values{"event_type": {logInTypes}})
	if err != nil || len(begun) != 0 {
		t.Fatalf("entries of log-ins after the registration: got %v (%v), want none", typesOf(begun), err)
	}
	u.Must(http.MethodPost, "/api/v1/auth/login", map[string]string{"email": email, "password": "not the password"}, http.StatusUnauthorized, nil)
	second := relogin(t, u)
	const changed = "another horse battery staple"
	third := session(t, second, "/api/v1/me/password", map[string]string{"current_password": password, "new_password": changed})
	logout(third)
	last := session(t, u, "/api/v1/auth/login", map[string]string{"email": email, "password": changed})

	want := []string{"login_refused", "logged_in", "password_changed", "logged_out", "logged_in"}
	var own []seenEntry
	client.Eventually(t, patience, "the user sees the own log-ins in order, each once", func() error {
		if own, err = entriesOf(last, url.Values{"event_type": {logInTypes}}); err != nil {
			return err
		}
		if got := typesOf(own); !slices.Equal(got, want) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	})
	for i, e := range own {
		if e.UserID != u.ID || e.TaskID != nil || e.Event.Address == "" || i > 0 && e.Event.SessionID == "" {
			t.Errorf("entry %d: got %+v, want the user %s, no task, an address, and after the first one a session", i, e, u.ID)
		}
	}

	if seen, err := entriesOf(other, url.Values{}); err != nil || slices.ContainsFunc(seen, func(e seenEntry) bool { return e.UserID != other.ID }) {
		t.Errorf("another user sees entries that are not the own ones: %+v (%v)", seen, err)
	}
	if status, raw, err := other.Do(http.MethodGet, "/api/v1/audit?user_id="+u.ID, nil, nil); err != nil || status != http.StatusForbidden {
		t.Errorf("another user asks for them: got %d %s (%v), want 403", status, raw, err)
	}

	setRole(t, auditor, "auditor")
	client.Eventually(t, patience, "an auditor sees the same entries", func() error {
		seen, err := entriesOf(auditor, url.Values{"user_id": {u.ID}, "event_type": {logInTypes}})
		if err == nil && !slices.Equal(seen, own) {
			err = fmt.Errorf("got %+v, want %+v", seen, own)
		}
		return err
	})
	reads, err := entriesOf(auditor, url.Values{"user_id": {auditor.ID}, "event_type": {"audit_read"}})
	if err != nil || len(reads) != 1 {
		t.Fatalf("entries of the auditor's reads: got %+v (%v), want one", reads, err)
	}
	if read := reads[0]; read.UserID != auditor.ID || read.Event.Route != "/api/v1/audit" || !strings.Contains(read.Event.Filter, "user_id="+u.ID) || read.Event.Address == "" {
		t.Errorf("the read: got %+v, want that %s asked /api/v1/audit for %s", read, auditor.ID, u.ID)
	}
	if seen, err := entriesOf(last, url.Values{"event_type": {"audit_read"}}); err != nil || len(seen) != 0 {
		t.Errorf("the user sees the reads of an auditor: %+v (%v), want none", seen, err)
	}
}

// A check of the whole log runs at the start of the service and every minute. The test restarts the service, to wait for less.
func TestAChangedAuditLogIsNamedAndNotSigned(t *testing.T) {
	startsAStack(t)
	needsOwnBroker(t, "a second stack would share the first one's consumer groups")
	root, err := repoRoot()
	must(t, err)
	s, stop, err := startStack(t.Context(), stackConfig(root, t.TempDir()))
	must(t, err)
	defer func() { must(t, stop()) }()
	showLogs(t, s, apps.Audit)
	u := client.NewUser(t, s.URL())
	u.Create(map[string]any{"title": "before"})
	db, err := pgx.Connect(t.Context(), s.PostgresURL("audit"))
	must(t, err)
	defer func() { _ = db.Close(t.Context()) }()
	has := func(entries int64) error {
		var size int64
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM entries`).Scan(&size); err != nil || size != entries {
			return fmt.Errorf("%d entries (%w), want %d", size, err, entries)
		}
		return nil
	}
	client.Eventually(t, time.Minute, "the audit log has the registration and the task", func() error { return has(2) })
	signed := signedSize(t, u)

	var actor string
	must(t, db.QueryRow(t.Context(), `SELECT actor FROM entries WHERE position = 0`).Scan(&actor))
	// change changes a column of the first entry while the service runs, and restarts it.
	change := func(actor string) {
		t.Helper()
		_, err := db.Exec(t.Context(), `UPDATE entries SET actor = $1 WHERE position = 0`, actor)
		must(t, err)
		must(t, s.Stop(apps.Audit))
		must(t, s.Start(apps.Audit))
	}
	readyz := strings.TrimSuffix(s.MetricsURL(apps.Audit), "/metrics") + "/readyz"
	ready := func(status int, part string) error {
		resp, err := http.Get(readyz)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		if resp.StatusCode != status || !strings.Contains(string(raw), part) {
			return fmt.Errorf("/readyz of audit: got %d %s, want %d with %s", resp.StatusCode, raw, status, part)
		}
		return nil
	}

	change("nobody")
	client.Eventually(t, client.RecoveryTimeout, "the changed log is named", func() error { return ready(http.StatusServiceUnavailable, `"log":"unavailable"`) })
	u.Create(map[string]any{"title": "after the change"})
	client.Eventually(t, client.RecoveryTimeout, "entries are still added", func() error { return has(3) })
	if size := signedSize(t, u); size != signed {
		t.Errorf("the checkpoint that a changed log shows: got the size %d, want that of the last good one, %d", size, signed)
	}
	var kept int64
	must(t, db.QueryRow(t.Context(), `SELECT max(size) FROM checkpoints`).Scan(&kept))
	if kept > signed {
		t.Errorf("the newest checkpoint of a changed log: got the size %d, want %d", kept, signed)
	}

	change(actor)
	client.Eventually(t, client.RecoveryTimeout, "a log that is put right is ready", func() error { return ready(http.StatusOK, `"log":"ok"`) })
	client.Eventually(t, client.RecoveryTimeout, "the new entries are signed", func() error {
		if size := signedSize(t, u); size <= signed {
			return fmt.Errorf("the size is %d", size)
		}
		return nil
	})
}

// signedSize returns the size of the signed checkpoint that the log shows.
func signedSize(t *testing.T, u *client.User) (size int64) {
	t.Helper()
	client.Eventually(t, client.RecoveryTimeout, "a signed checkpoint", func() error {
		status, raw, err := u.Do(http.MethodGet, "/api/v1/audit/checkpoint", nil, nil)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %.300s (%w)", status, raw, err)
		}
		lines := strings.SplitN(string(raw), "\n", 3)
		if _, err := fmt.Sscan(lines[min(1, len(lines)-1)], &size); err != nil {
			return fmt.Errorf("%q: %w", raw, err)
		}
		return nil
	})
	return size
}
