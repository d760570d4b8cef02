package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/local/ports"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/testkit/porttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers with its name and the request that it got.
func echo(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Upstream", name)
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.RequestURI(), "host": r.Host, "header": r.Header, "body": string(body)})
	})
}

func upstreams(t *testing.T, handler func(name string) http.Handler) map[string]string {
	t.Helper()
	urls := map[string]string{}
	for _, name := range apps.Public() {
		srv := httptest.NewServer(handler(name))
		t.Cleanup(srv.Close)
		urls[name] = srv.URL
	}
	return urls
}

// serve runs a gateway and returns its address. stop stops it and returns how it ended.
func serve(t *testing.T, cfg Config) (url string, stop func() error) {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	var result error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			result = <-ended
		}
		return result
	}
	t.Cleanup(func() { _ = stop(); http.DefaultClient.CloseIdleConnections() })
	return "http://" + l.Addr().String(), stop
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestEachPathGoesToItsAppAndTheInsideIsHidden(t *testing.T) {
	url, _ := serve(t, Config{Upstreams: upstreams(t, echo)})
	const nobody = ""
	for path, want := range map[string]string{
		"/":                                   apps.TaskAPI,
		"/assets/app.js":                      apps.TaskAPI,
		"/docs":                               apps.TaskAPI,
		"/.well-known/jwks.json":              apps.TaskAPI,
		"/api/v1/openapi.json":                apps.TaskAPI,
		"/api/v1/tasks":                       apps.TaskAPI,
		"/api/v1/tasks:batch":                 apps.TaskAPI,
		"/api/v1/tasks/audit":                 apps.TaskAPI,
		"/api/v1/tasks/":                      apps.TaskAPI,
		"/api/v1/auditors":                    apps.TaskAPI,
		"/api/v1/audit":                       apps.Audit,
		"/api/v1/audit?limit=1":               apps.Audit,
		"/api/v1/tasks?status=a;b&q=50%":      apps.TaskAPI, // not a valid query: the service has to refuse it
		"/api/v1/audit/proof/inclusion":       apps.Audit,
		"/api/v1/notifications":               apps.Notification,
		"/api/v1/notifications/7/read":        apps.Notification,
		"/api/v1/preferences":                 apps.Notification,
		"/api/v1/preferences/test":            apps.Notification,
		"/ws":                                 apps.WebSocket,
		"/wsx":                                apps.TaskAPI,
		"/metrics":                            nobody,
		"/metrics/x":                          nobody,
		"/%6detrics":                          nobody,
		"//metrics":                           nobody,
		"/api/v1/../../metrics":               nobody,
		"/api/v1/audit/%2e%2e/%2e%2e/metrics": nobody,
		"/internal/jwks":                      nobody,
		"/internal":                           nobody,
		"/events/task-events":                 nobody,
		"/reminder-cron":                      nobody,
		"/dapr/subscribe":                     nobody,
		"/debug/pprof/":                       nobody,
	} {
		resp, body := get(t, url+path)
		if got := resp.Header.Get("X-Upstream"); got != want {
			t.Errorf("GET %s: got upstream %q, want %q", path, got, want)
		}
		if want == nobody {
			if resp.StatusCode != http.StatusNotFound || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("GET %s: got %d %s, want a 404 problem", path, resp.StatusCode, resp.Header.Get("Content-Type"))
			}
			continue
		}
		var got struct{ Path string }
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Path != path {
			t.Errorf("GET %s: the upstream saw %q (%v)", path, got.Path, err)
		}
	}
}

