// Package servicetest runs a whole service in the process of a test.
package servicetest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/config"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/testkit/logtest"
	"github.com/taskwire/taskwire/testkit/porttest"
)

const (
	// AppToken is the token that the service requires on its Dapr side.
	AppToken = "token of the sidecar"
	// patience bounds every wait, on a busy machine too.
	patience = time.Minute
	// pollEvery is the time between two polls.
	pollEvery = 20 * time.Millisecond
	// shutdownTimeout leaves net/http the five seconds that it waits for a connection without a request.
	shutdownTimeout = 30 * time.Second
)

// Service is a service that runs.
type Service struct {
	Public, App string // the base URLs of the public side and the Dapr side
	Log         *logtest.Buffer

	t    testing.TB
	http *http.Client
	stop func() error
}

// Base returns the settings of a service with free ports and the given secrets in its mounted copy. sidecarPort is the
// HTTP port of its sidecar; 0 is for none.
func Base(t testing.TB, appID string, secrets map[string]string, sidecarPort int) config.Base {
	t.Helper()
	raw, err := json.Marshal(map[string]map[string]string{appID: secrets})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if sidecarPort == 0 {
		sidecarPort = porttest.Closed(t)
	}
	return config.Base{
		HTTPAddr: "127.0.0.1:0", AppAddr: "127.0.0.1:0", DaprHTTPPort: sidecarPort, DaprGRPCPort: porttest.Closed(t),
		DaprPubSub: "kafka-pubsub", DaprStateStore: "statestore", AppAPIToken: AppToken,
		SecretsFile: file, LogLevel: "debug", ShutdownTimeout: shutdownTimeout,
	}
}

// Start runs the service and returns when both of its ports are open. When the test ends it stops the service and
// checks that it ends without an error.
func Start[Settings any](t testing.TB, cfg Settings, run func(ctx context.Context, cfg Settings, out io.Writer) error) *Service {
	t.Helper()
	s := &Service{t: t, Log: &logtest.Buffer{}, http: &http.Client{Transport: &http.Transport{}}}
	ctx, cancel := context.WithCancel(context.Background())
	listening, ended := make(chan struct{}), make(chan error, 1)
	ctx = service.WithListenHook(ctx, func(public, app net.Addr) {
		s.Public, s.App = "http://"+public.String(), "http://"+app.String()
		close(listening)
	})
	go func() { ended <- run(ctx, cfg, s.Log) }()
	s.stop = sync.OnceValue(func() error {
		s.http.CloseIdleConnections() // the server would wait for a request on them
		cancel()
		return <-ended
	})
	select {
	case <-listening:
	case err := <-ended:
		cancel()
		t.Fatalf("run: %v\n%s", err, s.Log)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the service:\n%s", s.Log)
		}
	})
	return s
}

// Stop stops the service and returns the error of its run function. It may be called more than once.
func (s *Service) Stop() error { return s.stop() }

// Answer is the answer to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Request is a request to a service.
type Request struct {
	Method, URL, Body string
	Header            map[string]string
}

// Do sends a request.
func (s *Service) Do(r Request) Answer {
	s.t.Helper()
	req, err := http.NewRequest(r.Method, r.URL, strings.NewReader(r.Body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", r.Method, r.URL, err, s.Log)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return Answer{resp.StatusCode, resp.Header, string(raw)}
}

// Get sends a GET request to a URL.
func (s *Service) Get(url string) Answer {
	s.t.Helper()
	return s.Do(Request{Method: http.MethodGet, URL: url})
}

// Await sends GET requests until the answer has the status and its body contains all parts.
func (s *Service) Await(url string, status int, parts ...string) Answer {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(pollEvery) {
		answer := s.Get(url)
		ok := answer.Status == status
		for _, part := range parts {
			ok = ok && strings.Contains(answer.Body, part)
		}
		if ok {
			return answer
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("GET %s: got %d %s, want %d with %q", url, answer.Status, answer.Body, status, parts)
		}
	}
}

// Delivery returns the sidecar's request for one event: a CloudEvent with data on a topic.
func (s *Service) Delivery(topic, data string) Request {
	s.t.Helper()
	var event struct {
		ID string `json:"event_id"`
	}
	if err := json.Unmarshal([]byte(data), &event); err != nil {
		s.t.Fatal(err)
	}
	return Request{
		Method: http.MethodPost, URL: s.App + "/events/" + topic,
		Body:   `{"specversion":"1.0","id":"` + event.ID + `","source":"test","type":"test","data":` + data + `}`,
		Header: map[string]string{"Content-Type": "application/cloudevents+json", "dapr-api-token": AppToken},
	}
}
