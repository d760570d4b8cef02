package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
)

// keysKnown is how long the test waits until a verifier may fetch the published keys again: a verifier does so at most
// every 5 s. In a cluster it is ten minutes, after which every verifier has fetched them
// (docs/runbook.md#the-signing-key-of-access-tokens). No event says when that is, so the test waits for the time.
const keysKnown = 6 * time.Second

// writePause keeps the writer a busy client: without it the test would be a benchmark.
const writePause = 50 * time.Millisecond

// steadyWriter creates tasks until it is stopped, and repeats each request until it is answered. A 401 ends it with an
// error, because a rotation must not make a client log in again.
type steadyWriter struct {
	stop context.CancelFunc
	done sync.WaitGroup
	n    int // acknowledged
	err  error
}

func writeSteadily(u *client.User) *steadyWriter {
	ctx, cancel := context.WithCancel(context.Background())
	w := &steadyWriter{stop: cancel}
	w.done.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			headers := map[string]string{"Idempotency-Key": uuid.NewString()}
			// The request is not cancelled with the writer: an unanswered one may or may not have created its task.
			body := map[string]any{"title": fmt.Sprint("steady ", i)}
			once, cancel := context.WithTimeout(context.WithoutCancel(ctx), client.RecoveryTimeout)
			_, err := u.Insist(once, http.MethodPost, "/api/v1/tasks", body, headers)
			cancel()
			if err != nil {
				w.err = err
				return
			}
			w.n++
			time.Sleep(writePause)
		}
	})
	return w
}

// ended stops the writer and returns the number of acknowledged tasks.
func (w *steadyWriter) ended(t *testing.T) int {
	t.Helper()
	w.stop()
	w.done.Wait()
	if w.err != nil {
		t.Errorf("the steady writer: %v", w.err)
	}
	return w.n
}

// editSecret changes one value of an app's secrets, as kubectl does in a cluster.
func editSecret(t *testing.T, data, app, key string, change func(old string) string) {
	t.Helper()
	path := filepath.Join(stack.SecretsDir(data), app+".json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]map[string]string
	must(t, json.Unmarshal(raw, &file))
	file[app][key] = change(file[app][key])
	if raw, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(path, raw, 0o600))
}

// restart restarts an app and its sidecar, like a new pod, and waits until both are ready.
func restart(t *testing.T, s *stack.Stack, app string) {
	t.Helper()
	for _, part := range []string{app, stack.Sidecar(app)} {
		must(t, s.Stop(part))
	}
	for _, part := range []string{stack.Sidecar(app), app} {
		must(t, s.Start(part))
	}
	// The /readyz of the gateway would not do: it caches its answer, which may be older than the stop.
	client.Eventually(t, client.RecoveryTimeout, app+" is ready again", func() error {
		for _, part := range s.Status() {
			if (part.Name == app || part.Name == stack.Sidecar(app)) && !part.Ready {
				return fmt.Errorf("%s is not", part.Name)
			}
		}
		return nil
	})
}

// everywhere fails the test unless every service accepts the token. It repeats a request to a service that is restarting;
// a 401 fails at once.
func everywhere(t *testing.T, u *client.User, what, token string) {
	t.Helper()
	as := *u
	as.Token = token
	for _, path := range []string{"/api/v1/me", "/api/v1/audit?limit=1", "/api/v1/notifications?limit=1"} {
		client.Eventually(t, client.RecoveryTimeout, what+": GET "+path, func() error {
			status, body, err := as.Do(http.MethodGet, path, nil, nil)
			switch {
			case err != nil:
				return err
			case status == http.StatusUnauthorized:
				t.Fatalf("%s: GET %s: %d %s", what, path, status, body)
			case status != http.StatusOK:
				return fmt.Errorf("%d %.200s", status, body)
			}
			return nil
		})
	}
}

// login returns a new access token of the user.
func login(t *testing.T, u *client.User, email string) string {
	t.Helper()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	client.Eventually(t, client.RecoveryTimeout, "log in", func() error {
		status, raw, err := u.Do(http.MethodPost, "/api/v1/auth/login", map[string]string{"email": email, "password": "correct horse battery staple"}, nil)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("%d %s", status, raw)
		}
		return json.Unmarshal(raw, &answer)
	})
	return answer.AccessToken
}