func TestTheUpstreamGetsOnlyTrueForwardingHeaders(t *testing.T) {
	url, _ := serve(t, Config{Upstreams: upstreams(t, echo)})
	req, err := http.NewRequest(http.MethodPost, url+"/api/v1/tasks", strings.NewReader(`{"title":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "tasks.example:8080"
	for k, v := range map[string]string{
		"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "for=6.6.6.6",
		"Connection": "X-Mine", "X-Mine": "1", "Dapr-Api-Token": "guess", "Authorization": "Bearer t", "If-Match": `"3"`,
	} {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		Host, Body string
		Header     http.Header
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Host != "tasks.example:8080" || got.Body != `{"title":"x"}` {
		t.Errorf("upstream saw host %q and body %q", got.Host, got.Body)
	}
	for k, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "tasks.example:8080", "X-Forwarded-Proto": "http", "Forwarded": "",
		"X-Mine": "", "Dapr-Api-Token": "", "Authorization": "Bearer t", "If-Match": `"3"`,
	} {
		if v := got.Header.Get(k); v != want {
			t.Errorf("header %s at the upstream: got %q, want %q", k, v, want)
		}
	}
	if resp.Header.Get("X-Hop") != "" {
		t.Error("a hop-by-hop header of the answer reached the client")
	}
}

func TestAnUpstreamThatIsDownSaysWhetherToRepeat(t *testing.T) {
	urls := upstreams(t, func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack() // dies after it took the request
			if err == nil {
				conn.Close()
			}
		})
	})
	urls[apps.TaskAPI] = "http://" + ports.Loopback(porttest.Closed(t)) // the port of a closed server could be taken meanwhile
	url, _ := serve(t, Config{Upstreams: urls})
	for path, want := range map[string]int{"/api/v1/tasks": http.StatusServiceUnavailable, "/api/v1/audit": http.StatusBadGateway} {
		req, _ := http.NewRequest(http.MethodPost, url+path, http.NoBody)
		req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got problemDocument
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || got.Status != want || got.Detail == "" || got.TraceID != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("POST %s: got %d %+v, want %d", path, resp.StatusCode, got, want)
		}
		if resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("POST %s: got headers %v", path, resp.Header)
		}
		if strings.Contains(got.Detail, "127.0.0.1") {
			t.Errorf("POST %s: the detail shows an address of the inside: %s", path, got.Detail)
		}
	}
}

func TestARequestIsStreamedToTheUpstream(t *testing.T) {
	seen := make(chan string)
	url, _ := serve(t, Config{Upstreams: upstreams(t, func(string) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for lines := bufio.NewScanner(r.Body); lines.Scan(); {
				seen <- lines.Text()
			}
		})
	})})
	body, send := io.Pipe()
	answered := make(chan error, 1)
	go func() {
		resp, err := http.Post(url+"/api/v1/tasks:batch", "application/json", body)
		if err == nil {
			err = resp.Body.Close()
		}
		answered <- err
	}()
	for _, word := range []string{"one", "two"} { // each arrives before the next is sent
		fmt.Fprintln(send, word)
		if got := <-seen; got != word {
			t.Fatalf("the upstream saw %q, want %q", got, word)
		}
	}
	send.Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestAnAnswerIsStreamedToTheClient(t *testing.T) {
	next := make(chan string)
	url, _ := serve(t, Config{Upstreams: upstreams(t, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for word := range next {
				fmt.Fprintln(w, word)
				_ = http.NewResponseController(w).Flush()
			}
		})
	})})
	go func() { next <- "one" }()
	resp, err := http.Get(url + "/api/v1/audit/export")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, word := range []string{"one", "two"} {
		if word != "one" {
			next <- word
		}
		if line, err := lines.ReadString('\n'); err != nil || line != word+"\n" {
			t.Fatalf("got %q (%v) before the answer ended, want %q", line, err, word)
		}
	}
	close(next)
}

func TestAWrongConfigurationNamesWhatIsWrong(t *testing.T) {
	good := map[string]string{apps.TaskAPI: "http://a", apps.Audit: "http://a", apps.Notification: "http://a", apps.WebSocket: "http://a"}
	for want, cfg := range map[string]Config{
		"upstream task-api":    {},
		"readiness of audit":   {Upstreams: good, Ready: map[string]string{"audit": "ftp://x"}},
		"readiness of no-host": {Upstreams: good, Ready: map[string]string{"no-host": "http://"}},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v): got %v, want it to name %q", cfg, err, want)
		}
	}
}
