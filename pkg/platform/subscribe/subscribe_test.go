package subscribe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// routed is a rig with a binding and an invocation.
func routed(t *testing.T, edit func(*Config)) *rig {
	r := newRig(t, edit)
	r.server.Binding("reminder-cron", func(context.Context) error { return nil })
	r.server.Invoke(http.MethodPost, "/internal/heads", func(c *gin.Context) error {
		c.JSON(http.StatusOK, gin.H{"heads": gin.H{}})
		return nil
	})
	return r
}

func TestEveryRouteButHealthRequiresTheToken(t *testing.T) {
	t.Parallel()
	r := routed(t, nil)
	routes := []string{"POST /events/" + topic, "POST /events/none", "POST /reminder-cron", "OPTIONS /reminder-cron", "POST /internal/heads",
		"GET /dapr/subscribe", "GET /dapr/config", "GET /none", "POST /healthz", "HEAD /healthz", "GET /healthz/", "GET //healthz"}
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		for name, set := range map[string]func(http.Header){
			"none":         func(http.Header) {},
			"empty":        func(h http.Header) { h.Set(tokenHeader, "") },
			"wrong":        func(h http.Header) { h.Set(tokenHeader, "token of another!!!!") },
			"prefix":       func(h http.Header) { h.Set(tokenHeader, token[:5]) },
			"longer":       func(h http.Header) { h.Set(tokenHeader, token+"x") },
			"bearer":       func(h http.Header) { h.Set("Authorization", "Bearer "+token) },
			"wrong, right": func(h http.Header) { h[http.CanonicalHeaderKey(tokenHeader)] = []string{"x", token} },
		} {
			req := httptest.NewRequest(method, "http://app"+path, strings.NewReader(usual()))
			set(req.Header)
			w := httptest.NewRecorder()
			r.server.Handler().ServeHTTP(w, req)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("%s with token %s: got %d %s, want 401", route, name, w.Code, w.Body)
			}
		}
	}
	if got := r.counts(topic); len(got) > 0 {
		t.Errorf("got deliveries %v, want none", got)
	}
	if lines := r.lines(); len(lines) != 1 || lines[0]["level"] != "WARN" {
		t.Errorf("got %d lines about refused requests, want the first only: %v", len(lines), lines)
	}
	if strings.Contains(r.log.String(), token) {
		t.Error("the token is in the log")
	}
}

func TestWithAnEmptyTokenEveryRequestIsRefused(t *testing.T) {
	t.Parallel()
	r := routed(t, func(c *Config) { c.Token = "" })
	for _, header := range [][]string{{tokenHeader, ""}, {tokenHeader, token}} {
		if w := r.do(http.MethodPost, "/events/"+topic, usual(), header...); w.Code != http.StatusUnauthorized {
			t.Errorf("got %d, want 401", w.Code)
		}
	}
	if w := r.do(http.MethodGet, "/healthz", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("GET /healthz: got %d, want 503, so that nothing is delivered", w.Code)
	}
	if lines := r.lines(); len(lines) == 0 || lines[0]["level"] != "ERROR" {
		t.Errorf("got %v, want an error line from the start", lines)
	}
}

func TestHealthFollowsTheCheckAndLogsOnlyChanges(t *testing.T) {
	t.Parallel()
	var err error
	r := newRig(t, func(c *Config) { c.Health = func(context.Context) error { return err } })
	for n, step := range []struct {
		err    error
		status int
	}{{nil, 200}, {errors.New("dial tcp 10.0.0.7:5432: refused"), 503}, {errBoom, 503}, {nil, 200}, {nil, 200}} {
		err = step.err
		w := r.do(http.MethodGet, "/healthz", "", tokenHeader, "")
		if w.Code != step.status || strings.Contains(w.Body.String(), "10.0.0.7") {
			t.Errorf("step %d: got %d %s, want %d without the reason", n, w.Code, w.Body, step.status)
		}
	}
	if lines := r.lines(); len(lines) != 2 || !strings.Contains(fmt.Sprint(lines[0]), "10.0.0.7") {
		t.Errorf("got %v, want one line with the reason and one for the recovery", lines)
	}
	sick := newRig(t, func(c *Config) { c.Health = func(context.Context) error { panic("boom") } })
	if w := sick.do(http.MethodGet, "/healthz", ""); w.Code != 503 {
		t.Errorf("a panic in the check: got %d, want 503", w.Code)
	}
	synctest.Test(t, func(t *testing.T) {
		hanging := newRig(t, func(c *Config) { c.Health = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() } })
		if w := hanging.do(http.MethodGet, "/healthz", ""); w.Code != 503 {
			t.Errorf("a hanging check: got %d, want 503", w.Code)
		}
	})
}

func TestAnUnknownRouteIs503(t *testing.T) {
	t.Parallel()
	r := routed(t, nil)
	for _, route := range []string{"POST /events/none", "POST /events/" + topic + "/", "POST /events", "GET /events/" + topic, "PUT /events/" + topic, "POST /none",
		"OPTIONS /none", "GET /internal/heads", "POST /internal/heads/", "POST //events/" + topic, "POST /EVENTS/" + topic, "BREW /"} {
		method, path, _ := strings.Cut(route, " ")
		if w := r.do(method, "http://app"+path, usual()); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: got %d, want 503: after 404 daprd drops the event", route, w.Code)
		}
	}
	for route, want := range map[string]string{"/dapr/subscribe": "[]", "/dapr/config": "{}"} {
		if w := r.do(http.MethodGet, route, ""); w.Code != 200 || w.Body.String() != want {
			t.Errorf("GET %s: got %d %s, want 200 %s", route, w.Code, w.Body, want)
		}
	}
}

