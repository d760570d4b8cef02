// The app that a sidecar talks to.

package daprtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Request is one request of a sidecar to an app.
type Request struct {
	Method, Path string
	ID           string // of the CloudEvent, when it is one
	Header       http.Header
	Body         []byte
	Attempt      int // 1 for the first request with this path and id
}

// Answer is an app's answer. The zero value is 200 without a body, which acknowledges a delivery.
type Answer struct {
	Status int
	Body   string
}

// Retry asks for another delivery.
var Retry = Answer{Status: http.StatusOK, Body: `{"status":"RETRY"}`}

// App is an HTTP app as a sidecar sees it. It keeps the requests that it got.
type App struct {
	Port    int
	answer  func(Request) Answer
	mu      sync.Mutex
	asked   []Request
	sick    bool
	failed  int           // health probes that found it sick, in a row
	changed chan struct{} // closed and replaced with every change
}

// NewApp serves until the test ends. A nil answer acknowledges every request. Health probes (GET /healthz) do not reach
// answer, see SetHealthy.
func NewApp(t testing.TB, answer func(Request) Answer) *App {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &App{Port: ln.Addr().(*net.TCPAddr).Port, answer: answer, changed: make(chan struct{})}
	srv := &http.Server{Handler: a, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return a
}

// SetHealthy sets how the app answers its sidecar's health probes. It is healthy at first.
func (a *App) SetHealthy(healthy bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sick, a.failed = !healthy, 0
}

// WaitFailedProbes waits until that many health probes have failed in a row.
func (a *App) WaitFailedProbes(t testing.TB, n int) {
	t.Helper()
	a.wait(t, waitTimeout, fmt.Sprint(n, " health probes that fail"), func() bool { return a.failed >= n })
}

func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req := Request{Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Body: body, Attempt: 1}
	var event struct{ ID string }
	if json.Unmarshal(body, &event) == nil {
		req.ID = event.ID
	}
	a.mu.Lock()
	if r.Method == http.MethodGet && r.URL.Path == "/healthz" {
		sick := a.sick
		if sick {
			a.failed++
			a.announce()
		}
		a.mu.Unlock()
		if sick {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return
	}
	for _, before := range a.asked {
		if before.Path == req.Path && before.ID == req.ID && before.Method == req.Method {
			req.Attempt++
		}
	}
	a.asked = append(a.asked, req)
	a.announce()
	a.mu.Unlock()
	if a.answer == nil {
		return
	}
	answer := a.answer(req)
	if answer.Status != 0 {
		w.WriteHeader(answer.Status)
	}
	_, _ = io.WriteString(w, answer.Body)
}

// announce wakes those who wait for a change. The caller holds mu.
func (a *App) announce() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// Asked returns the requests so far, without health probes.
func (a *App) Asked() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

// Delivered returns the ids of the events delivered so far, in the order of their deliveries.
func (a *App) Delivered() []string {
	var ids []string
	for _, r := range a.Asked() {
		if r.Method == http.MethodPost && r.ID != "" {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// waitTimeout bounds the wait for a request that has to come.
const waitTimeout = 20 * time.Second

// Wait waits until is holds for the requests so far. It fails the test if that takes longer than within.
func (a *App) Wait(t testing.TB, within time.Duration, what string, is func([]Request) bool) []Request {
	t.Helper()
	var asked []Request
	a.wait(t, within, what, func() bool {
		asked = slices.Clone(a.asked)
		return is(asked)
	})
	return asked
}

// wait calls is, with mu held, after every change until it returns true.
func (a *App) wait(t testing.TB, within time.Duration, what string, is func() bool) {
	t.Helper()
	deadline := time.After(within)
	for {
		a.mu.Lock()
		done, changed := is(), a.changed
		a.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not within %s: %s; the app got %s", within, what, summary(a.Asked()))
		}
	}
}

// WaitFor waits until every id was delivered.
func (a *App) WaitFor(t testing.TB, ids ...string) {
	t.Helper()
	a.Wait(t, waitTimeout, "deliveries of "+summaryOf(ids), func(asked []Request) bool {
		for _, id := range ids {
			if !slices.ContainsFunc(asked, func(r Request) bool { return r.ID == id }) {
				return false
			}
		}
		return true
	})
}

func summary(asked []Request) string {
	var all []string
	for _, r := range asked {
		all = append(all, r.Method+" "+r.Path+" "+r.ID)
	}
	return summaryOf(all)
}

func summaryOf(all []string) string {
	raw, _ := json.Marshal(all)
	return string(raw)
}
