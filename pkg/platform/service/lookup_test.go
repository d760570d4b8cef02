package service

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
)

// lookups stands in for the sidecar.
type lookups struct {
	raw    string
	err    error
	called []string
}

func (a *lookups) Invoke(_ context.Context, app, method, path string, body any) (int, []byte, error) {
	a.called = append(a.called, app+" "+method+" "+path+" "+body.(LookupRequest).Hash)
	return http.StatusOK, []byte(a.raw), a.err
}

// Only an answer of the route says that a token does not exist. Everything else says nothing about the token.
func TestALookUpOfAPITokens(t *testing.T) {
	t.Parallel()
	hash := [32]byte{0xab}
	const hexed = "ab00000000000000000000000000000000000000000000000000000000000000"
	want := auth.PersonalToken{ID: "i", UserID: "u", Role: "user", Scope: "read", CreatedAt: time.Unix(1, 0).UTC(), ExpiresAt: time.Unix(2, 0).UTC()}
	a := &lookups{raw: `{"token":{"id":"i","user_id":"u","role":"user","scope":"read","created_at":"1970-01-01T00:00:01Z","expires_at":"1970-01-01T00:00:02Z","new":1}}`}
	if got, err := lookup(a)(t.Context(), hash); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if len(a.called) != 1 || a.called[0] != "task-api POST /internal/tokens:lookup "+hexed {
		t.Errorf("got the calls %q", a.called)
	}
	if _, err := lookup(&lookups{raw: `{"token":null}`})(t.Context(), hash); !errors.Is(err, auth.ErrNoToken) {
		t.Errorf("no token: got %v, want ErrNoToken", err)
	}
	for name, a := range map[string]*lookups{
		"not JSON": {raw: "<html>"}, "another answer": {raw: `{"heads":{}}`}, "no answer": {err: errors.New("connection refused")}, "empty": {},
	} {
		if _, err := lookup(a)(t.Context(), hash); err == nil || errors.Is(err, auth.ErrNoToken) {
			t.Errorf("%s: got %v, want an error that says nothing about the token", name, err)
		}
	}
}
