//go:build k8s

package k8s

import (
	"net/http"
	"strings"
	"testing"
)

// TestASidecarRefusesAPeerWithoutACertificate knocks from a pod that the network lets through.
func TestASidecarRefusesAPeerWithoutACertificate(t *testing.T) {
	// The labels of a caller, but no pod of its Deployment's, and no Service that anybody asks leads to it.
	ask := helper(t, namespace, "caller", "app.kubernetes.io/name: recurring-task, app.kubernetes.io/component: service", restricted)
	out := ask("tls", "task-api-dapr.taskwire.svc.cluster.local:50002")
	if !strings.Contains(out, "server: spiffe://public/ns/taskwire/task-api\n") {
		t.Errorf("got %q, want a server with the name of task-api", out)
	}
	if !strings.Contains(out, "refused:") || !strings.Contains(out, "certificate required") {
		t.Errorf("got %q, want the handshake to be refused for want of a certificate", out)
	}
}

// TestAccessControlAllowsWhatThereIsAndNothingElse invokes through the sidecars, as the apps do.
func TestAccessControlAllowsWhatThereIsAndNothingElse(t *testing.T) {
	// The network would stop most of these before. It is opened, so that what refuses them is access control.
	apply(t, `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: test-open-sidecars, namespace: taskwire}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/component: service}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {}}], ports: [{port: 50002}]}]
  egress: [{to: [{podSelector: {}}], ports: [{port: 50002}]}]
`)
	for _, call := range []struct {
		from, method, to, path string
		allowed                bool
	}{
		{"audit", http.MethodGet, "task-api", "internal/jwks", true},
		{"notification", http.MethodGet, "task-api", "internal/jwks", true},
		{"notification", http.MethodPost, "task-api", "internal/heads", true},
		{"websocket", http.MethodGet, "task-api", "internal/jwks", true},
		{"websocket", http.MethodPost, "task-api", "internal/heads", true},
		{"websocket", http.MethodGet, "task-api", "internal/changes", true},
		{"recurring-task", http.MethodPost, "task-api", "internal/successors", true},

		{"task-api", http.MethodGet, "audit", "healthz", false},
		{"task-api", http.MethodPost, "audit", "events/task-events", false},
		{"task-api", http.MethodPost, "notification", "reminder-cron", false},
		{"recurring-task", http.MethodGet, "task-api", "internal/changes", false},
		{"recurring-task", http.MethodGet, "task-api", "internal/successors", false},
		{"audit", http.MethodPost, "task-api", "internal/successors", false},
		{"audit", http.MethodPost, "task-api", "internal/jwks", false},
		{"audit", http.MethodPost, "recurring-task", "events/task-events", false},
		{"websocket", http.MethodPost, "task-api", "internal/successors", false},
		{"websocket", http.MethodGet, "task-api", "internal/heads/../successors", false},
		{"notification", http.MethodPost, "websocket", "events/task-updates", false},
	} {
		status, body := sidecar(t, call.from)(call.method, "/v1.0/invoke/"+call.to+"/method/"+call.path, "{}")
		refused := status == http.StatusForbidden && strings.Contains(body, "access control policy has denied access")
		if refused == call.allowed || !refused && status >= 500 {
			t.Errorf("%s invokes %s %s of %s: got %d %s, want allowed %v", call.from, call.method, call.path, call.to, status, body, call.allowed)
		}
	}
}

// TestAServiceReadsItsOwnSecretsAndNoOthers asks the API server what each account may, and each sidecar's secret store.
func TestAServiceReadsItsOwnSecretsAndNoOthers(t *testing.T) {
	own := map[string]string{
		"task-api": "task-api", "audit": "audit", "notification": "notification", "recurring-task": "statestore", "websocket": "",
	}
	everybodys := []string{"task-api", "audit", "notification", "statestore", "postgres-admin", "task-api-app-token", "audit-dapr-token"}
	for app, mine := range own {
		may := func(verb, what string) bool {
			out, err := run(t.Context(), "", "-n", namespace, "auth", "can-i", verb, what, "--as=system:serviceaccount:"+namespace+":"+app)
			if err != nil && strings.TrimSpace(out) != "no" {
				t.Fatal(err)
			}
			return strings.TrimSpace(out) == "yes"
		}
		for _, name := range everybodys {
			if got := may("get", "secrets/"+name); got != (name == mine) {
				t.Errorf("%s may read the secret %s: %v", app, name, got)
			}
		}
		for _, verb := range []string{"list", "watch", "create", "delete"} {
			if may(verb, "secrets") {
				t.Errorf("%s may %s secrets", app, verb)
			}
		}
		if may("list", "pods") || may("create", "pods") || may("get", "configmaps") {
			t.Errorf("%s may more than read its secrets", app)
		}
		ask := sidecar(t, app)
		for _, name := range everybodys {
			status, body := ask(http.MethodGet, "/v1.0/secrets/kubernetes-secrets/"+name, "")
			// The state store's address is for the sidecar alone: the app is not told it.
			if want := name == mine && name != "statestore"; (status == http.StatusOK) != want {
				t.Errorf("%s asks its sidecar for the secret %s: got %d %.100s", app, name, status, body)
			}
		}
		if status, _ := ask(http.MethodGet, "/v1.0/secrets/kubernetes/"+app, ""); status == http.StatusOK {
			t.Errorf("%s gets secrets from Dapr's built-in store", app)
		}
	}
}

// TestASidecarWantsTheToken asks a sidecar as a stranger in the pod would.
func TestASidecarWantsTheToken(t *testing.T) {
	for _, app := range services {
		addr := forward(t, serving(t, app)[0], daprPort)
		resp, err := http.Get("http://" + addr + "/v1.0/metadata")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %d without a token, want 401", app, resp.StatusCode)
		}
	}
}
