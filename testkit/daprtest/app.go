package daprtest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Request is what a sidecar asked an app.
type Request struct {
	Method, Path string
	ID           string // of the CloudEvent, when it is one
	Header       http.Header
	Body         []byte
	Attempt      int // 1 for the first request with this path and id
}

// Answer is what an app answers. The zero value is 200 without a body, which takes a delivery.
type Answer struct {
	Status int
	Body   string
}

// Retry asks for another delivery.
var Retry = Answer{Status: http.StatusOK, Body: `{"status":"RETRY"}`}

// App is an HTTP app as a sidecar sees it. It keeps what it was asked.
type App struct {
	Port    int
	answer  func(Request) Answer
	mu      sync.Mutex
	asked   []Request
	sick    bool
	changed chan struct{}
}

// NewApp serves until the test ends. answer may be nil: every request is then taken. It is not asked about GET
// /healthz, see SetHealthy.
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

// SetHealthy sets what the app answers its sidecar's probes. It is healthy at first.
func (a *App) SetHealthy(healthy bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sick = !healthy
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
	close(a.changed)
	a.changed = make(chan struct{})
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

// Asked are the requests so far, probes left out.
func (a *App) Asked() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

// Delivered are the ids of the events delivered so far, in the order of their deliveries.
func (a *App) Delivered() []string {
	var ids []string
	for _, r := range a.Asked() {
		if r.Method == http.MethodPost && r.ID != "" {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// Wait waits until is true of the requests so far, and fails the test when it does not become so within the time.
func (a *App) Wait(t testing.TB, within time.Duration, what string, is func([]Request) bool) []Request {
	t.Helper()
	deadline := time.After(within)
	for {
		a.mu.Lock()
		asked, changed := slices.Clone(a.asked), a.changed
		a.mu.Unlock()
		if is(asked) {
			return asked
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not within %s: %s; the app was asked %s", within, what, summary(asked))
		}
	}
}

// WaitFor waits until every id was delivered.
func (a *App) WaitFor(t testing.TB, ids ...string) {
	t.Helper()
	a.Wait(t, 20*time.Second, "deliveries of "+summaryOf(ids), func(asked []Request) bool {
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
