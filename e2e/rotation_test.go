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

// keysKnown is what the test waits for a published key to be known. In a cluster it is ten minutes, after which every
// verifier has fetched the set anew (docs/runbook.md#the-signing-key-of-access-tokens); with one replica of the task API
// it is enough that a verifier may fetch again, which it does at most every 5 s.
const keysKnown = 6 * time.Second

// writePause makes the writer a busy client and not a benchmark.
const writePause = 50 * time.Millisecond

// steadyWriter creates tasks as long as it is not stopped, as a client that repeats what was not answered. A 401 ends
// it: a rotation that makes a client log in again is no rotation.
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
			// It is not cut off in the middle: then nobody would know whether the task is there.
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

// ended stops the writer and returns how many tasks were acknowledged.
func (w *steadyWriter) ended(t *testing.T) int {
	t.Helper()
	w.stop()
	w.done.Wait()
	if w.err != nil {
		t.Errorf("a client that writes all the time: %v", w.err)
	}
	return w.n
}

// editSecret changes one value of an app's secrets, as kubectl does it in a cluster.
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

// restart restarts an app with its sidecar, as a new pod is both, and waits until it is ready.
func restart(t *testing.T, s *stack.Stack, app string) {
	t.Helper()
	for _, part := range []string{app, stack.Sidecar(app)} {
		must(t, s.Stop(part))
	}
	for _, part := range []string{stack.Sidecar(app), app} {
		must(t, s.Start(part))
	}
	// Not the gateway's /readyz: its answer may be from before the stop, it is kept for a moment.
	client.Eventually(t, client.RecoveryTimeout, app+" is ready again", func() error {
		for _, part := range s.Status() {
			if (part.Name == app || part.Name == stack.Sidecar(app)) && !part.Ready {
				return fmt.Errorf("%s is not", part.Name)
			}
		}
		return nil
	})
}

// everywhere wants a token to be taken by every service that asks for one. That a service is away for the moment of its
// restart is no answer; 401 is one, and final.
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

// login is a new access token of the user.
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

// TestSecretsAreRotatedUnderLoad does what docs/runbook.md says of each secret, with real processes, while a client
// writes; then everything that was acknowledged is in the audit log once.
func TestSecretsAreRotatedUnderLoad(t *testing.T) {
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

	// The signing key: first published behind the old one, then in front of it, then alone.
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

	// The database's password: a second role with the rights of the first, so that neither is ever wrong.
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
		t.Errorf("connections of tasks_app: %d, of tasks_app_2: %d (%v), want none and some", first, second, err)
	}
	u.Create(map[string]any{"title": "written by the second role"})
	acknowledged := writer.ended(t) + 1
	if acknowledged < 20 {
		t.Errorf("the client wrote only %d tasks: there was hardly a load", acknowledged)
	}
	client.Eventually(t, client.RecoveryTimeout, "what was acknowledged is in the audit log once", func() error { return auditHas(u, "/api/v1/audit", acknowledged) })

	// The old key goes when the last token that it signed has expired; one that has not is then refused.
	editSecret(t, data, "task-api", "token-signing-key", func(string) string { return next })
	restart(t, s, "task-api")
	everywhere(t, u, "a token of the new key, alone", fresh)
	if status, body, err := u.Do(http.MethodGet, "/api/v1/me", nil, nil); err != nil || status != http.StatusUnauthorized {
		t.Errorf("the old token without its key: got %d %s %v, want 401", status, body, err)
	}

	// The tokens between a service and its sidecar are new with every start of the two; what waited is still delivered.
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
			t.Errorf("sidecar, asked with the token of before or now: got %d, want %d", resp.StatusCode, want)
		}
	}
	client.Eventually(t, client.RecoveryTimeout, "what waited over the change of tokens arrives", func() error { return auditHas(u, "/api/v1/audit", acknowledged+1) })
}

// keyOf is the kid of a token.
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
