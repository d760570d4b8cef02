package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
)

// user is one account and a client that acts as it.
type user struct {
	t     testing.TB
	base  string
	id    string
	token string
	http  *http.Client
}

// newUser registers a fresh account on the stack at base.
func newUser(t testing.TB, base string) *user {
	t.Helper()
	u := &user{t: t, base: base, http: &http.Client{Timeout: 15 * time.Second}}
	var answer struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		AccessToken string `json:"access_token"`
	}
	body := map[string]string{
		"email": uuid.NewString() + "@example.com", "password": "correct horse battery staple", "name": "Tester", "timezone": "Europe/Berlin",
	}
	eventually(t, 30*time.Second, "register", func() error {
		status, raw, err := u.do(http.MethodPost, "/api/v1/auth/register", body, nil)
		if err != nil {
			return err
		}
		if status != http.StatusCreated {
			return fmt.Errorf("status %d: %s", status, raw)
		}
		return json.Unmarshal(raw, &answer)
	})
	u.id, u.token = answer.User.ID, answer.AccessToken
	return u
}

// do sends one request and returns what came back; only a failed exchange is an error.
func (u *user) do(method, path string, body any, headers map[string]string) (int, []byte, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, u.base+path, reader)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if u.token != "" {
		req.Header.Set("Authorization", "Bearer "+u.token)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return resp.StatusCode, raw, err
}

// must sends one request, wants the given status and decodes the answer into out (which may be nil).
func (u *user) must(method, path string, body any, want int, out any) {
	u.t.Helper()
	status, raw, err := u.do(method, path, body, nil)
	if err != nil || status != want {
		u.t.Fatalf("%s %s: got %d %s (%v), want %d", method, path, status, raw, err, want)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			u.t.Fatalf("%s %s: decode %s: %v", method, path, raw, err)
		}
	}
}

// insist repeats an idempotent request until it is answered 2xx: a client whose server is killed does the same.
func (u *user) insist(ctx context.Context, method, path string, body any, headers map[string]string) (json.RawMessage, error) {
	var last error
	for ctx.Err() == nil {
		status, raw, err := u.do(method, path, body, headers)
		switch {
		case err != nil:
			last = err
		case status/100 == 2:
			return raw, nil
		case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusConflict:
			last = fmt.Errorf("status %d: %.200s", status, raw)
		default:
			return nil, fmt.Errorf("%s %s: status %d: %s", method, path, status, raw)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("%s %s: gave up: %w", method, path, last)
}

func (u *user) create(body map[string]any) events.TaskData {
	u.t.Helper()
	var task events.TaskData
	u.must(http.MethodPost, "/api/v1/tasks", body, http.StatusCreated, &task)
	return task
}

// auditEntry is what GET /audit says of one event.
type auditEntry struct {
	Position    int64  `json:"position"`
	EventID     string `json:"event_id"`
	EventType   string `json:"event_type"`
	TaskID      string `json:"task_id"`
	TaskVersion int64  `json:"task_version"`
	Seq         int64  `json:"seq"`
}

// audit returns the user's whole audit log, all pages of it, by position.
func (u *user) audit(path string) ([]auditEntry, error) {
	var all []auditEntry
	cursor := ""
	for {
		status, raw, err := u.do(http.MethodGet, path+"?limit=200&cursor="+url.QueryEscape(cursor), nil, nil)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("GET %s: status %d: %s", path, status, raw)
		}
		var page struct {
			Items      []auditEntry `json:"items"`
			NextCursor string       `json:"next_cursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all, nil
		}
		cursor = page.NextCursor
	}
}

// eventually polls until check succeeds and fails the test with its last error when the time is up.
func eventually(t testing.TB, within time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, within, err)
		}
		time.Sleep(50 * time.Millisecond) // a pause between polls, not a wait for an effect
	}
}
