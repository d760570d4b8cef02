package invocation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/invocation"
)

const (
	ada   = "0190a000-0000-7000-8000-0000000000aa"
	bob   = "0190a000-0000-7000-8000-0000000000bb"
	token = "token of the sidecar"
)

// log stands in for the store. It keeps changes 3 to 5 of ada's inbox.
type log struct {
	err   error
	since int64
	limit int
}

func (l *log) Changes(_ context.Context, userID string, since int64, limit int) (domain.ChangePage, error) {
	l.since, l.limit = since, limit
	switch {
	case l.err != nil:
		return domain.ChangePage{}, l.err
	case userID != ada:
		return domain.ChangePage{Items: []json.RawMessage{}}, nil
	case since < 2:
		return domain.ChangePage{}, fmt.Errorf("read: %w", domain.ErrTooOld)
	}
	return domain.ChangePage{Items: []json.RawMessage{json.RawMessage(`{"notification_seq":3}`)}, Head: 5, Oldest: 3, HasMore: true, Unread: 2}, nil
}

func (l *log) Heads(context.Context, []string) (map[string]int64, error) {
	return map[string]int64{ada: 5}, l.err
}

func TestEachRequestHasItsAnswer(t *testing.T) {
	t.Parallel()
	const changes, heads = "/internal/notifications?user_id=", "/internal/notification-heads"
	ids := func(n int) string { return `{"user_ids":[` + strings.Repeat(`"`+bob+`",`, n-1) + `"` + ada + `"]}` }
	for _, c := range []struct {
		method, path, body string
		status             int
		answer             string // a part of it
	}{
		{"GET", changes + ada + "&since=2&limit=1", "", 200, `{"has_more":true,"head":5,"items":[{"notification_seq":3}],"oldest":3,"unread":2}`},
		{"GET", changes + bob, "", 200, `{"has_more":false,"head":0,"items":[],"oldest":0,"unread":0}`},
		{"GET", changes + ada + "&since=1", "", http.StatusGone, `"title":"Gone"`},
		{"GET", changes + ada + "&since=-1", "", http.StatusBadRequest, `"field":"since"`},
		{"GET", changes + ada + "&since=x", "", http.StatusBadRequest, `"field":"since"`},
		{"GET", changes + ada + "&since=2&limit=500", "", 200, `"head":5`},
		{"GET", changes + ada + "&since=2&limit=501", "", http.StatusBadRequest, `"field":"limit"`},
		{"GET", changes + ada + "&since=2&color=red", "", 200, `"head":5`},
		{"GET", changes + "x", "", http.StatusBadRequest, `"field":"user_id"`},
		{"GET", "/internal/notifications", "", http.StatusBadRequest, `"field":"user_id"`},
		{"POST", heads, ids(2), 200, `{"heads":{"` + ada + `":5}}`},
		{"POST", heads, ids(1000), 200, `"heads"`},
		{"POST", heads, ids(1001), http.StatusBadRequest, `"field":"user_ids"`},
		{"POST", heads, `{"user_ids":["x"]}`, http.StatusBadRequest, `"field":"user_ids"`},
		{"POST", heads, `{`, http.StatusBadRequest, `"status":400`},
	} {
		if status, body := do(t, &log{}, c.method, c.path, c.body, token); status != c.status || !strings.Contains(body, c.answer) {
			t.Errorf("%s %s %s: got %d %s, want %d with %s", c.method, c.path, c.body, status, body, c.status, c.answer)
		}
		if status, body := do(t, &log{}, c.method, c.path, c.body, "another"); status != http.StatusUnauthorized {
			t.Errorf("%s %s without the sidecar's token: got %d %s, want 401", c.method, c.path, status, body)
		}
	}
}

func TestAPageHasALengthWithoutALimit(t *testing.T) {
	t.Parallel()
	l := &log{}
	do(t, l, "GET", "/internal/notifications?user_id="+bob+"&since=7", "", token)
	if l.since != 7 || l.limit != 100 {
		t.Errorf("asked for %d changes after %d, want 100 after 7", l.limit, l.since)
	}
}

func TestAFailureOfTheDatabaseIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, r := range [][3]string{
		{"GET", "/internal/notifications?user_id=" + ada, ""},
		{"POST", "/internal/notification-heads", `{"user_ids":["` + ada + `"]}`},
	} {
		if status, body := do(t, &log{err: errors.New("no")}, r[0], r[1], r[2], token); status != http.StatusInternalServerError {
			t.Errorf("%s %s: got %d %s, want 500", r[0], r[1], status, body)
		}
	}
}

func do(t *testing.T, l *log, method, path, body, token string) (status int, answer string) {
	t.Helper()
	server := subscribe.New(subscribe.Config{Token: "token of the sidecar", Consumer: "notification"})
	invocation.Register(server, l)
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("dapr-api-token", token)
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	server.Handler().ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}
