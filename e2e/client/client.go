// Package client has the clients of the whole-stack tests: accounts that write and read, browsers that watch, and histories
// of writes that are checked against the promise afterwards. It only knows the address of an origin, so the same tests run
// on one machine and on a cluster.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
)

const (
	// requestTimeout bounds one request of a client.
	requestTimeout = 15 * time.Second
	// registerTimeout bounds a registration: the service may be restarting.
	registerTimeout = 30 * time.Second
	// maxAnswer bounds what is read of an answer: the largest export of a test.
	maxAnswer = 16 << 20
	// retryPause is the pause between two attempts of Insist.
	retryPause = 100 * time.Millisecond
	// pollPause is the pause between two checks of Eventually.
	pollPause = 50 * time.Millisecond
	// auditPage is the largest page of the audit log.
	auditPage = 200
)

// User is one account, and a client that acts as this account.
type User struct {
	Base    string // the origin
	ID      string
	Token   string // the access token
	Refresh string // the refresh token of the registration

	t    testing.TB
	http *http.Client
}

// NewUser registers a new account at the origin base.
func NewUser(t testing.TB, base string) *User {
	t.Helper()
	u := &User{t: t, Base: base, http: &http.Client{Timeout: requestTimeout}}
	var answer struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	body := map[string]string{
		"email": uuid.NewString() + "@example.com", "password": "correct horse battery staple", "name": "Tester", "timezone": "Europe/Berlin",
	}
	Eventually(t, registerTimeout, "register", func() error {
		status, raw, err := u.Do(http.MethodPost, "/api/v1/auth/register", body, nil)
		if err != nil {
			return err
		}
		if status != http.StatusCreated {
			return fmt.Errorf("status %d: %s", status, raw)
		}
		return json.Unmarshal(raw, &answer)
	})
	u.ID, u.Token, u.Refresh = answer.User.ID, answer.AccessToken, answer.RefreshToken
	return u
}

// At returns the same account for another test or another origin.
func (u *User) At(t testing.TB, base string) *User {
	other := *u
	other.t, other.Base = t, base
	return &other
}

// Do sends one request and returns the answer. The error says that there was no answer.
func (u *User) Do(method, path string, body any, headers map[string]string) (int, []byte, error) {
	return u.do(u.t.Context(), method, path, body, headers)
}

func (u *User) do(ctx context.Context, method, path string, body any, headers map[string]string) (int, []byte, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.Base+path, reader)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if u.Token != "" {
		req.Header.Set("Authorization", "Bearer "+u.Token)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, raw, err
}

// Must sends one request and decodes the answer into out, which may be nil. It fails the test for another status.
func (u *User) Must(method, path string, body any, want int, out any) {
	u.t.Helper()
	status, raw, err := u.Do(method, path, body, nil)
	if err != nil || status != want {
		u.t.Fatalf("%s %s: got %d %s (%v), want %d", method, path, status, raw, err, want)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			u.t.Fatalf("%s %s: decode %s: %v", method, path, raw, err)
		}
	}
}

// Insist repeats an idempotent request until it is answered 2xx, as a client does whose server restarts. It returns an
// error when ctx ends, or for a status that another attempt cannot change. The loop is its own: backoff.Retry would replace
// the last answer by the error of ctx.
func (u *User) Insist(ctx context.Context, method, path string, body any, headers map[string]string) (json.RawMessage, error) {
	var last error
	for ctx.Err() == nil {
		status, raw, err := u.do(ctx, method, path, body, headers)
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
		case <-time.After(retryPause):
		}
	}
	return nil, fmt.Errorf("%s %s: gave up: %w", method, path, last)
}

// Create creates a task.
func (u *User) Create(body map[string]any) events.TaskData {
	u.t.Helper()
	var task events.TaskData
	u.Must(http.MethodPost, "/api/v1/tasks", body, http.StatusCreated, &task)
	return task
}

// AuditEntry is one entry of GET /audit.
type AuditEntry struct {
	Position    int64  `json:"position"`
	EventID     string `json:"event_id"`
	EventType   string `json:"event_type"`
	TaskID      string `json:"task_id"`
	TaskVersion int64  `json:"task_version"`
	Seq         int64  `json:"seq"`
}

// Audit returns the entries about tasks of all pages of the user's audit log, by position. Those about the account are left out.
func (u *User) Audit(path string) ([]AuditEntry, error) {
	var all []AuditEntry
	cursor := ""
	for {
		status, raw, err := u.Do(http.MethodGet, fmt.Sprintf("%s?limit=%d&cursor=%s", path, auditPage, url.QueryEscape(cursor)), nil, nil)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("GET %s: status %d: %s", path, status, raw)
		}
		var page struct {
			Items      []AuditEntry `json:"items"`
			NextCursor string       `json:"next_cursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			if e.TaskID != "" {
				all = append(all, e)
			}
		}
		if page.NextCursor == "" {
			return all, nil
		}
		cursor = page.NextCursor
	}
}

// Final marks an error that waiting cannot mend.
func Final(err error) error { return &final{err} }

type final struct{ err error }

func (f *final) Error() string { return f.err.Error() }
func (f *final) Unwrap() error { return f.err }

// Eventually polls until check returns nil. When the time is over, or at once for an error that is Final, it fails the test
// with the last error.
func Eventually(t testing.TB, within time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := check()
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*final](err); ok {
			t.Fatalf("%s: %v", what, err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, within, err)
		}
		time.Sleep(pollPause)
	}
}
