package watch

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// issuer answers POST /api/v1/auth/refresh with the given answers in turn.
type issuer struct {
	url     string
	answers []string // a status line and a body
	asked   []string // the refresh tokens that came
}

func newIssuer(t *testing.T, answers ...string) *issuer {
	t.Helper()
	i := &issuer{answers: answers}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/auth/refresh", func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 1<<10)
		n, _ := r.Body.Read(body)
		i.asked = append(i.asked, string(body[:n]))
		if len(i.answers) == 0 {
			t.Errorf("a request after the last answer: %s", body[:n])
			return
		}
		kind, text, _ := strings.Cut(i.answers[0], " ")
		i.answers = i.answers[1:]
		w.WriteHeader(map[string]int{"ok": 200, "refused": 401, "conflict": 409, "busy": 503, "slow": 429}[kind])
		_, _ = w.Write([]byte(text))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	i.url = srv.URL
	return i
}

func session(access, refresh string) string {
	return `ok {"user":{},"access_token":"` + access + `","refresh_token":"` + refresh + `","expires_in":900}`
}

func tokens(s *server) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.auths {
		all = append(all, a.Token)
	}
	return all
}

func ending(code live.Code) *live.Closing {
	closing := code.Closing()
	return &closing
}

func TestAnExpiredTokenIsRenewedAndTheWatchGoesOn(t *testing.T) {
	t.Parallel()
	s := newServer(t,
		connection{frames: []live.ServerFrame{live.Welcome{}, live.Event{Seq: 1}}, close: ending(live.TokenExpired)},
		connection{frames: []live.ServerFrame{live.Welcome{Seq: 1}, live.Event{Seq: 2}}, close: ending(live.TokenExpired)},
		connection{frames: []live.ServerFrame{live.Welcome{Seq: 2}, live.Event{Seq: 3}}},
	)
	i := newIssuer(t, "busy", session("a1", "r1"), "slow", session("a2", "r2"))
	var saved []string
	login := &Login{URL: i.url, Refresh: "r0", Save: func(token string) error { saved = append(saved, token); return nil }}
	out, err := watch(t, Config{URL: s.url, Since: 0, Count: 3, Renew: login.Renew})
	if err != nil || strings.Count(out, `"type":"event"`) != 3 {
		t.Errorf("Run: got %v and\n%s\nwant three events", err, out)
	}
	wantSinces(t, s, 0, 1, 2)
	if got, want := tokens(s), []string{"t", "a1", "a2"}; !slices.Equal(got, want) {
		t.Errorf("tokens of the auth frames: got %q, want %q", got, want)
	}
	if want := []string{"r1", "r2"}; !slices.Equal(saved, want) {
		t.Errorf("saved refresh tokens: got %q, want %q", saved, want)
	}
	want := []string{`{"refresh_token":"r0"}`, `{"refresh_token":"r0"}`, `{"refresh_token":"r1"}`, `{"refresh_token":"r1"}`}
	if !slices.Equal(i.asked, want) {
		t.Errorf("requests: got %q, want %q", i.asked, want)
	}
}

func TestAWatchCanBeginWithARefreshTokenAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t, connection{frames: []live.ServerFrame{live.Welcome{}, live.Event{Seq: 1}}})
	i := newIssuer(t, session("a1", "r1"))
	cfg := Config{URL: s.url, Count: 1, Out: io.Discard, Renew: (&Login{URL: i.url, Refresh: "r0"}).Renew}
	if err := run(t.Context(), cfg, quickPause, quickPause); err != nil {
		t.Fatalf("Run: %v", err)
	}
	if got := tokens(s); !slices.Equal(got, []string{"a1"}) {
		t.Errorf("tokens of the auth frames: got %q, want a1", got)
	}
}

// Otherwise the watch would ask for tokens for ever.
func TestANewTokenThatIsRefusedTooEndsTheWatch(t *testing.T) {
	t.Parallel()
	s := newServer(t, connection{close: ending(live.Unauthenticated)}, connection{close: ending(live.Unauthenticated)})
	i := newIssuer(t, session("a1", "r1"))
	_, err := watch(t, Config{URL: s.url, Count: 1, Renew: (&Login{URL: i.url, Refresh: "r0"}).Renew})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), live.Codes[live.Unauthenticated].Message) || len(i.asked) != 1 {
		t.Errorf("got %v after %d renewals, want ErrRefused with the server's words after one", err, len(i.asked))
	}
}

func TestARefusedRefreshTokenEndsWithTheServersWords(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`refused {"status":401,"detail":"The refresh token is not valid. Log in again."}`: "The refresh token is not valid. Log in again.",
		`conflict {"status":409,"detail":"This server uses the accounts of X."}`:          "This server uses the accounts of X.",
		"refused <html>": "The refresh token was answered 401 Unauthorized.",
	} {
		s := newServer(t, connection{close: ending(live.TokenExpired)})
		i := newIssuer(t, answer)
		_, err := watch(t, Config{URL: s.url, Count: 1, Renew: (&Login{URL: i.url, Refresh: "r0"}).Renew})
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) || len(tokens(s)) != 1 {
			t.Errorf("%s: got %v, want ErrRefused with %q", answer, err, want)
		}
	}
}

// The server has replaced the old token already: the next run would end the log-in.
func TestARefreshTokenThatCannotBeSavedEndsTheWatch(t *testing.T) {
	t.Parallel()
	s := newServer(t, connection{close: ending(live.TokenExpired)})
	i := newIssuer(t, session("a1", "r1"))
	full := errors.New("no space left on device")
	login := &Login{URL: i.url, Refresh: "r0", Save: func(string) error { return full }}
	if _, err := watch(t, Config{URL: s.url, Count: 1, Renew: login.Renew}); !errors.Is(err, full) || !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused and %v", err, full)
	}
}

func TestAnAPITokenIsSentAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t,
		connection{frames: []live.ServerFrame{live.Welcome{}, live.Event{Seq: 1}}, close: ending(live.TokenExpired)},
		connection{frames: []live.ServerFrame{live.Welcome{Seq: 1}, live.Event{Seq: 2}}, close: ending(live.Unauthenticated)},
	)
	token := apiToken + "x"
	if _, err := watch(t, Config{URL: s.url, Token: token, Count: 3}); !errors.Is(err, ErrRefused) {
		t.Errorf("a token that was revoked: got %v, want ErrRefused", err)
	}
	wantSinces(t, s, 0, 1)
	if got := tokens(s); !slices.Equal(got, []string{token, token}) {
		t.Errorf("tokens of the auth frames: got %q, want the same twice", got)
	}
}
