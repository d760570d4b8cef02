package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// operation is a route of a Dapr side with its method, as access control names it.
type operation struct{ method, path string }

// granted is what each app may invoke, by any other app's sidecar. It is written by hand, so that a grant too many is found.
var granted = map[string][]operation{
	apps.RecurringTask: {{http.MethodPost, "/internal/next-occurrence"}, {http.MethodPost, "/internal/successors"}},
	apps.WebSocket: {
		{http.MethodGet, "/internal/changes"}, {http.MethodPost, "/internal/heads"}, {http.MethodGet, "/internal/notifications"},
		{http.MethodPost, "/internal/notification-heads"}, {http.MethodGet, "/internal/jwks"}, {http.MethodGet, "/internal/revocations"},
		{http.MethodPost, "/internal/tokens:lookup"},
	},
	apps.Audit: {
		{http.MethodGet, "/internal/checkpoint"}, {http.MethodPost, "/internal/checkpoints"}, {http.MethodGet, "/internal/jwks"},
		{http.MethodGet, "/internal/revocations"}, {http.MethodPost, "/internal/tokens:lookup"},
	},
	apps.Notification: {
		{http.MethodPost, "/internal/heads"}, {http.MethodGet, "/internal/jwks"}, {http.MethodGet, "/internal/revocations"},
		{http.MethodPost, "/internal/tokens:lookup"},
	},
}

// grants returns what dapr-components/configuration.yaml lets each app invoke.
func grants(t *testing.T) map[string][]operation {
	t.Helper()
	root, err := repoRoot()
	must(t, err)
	raw, err := os.ReadFile(filepath.Join(root, "dapr-components", "configuration.yaml"))
	must(t, err)
	var configuration struct {
		Spec struct {
			AccessControl struct {
				Policies []struct {
					App        string `yaml:"appId"`
					Operations []struct {
						Name  string
						Verbs []string `yaml:"httpVerb"`
					}
				}
			} `yaml:"accessControl"`
		}
	}
	must(t, yaml.Unmarshal(raw, &configuration))
	all := map[string][]operation{}
	for _, policy := range configuration.Spec.AccessControl.Policies {
		for _, o := range policy.Operations {
			for _, verb := range o.Verbs {
				all[policy.App] = append(all[policy.App], operation{verb, o.Name})
			}
		}
	}
	return all
}

// TestAnAppInvokesWhatItIsGrantedAndNothingElse tries every route that anybody may invoke, and some that nobody may, with two
// methods, from each app through its sidecar.
func TestAnAppInvokesWhatItIsGrantedAndNothingElse(t *testing.T) {
	usesShared(t)
	configured := grants(t)
	for _, app := range apps.All() {
		got, want := configured[app], granted[app]
		if byRoute := func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) }; !slices.Equal(slices.SortedFunc(slices.Values(got), byRoute), slices.SortedFunc(slices.Values(want), byRoute)) {
			t.Errorf("configuration.yaml grants %s %v, want %v", app, got, want)
		}
		delete(configured, app)
	}
	for app := range configured {
		t.Errorf("configuration.yaml has grants for %s, which is no app", app)
	}
	paths := []string{"/events/task-events", "/events/account-events", "/reminder-cron", "/healthz", "/internal/heads/../successors", "/internal/jwks/../changes"}
	for _, list := range granted {
		for _, o := range list {
			paths = append(paths, o.path)
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for _, from := range apps.All() {
		for _, to := range apps.All() {
			if from == to {
				continue // a sidecar hands it to its own app, whose token the caller has anyway
			}
			for _, route := range paths {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					status, body := invoke(t, from, to, operation{method, route})
					refused := status == http.StatusForbidden && strings.Contains(body, "access control policy has denied access")
					if want := !slices.Contains(granted[from], operation{method, path.Clean(route)}); refused != want {
						t.Errorf("%s invokes %s %s of %s: %d %.200s, want refused %t", from, method, route, to, status, body, want)
					}
				}
			}
		}
	}
}

// invoke calls an app through the sidecar of another.
func invoke(t *testing.T, from, to string, o operation) (status int, body string) {
	t.Helper()
	addr, token := shared.SidecarHTTP(from)
	req, err := http.NewRequestWithContext(t.Context(), o.method, "http://"+addr+"/v1.0/invoke/"+to+"/method"+o.path, strings.NewReader("{}"))
	must(t, err)
	req.Header.Set("dapr-api-token", token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(raw)
}

// TestTheSidecarsWorkWhileSentryIsAway stops sentry. The sidecars have certificates for a day, so everything goes on, also a
// service that starts and has to invoke another. Only a sidecar that starts waits for sentry.
func TestTheSidecarsWorkWhileSentryIsAway(t *testing.T) {
	disturbsShared(t)
	must(t, shared.Stop(stack.Sentry))
	t.Cleanup(func() {
		must(t, shared.Start(stack.Sentry))
		client.Eventually(t, client.RecoveryTimeout, "everything is ready again", everythingIsReady)
	})
	before := restarts(t, apps.Audit)
	must(t, shared.Kill(apps.Audit, syscall.SIGKILL)) // it fetches the token keys by an invocation of the task API
	client.Eventually(t, client.RecoveryTimeout, "the audit service is ready without sentry", func() error { return isReady(t, apps.Audit, before) })
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	task := u.Create(map[string]any{"title": "while sentry is away"})
	client.Eventually(t, client.RecoveryTimeout, "the page shows the task", func() error { return page.SawAll(0, 1) })
	before = restarts(t, stack.Sidecar(apps.Audit))
	must(t, shared.Kill(stack.Sidecar(apps.Audit), syscall.SIGKILL))
	must(t, shared.Start(stack.Sentry))
	client.Eventually(t, client.RecoveryTimeout, "the sidecar has a certificate again", func() error { return isReady(t, stack.Sidecar(apps.Audit), before) })
	client.Eventually(t, client.RecoveryTimeout, "the task is in the audit log", func() error {
		entries, err := u.Audit("/api/v1/audit/tasks/" + task.ID)
		if err == nil && len(entries) == 0 {
			err = errNothingYet
		}
		return err
	})
}

// isReady returns an error unless a part of the shared stack was started again and is ready.
func isReady(t *testing.T, part string, restartsBefore int) error {
	t.Helper()
	if restarts(t, part) == restartsBefore {
		return errNothingYet
	}
	for _, p := range shared.Status() {
		if p.Name == part && p.Ready {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready", part)
}

func everythingIsReady() error {
	for _, p := range shared.Status() {
		if !p.Ready {
			return fmt.Errorf("%s is not ready", p.Name)
		}
	}
	return nil
}
