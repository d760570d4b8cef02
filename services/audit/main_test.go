package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"github.com/taskwire/taskwire/local/ports"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/testkit/logtest"
	"github.com/taskwire/taskwire/testkit/pgtest"
	"github.com/taskwire/taskwire/testkit/porttest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	appToken = "token of the sidecar"
	patience = time.Minute
)

// running is run in this process, without a sidecar.
type running struct {
	t           *testing.T
	public, app string
	log         *logtest.Buffer
}

// start runs the service with its secrets from the mounted copy and checks at the end that it stops cleanly.
func start(t *testing.T, databaseURL, migrateURL string) *running {
	t.Helper()
	skey, _, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := json.Marshal(map[string]map[string]string{app: {secretDatabase: databaseURL, secretMigrate: migrateURL, secretCheckpoint: skey}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secrets.json")
	if err := os.WriteFile(file, secrets, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &running{t: t, public: porttest.Addr(t), app: porttest.Addr(t), log: &logtest.Buffer{}}
	for name, value := range map[string]string{
		"HTTP_ADDR": s.public, "APP_ADDR": s.app, "APP_API_TOKEN": appToken, "SECRETS_FILE": file, "SHUTDOWN_TIMEOUT": "10s",
		"DAPR_HTTP_PORT": strconv.Itoa(porttest.Closed(t)), "DAPR_GRPC_PORT": strconv.Itoa(porttest.Closed(t)), // nobody is there
	} {
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, s.log) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("run: %v\n%s", err, s.log)
			}
		case <-time.After(patience):
			t.Errorf("run does not end:\n%s", s.log)
		}
	})
	return s
}

func (s *running) call(method, url string, body []byte, header map[string]string) (int, string, error) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw), err
}

// wants polls until a GET is answered with the status and a body that holds all of parts.
func (s *running) wants(url string, status int, parts ...string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // a pause between polls
		got, body, err := s.call(http.MethodGet, url, nil, nil)
		ok := err == nil && got == status
		for _, part := range parts {
			ok = ok && strings.Contains(body, part)
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("GET %s: got %d %s (%v), want %d with %q\n%s", url, got, body, err, status, parts, s.log)
		}
	}
}

func TestTheServiceWithoutItsSidecar(t *testing.T) {
	db := pgtest.New(t, "audit") // not migrated: the service does it
	s := start(t, db.AppURL, db.OwnerURL)
	s.wants("http://"+s.public+"/healthz", http.StatusOK)
	s.wants("http://"+s.app+"/healthz", http.StatusOK) // migrated: it can take deliveries
	s.wants("http://"+s.public+"/readyz", http.StatusServiceUnavailable, `sidecar`)
	s.wants("http://"+s.public+"/metrics", http.StatusOK, "audit_appended_total 0")
	s.wants("http://"+s.public+"/api/v1/audit", http.StatusUnauthorized, "trace_id")

	now := time.Now().UTC()
	user, task := uuid.NewString(), uuid.NewString()
	ev := events.TaskEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: events.Created, TaskID: task, UserID: user,
		TaskVersion: 1, Seq: 1, Timestamp: now, Actor: user,
		TaskData: events.TaskData{
			ID: task, UserID: user, Title: "x", Status: events.StatusPending, Priority: events.PriorityMedium, Tags: []string{},
			Timezone: "UTC", Version: 1, Seq: 1, CreatedAt: now, UpdatedAt: now,
		},
	}
	raw, err := ev.Encode()
	if err != nil {
		t.Fatal(err)
	}
	delivery := fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"task-api","type":"TaskEvent","data":%s}`, ev.EventID, raw)
	path := "/events/" + events.TopicTaskEvents
	for _, c := range []struct {
		name, url, token string
		status           int
	}{
		{"no token", "http://" + s.app + path, "", http.StatusUnauthorized},
		{"the public side", "http://" + s.public + path, appToken, http.StatusNotFound},
		{"the sidecar", "http://" + s.app + path, appToken, http.StatusOK},
		{"the sidecar, again", "http://" + s.app + path, appToken, http.StatusOK},
	} {
		status, body, err := s.call(http.MethodPost, c.url, delivery, map[string]string{"dapr-api-token": c.token, "Content-Type": "application/cloudevents+json"})
		if err != nil || status != c.status || (status == http.StatusOK && !strings.Contains(body, "SUCCESS")) {
			t.Errorf("delivery by %s: got %d %s (%v), want %d", c.name, status, body, err, c.status)
		}
	}
	s.wants("http://"+s.public+"/metrics", http.StatusOK, "audit_appended_total 1", "audit_duplicates_total 1")
}

func TestTheServiceWithoutItsDatabase(t *testing.T) {
	nobody := "postgres://audit_app@" + ports.Loopback(porttest.Closed(t)) + "/audit?sslmode=disable"
	s := start(t, nobody, nobody)
	s.wants("http://"+s.public+"/healthz", http.StatusOK)
	s.wants("http://"+s.public+"/readyz", http.StatusServiceUnavailable, "database")
	s.wants("http://"+s.app+"/healthz", http.StatusServiceUnavailable) // the sidecar sends nothing
}