func TestABindingIsAnsweredWithItsResult(t *testing.T) {
	t.Parallel()
	var next func(ctx context.Context) error
	r := newRig(t, nil)
	r.server.Binding("reminder-cron", func(ctx context.Context) error { return next(ctx) })
	for name, tc := range map[string]struct {
		fn     func(context.Context) error
		status int
		lines  int
	}{
		"success": {func(context.Context) error { return nil }, 200, 0},
		"error":   {func(context.Context) error { return errBoom }, 500, 1},
		"panic":   {func(context.Context) error { panic("boom") }, 500, 1},
	} {
		next = tc.fn
		before := len(r.lines())
		if w := r.do(http.MethodPost, "/reminder-cron", ""); w.Code != tc.status || strings.Contains(w.Body.String(), "boom") {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, tc.status)
		}
		if got := len(r.lines()) - before; got != tc.lines {
			t.Errorf("%s: got %d log lines, want %d", name, got, tc.lines)
		}
	}
	if w := r.do(http.MethodOptions, "/reminder-cron", ""); w.Code != 200 {
		t.Errorf("OPTIONS: got %d, want 200: daprd asks whether the route exists", w.Code)
	}
	if got := r.counts("reminder-cron"); got["success"] != 1 || got["retry"] != 2 {
		t.Errorf("metrics: got %v", got)
	}
	synctest.Test(t, func(t *testing.T) {
		next = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if w := r.do(http.MethodPost, "/reminder-cron", ""); w.Code != 500 {
			t.Errorf("a hanging binding: got %d, want 500", w.Code)
		}
	})
}

func TestAnInvocationIsAnsweredLikeThePublicAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.BodyLimit = 100 })
	answer := func(method, path string, h func(*gin.Context) error) { r.server.Invoke(method, path, h) }
	answer("GET", "/internal/jwks", func(c *gin.Context) error { c.JSON(200, gin.H{"keys": []int{}}); return nil })
	answer("GET", "/internal/gone", func(*gin.Context) error { return httpx.Gone("Too old.") })
	answer("GET", "/internal/missing", func(*gin.Context) error { return httpx.NotFound("No such series.") })
	answer("GET", "/internal/panic", func(*gin.Context) error { panic("boom") })
	answer("GET", "/internal/fails", func(*gin.Context) error { return errBoom })
	answer("POST", "/internal/heads", func(c *gin.Context) error {
		var body struct {
			UserIDs []string `json:"user_ids"`
		}
		return httpx.DecodeJSON(c, &body)
	})
	for _, tc := range []struct {
		route, body string
		status      int
	}{
		{"GET /internal/jwks", "", 200},
		{"GET /internal/gone", "", 410},
		{"GET /internal/missing", "", 404},
		{"GET /internal/panic", "", 500},
		{"GET /internal/fails", "", 500},
		{"POST /internal/heads", `{"user_ids":[]}`, 200},
		{"POST /internal/heads", `{"users":[]}`, 400},
		{"POST /internal/heads", strings.Repeat(" ", 200), 413},
	} {
		method, path, _ := strings.Cut(tc.route, " ")
		w := r.do(method, path, tc.body)
		if w.Code != tc.status || strings.Contains(w.Body.String(), "boom") {
			t.Errorf("%s %.20s: got %d %s, want %d", tc.route, tc.body, w.Code, w.Body, tc.status)
		}
		if ct := w.Header().Get("Content-Type"); tc.status >= 400 && ct != "application/problem+json" {
			t.Errorf("%s: got type %s, want a problem document", tc.route, ct)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		slow := newRig(t, nil)
		slow.server.Invoke("GET", "/internal/slow", func(c *gin.Context) error { <-c.Request.Context().Done(); return c.Request.Context().Err() })
		if w := slow.do("GET", "/internal/slow", ""); w.Code != 503 {
			t.Errorf("a hanging invocation: got %d, want 503", w.Code)
		}
	})
}

func TestASecondHandlerOfATopicPanics(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	defer func() {
		if recover() == nil {
			t.Error("a second handler of the topic was accepted")
		}
	}()
	Handle(r.server, topic, func([]byte) (int, error) { return 0, nil }, func(context.Context, int, Delivery) error { return nil })
}

// TestTheAgeOfAHandledEventIsCounted: it counts only successes, and a clock that is ahead makes no negative age.
func TestTheAgeOfAHandledEventIsCounted(t *testing.T) {
	t.Parallel()
	aged := func(r *rig) (n uint64, sum float64) {
		families, err := r.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "subscribe_event_age_seconds" {
				return f.GetMetric()[0].GetHistogram().GetSampleCount(), f.GetMetric()[0].GetHistogram().GetSampleSum()
			}
		}
		return 0, 0
	}
	at := func(made time.Time) string {
		return strings.Replace(usual(), "2026-02-01T00:00:00Z", made.UTC().Format(time.RFC3339Nano), 1)
	}
	r := newRig(t, nil)
	r.deliver(at(time.Now().Add(-time.Hour)))
	if n, sum := aged(r); n != 1 || sum < 3600 || sum > 3700 {
		t.Errorf("an event of an hour ago: got %d ages, %v s in all, want one of an hour", n, sum)
	}
	r.deliver(at(time.Now().Add(time.Hour)))
	if n, sum := aged(r); n != 2 || sum > 3700 {
		t.Errorf("an event of the future: got %d ages, %v s in all, want its age to be 0", n, sum)
	}
	r.fails(errBoom).deliver(at(time.Now()))
	if n, _ := aged(r); n != 2 {
		t.Errorf("a failed event: got %d ages, want 2 as before", n)
	}
}
