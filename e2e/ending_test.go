package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// TestADeletedAccountLeavesNothingButItsAuditEntries deletes an account that has data in every service, and reads their
// databases.
func TestADeletedAccountLeavesNothingButItsAuditEntries(t *testing.T) {
	usesShared(t)
	u, other := client.NewUser(t, shared.URL()), client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	past, far := time.Now().UTC().Format(time.RFC3339), time.Now().UTC().Add(48*time.Hour).Format(time.RFC3339)
	due := time.Now().UTC().Add(72 * time.Hour).Format(time.RFC3339)
	reminded := map[string]any{"title": "reminds at once", "due_at": due, "remind_at": past}
	done := u.Create(reminded)
	u.Create(map[string]any{"title": "reminds some day", "due_at": due, "remind_at": far})
	other.Create(reminded)
	client.Eventually(t, time.Minute, "the reminder", func() error {
		if len(page.Notifications()) == 0 {
			return errNothingYet
		}
		return nil
	})
	u.Must(http.MethodPost, "/api/v1/tasks/"+done.ID+"/complete", nil, http.StatusOK, nil) // its reminder was delivered, so this makes no ReminderEvent
	for _, each := range []*client.User{u, other} {
		each.Must(http.MethodPut, "/api/v1/preferences", map[string]any{"channels": []string{"in_app"}}, http.StatusOK, nil)
	}
	const notified = `SELECT (SELECT count(*) FROM reminders WHERE user_id = $1) + (SELECT count(*) FROM notifications WHERE user_id = $1) +
		(SELECT count(*) FROM preferences WHERE user_id = $1)`
	for who, want := range map[*client.User]int{u: 4, other: 3} { // reminders, a notification, the preferences
		client.Eventually(t, time.Minute, "notification has stored everything", func() error {
			if n := rows(t, "notifications", notified, who.ID); n != want {
				return fmt.Errorf("it has %d rows, want %d", n, want)
			}
			return nil
		})
	}
	client.Eventually(t, time.Minute, "the open browser is up to date", func() error { return page.SawAll(0, 3) })

	u.Must(http.MethodDelete, "/api/v1/me", map[string]any{"password": "correct horse battery staple"}, http.StatusNoContent, nil)
	for name, since := range map[string]*int64{"no since": nil, "since 0": new(int64(0)), "the head": new(int64(5)), "above the head": new(int64(99))} {
		if code, reason := closeCode(t, u, since); code != live.AccountGone || !strings.Contains(reason, live.AccountGone.String()) {
			t.Errorf("a new socket with %s: got the close code %d %s, want %d %s", name, code, reason, live.AccountGone, live.AccountGone)
		}
	}
	client.Eventually(t, time.Minute, "the open browser sees the deletion of the tasks", func() error { return page.SawAll(0, 5) })
	client.Eventually(t, time.Minute, "the open browser is told that the account is gone", func() error {
		if ended := page.Ended(); ended == nil || ended.Code != live.AccountGone.String() {
			return fmt.Errorf("ended: %+v", ended)
		}
		return nil
	})
	for database, sql := range map[string]string{
		"notifications": notified,
		"tasks": `SELECT (SELECT count(*) FROM users WHERE id = $1) + (SELECT count(*) FROM heads WHERE user_id = $1) + (SELECT count(*) FROM tasks WHERE user_id = $1) +
			(SELECT count(*) FROM changes WHERE user_id = $1) + (SELECT count(*) FROM account_deletions WHERE user_id = $1)`,
	} {
		client.Eventually(t, time.Minute, "nothing is left in "+database, func() error {
			if n := rows(t, database, sql, u.ID); n > 0 {
				return fmt.Errorf("%d rows are left", n)
			}
			return nil
		})
	}
	client.Eventually(t, time.Minute, "the audit log has everything up to the deletion", func() error {
		if n := rows(t, "audit", `SELECT count(*) FROM entries WHERE user_id = $1 AND task_id IS NOT NULL`, u.ID); n != 5 { // its token is refused by now
			return fmt.Errorf("it has %d entries of tasks, want 5", n)
		}
		return nil
	})
	if n := rows(t, "notifications", notified, other.ID); n != 3 {
		t.Errorf("notification has %d rows of another user, want 3: its reminder, its notification and its preferences", n)
	}
}

// rows returns the number that a query for a user gives in a service's database.
func rows(t *testing.T, database, sql, userID string) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, shared.PostgresURL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql, userID).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// closeCode connects with since, or without when it is nil, and returns how the server closes the connection.
func closeCode(t *testing.T, u *client.User, since *int64) (code live.Code, reason string) {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{live.Subprotocol}, HandshakeTimeout: 5 * time.Second}
	conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(u.Base, "http")+"/ws", http.Header{"Origin": {u.Base}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	defer conn.Close()
	auth, err := live.Auth{Token: u.Token, Since: since}.Encode()
	if err := errors.Join(err, conn.SetReadDeadline(time.Now().Add(30*time.Second)), conn.WriteMessage(websocket.TextMessage, auth)); err != nil {
		t.Fatal(err)
	}
	for {
		var frame json.RawMessage
		err := conn.ReadJSON(&frame)
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
			return live.Code(closed.Code), closed.Text
		}
		if err != nil {
			t.Fatalf("got %v, want the connection to be closed by the server", err)
		}
	}
}