// TestSecretsAreRotatedUnderLoad follows docs/runbook.md for each secret, with real processes, while a client writes. Then
// everything that was acknowledged is in the audit log once.
func TestSecretsAreRotatedUnderLoad(t *testing.T) {
	startsAStack(t)
	needsOwnBroker(t, "a second stack would share the first one's consumer groups")
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	s, stop, err := startStack(t.Context(), stackConfig(root, data))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, stop()) })
	showLogs(t, s, "task-api", stack.Sidecar("task-api"))
	u := client.NewUser(t, s.URL())
	var me struct {
		Email string `json:"email"`
	}
	u.Must(http.MethodGet, "/api/v1/me", nil, http.StatusOK, &me)
	old := u.Token
	everywhere(t, u, "the first token", old)
	writer := writeSteadily(u)

	// The signing key: the new one is first published behind the old one, then in front of it, then alone.
	out, err := exec.Command("openssl", "genpkey", "-algorithm", "ed25519").Output()
	if err != nil {
		t.Fatalf("openssl genpkey: %v", err)
	}
	next, before := string(out), ""
	editSecret(t, data, "task-api", "token-signing-key", func(k string) string { before = k; return k + next })
	restart(t, s, "task-api")
	everywhere(t, u, "the first token, its key in front", old)
	time.Sleep(keysKnown)
	editSecret(t, data, "task-api", "token-signing-key", func(string) string { return next + before })
	restart(t, s, "task-api")
	fresh := login(t, u, me.Email)
	if keyOf(t, fresh) == keyOf(t, old) {
		t.Error("the new token is signed with the old key")
	}
	everywhere(t, u, "a token of the new key", fresh)
	withFresh := *u
	withFresh.Token = fresh
	client.OpenBrowser(t, &withFresh, 0)
	everywhere(t, u, "the first token, its key behind", old)

	// The database's password: a second role with the rights of the first, so each password is valid while it is used.
	conn, err := pgx.Connect(t.Context(), s.PostgresURL("tasks"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), `CREATE ROLE tasks_app_2 LOGIN PASSWORD 'second' IN ROLE tasks_app`); err != nil {
		t.Fatal(err)
	}
	editSecret(t, data, "task-api", "database-url", func(address string) string {
		to, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		to.User = url.UserPassword("tasks_app_2", "second")
		return to.String()
	})
	restart(t, s, "task-api")
	if _, err := conn.Exec(t.Context(), `ALTER ROLE tasks_app NOLOGIN`); err != nil {
		t.Fatal(err)
	}
	var first, second int
	err = conn.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE usename = 'tasks_app'), count(*) FILTER (WHERE usename = 'tasks_app_2')
		FROM pg_stat_activity WHERE datname = 'tasks'`).Scan(&first, &second)
	if err != nil || first != 0 || second == 0 {
		t.Errorf("connections of tasks_app: %d, of tasks_app_2: %d (%v), want 0 and at least 1", first, second, err)
	}
	u.Create(map[string]any{"title": "written by the second role"})
	acknowledged := writer.ended(t) + 1
	if acknowledged < 20 {
		t.Errorf("the client wrote only %d tasks, want at least 20: there was hardly any load", acknowledged)
	}
	client.Eventually(t, client.RecoveryTimeout, "what was acknowledged is in the audit log once", func() error { return auditHas(u, "/api/v1/audit", acknowledged) })

	// The old key is removed when its last token has expired. A token that is still valid is then refused.
	editSecret(t, data, "task-api", "token-signing-key", func(string) string { return next })
	restart(t, s, "task-api")
	everywhere(t, u, "a token of the new key, alone", fresh)
	if status, body, err := u.Do(http.MethodGet, "/api/v1/me", nil, nil); err != nil || status != http.StatusUnauthorized {
		t.Errorf("the old token without its key: got %d %s %v, want 401", status, body, err)
	}

	// A service and its sidecar get new tokens at each start. Events that waited are still delivered.
	_, leaked := s.SidecarHTTP("task-api")
	must(t, s.Stop("audit"))
	u.Token = fresh
	u.Create(map[string]any{"title": "delivered with the next token"})
	must(t, stop())
	s, stop, err = startStack(t.Context(), stackConfig(root, data))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, stop()) }()
	u.Base = s.URL()
	addr, current := s.SidecarHTTP("task-api")
	for token, want := range map[string]int{leaked: http.StatusUnauthorized, current: http.StatusOK} {
		req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/v1.0/metadata", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("dapr-api-token", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("sidecar, asked with the previous or the current token: got %d, want %d", resp.StatusCode, want)
		}
	}
	client.Eventually(t, client.RecoveryTimeout, "the event that waited during the change of tokens arrives", func() error { return auditHas(u, "/api/v1/audit", acknowledged+1) })
}

// keyOf returns the kid of a token.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header struct {
		KID string `json:"kid"`
	}
	must(t, json.Unmarshal(raw, &header))
	if header.KID == "" {
		t.Fatalf("a token without kid: %s", raw)
	}
	return header.KID
}
