//go:build k8s

package k8s

import (
	"net/http"
	"strings"
	"testing"
)

// TestASidecarRefusesAPeerWithoutACertificate connects from a pod that the network policies let through.
func TestASidecarRefusesAPeerWithoutACertificate(t *testing.T) {
	// The pod has the labels of recurring-task but does not belong to its Deployment, and no Service that is used selects it.
	ask := helper(t, namespace, "caller", "app.kubernetes.io/name: recurring-task, app.kubernetes.io/component: service", restricted)
	out := ask("tls", "task-api-dapr.taskwire.svc.cluster.local:50002")
	if !strings.Contains(out, "server: spiffe://public/ns/taskwire/task-api\n") {
		t.Errorf("got %q, want the certificate of task-api", out)
	}
	if !strings.Contains(out, "refused:") || !strings.Contains(out, "certificate required") {
		t.Errorf("got %q, want the handshake refused because the client has no certificate", out)
	}
}

// TestAccessControlAllowsTheInvocationsInUseAndNoOthers invokes through the sidecars, as the apps do.
func TestAccessControlAllowsTheInvocationsInUseAndNoOthers(t *testing.T) {
	// The network policies would stop most of these calls. This one opens the way, so that access control has to refuse.
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
		{"audit", http.MethodGet, "task-api", "internal/revocations", true},
		{"notification", http.MethodGet, "task-api", "internal/jwks", true},
		{"notification", http.MethodGet, "task-api", "internal/revocations", true},
		{"notification", http.MethodPost, "task-api", "internal/heads", true},
		{"websocket", http.MethodGet, "task-api", "internal/jwks", true},
		{"websocket", http.MethodGet, "task-api", "internal/revocations", true},
		{"websocket", http.MethodPost, "task-api", "internal/heads", true},
		{"websocket", http.MethodGet, "task-api", "internal/changes", true},
		{"websocket", http.MethodGet, "notification", "internal/notifications", true},
		{"websocket", http.MethodPost, "notification", "internal/notification-heads", true},
		{"recurring-task", http.MethodPost, "task-api", "internal/next-occurrence", true},
		{"recurring-task", http.MethodPost, "task-api", "internal/successors", true},

		{"recurring-task", http.MethodPost, "task-api", "internal/tokens:lookup", false},
		{"task-api", http.MethodGet, "audit", "healthz", false},
		{"task-api", http.MethodPost, "audit", "events/task-events", false},
		{"task-api", http.MethodPost, "notification", "reminder-cron", false},
		{"audit", http.MethodGet, "notification", "internal/notifications", false},
		{"websocket", http.MethodPost, "notification", "internal/notifications", false},
		{"recurring-task", http.MethodGet, "task-api", "internal/changes", false},
		{"recurring-task", http.MethodGet, "task-api", "internal/revocations", false},
		{"recurring-task", http.MethodGet, "task-api", "internal/next-occurrence", false},
		{"audit", http.MethodPost, "task-api", "internal/next-occurrence", false},
		{"audit", http.MethodPost, "task-api", "internal/jwks", false},
		{"audit", http.MethodPost, "recurring-task", "events/task-events", false},
		{"websocket", http.MethodPost, "task-api", "internal/next-occurrence", false},
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

// TestAServiceReadsItsOwnSecretsAndNoOthers asks the API server for the rights of each service account, and each sidecar
// for secrets.
func TestAServiceReadsItsOwnSecretsAndNoOthers(t *testing.T) {
	own := map[string]string{
		"task-api": "task-api", "audit": "audit", "notification": "notification", "recurring-task": "statestore", "websocket": "",
	}
	all := []string{"task-api", "audit", "notification", "statestore", "postgres-admin", "task-api-app-token", "audit-dapr-token",
		"kafka-users", "admin-kafka", "task-api-kafka", "audit-kafka", "websocket-kafka"}
	for app, mine := range own {
		may := func(verb, what string) bool {
			out, err := run(t.Context(), "", "-n", namespace, "auth", "can-i", verb, what, "--as=system:serviceaccount:"+namespace+":"+app)
			if err != nil && strings.TrimSpace(out) != "no" {
				t.Fatal(err)
			}
			return strings.TrimSpace(out) == "yes"
		}
		for _, name := range all {
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
		for _, name := range all {
			status, body := ask(http.MethodGet, "/v1.0/secrets/kubernetes-secrets/"+name, "")
			// Only the sidecar may read the address of the state store; its app may not.
			if want := name == mine && name != "statestore"; (status == http.StatusOK) != want {
				t.Errorf("%s asks its sidecar for the secret %s: got %d %.100s", app, name, status, body)
			}
		}
		if status, _ := ask(http.MethodGet, "/v1.0/secrets/kubernetes/"+app, ""); status == http.StatusOK {
			t.Errorf("%s gets secrets from Dapr's built-in store", app)
		}
	}
}

// TestASidecarDemandsTheToken calls a sidecar without a token, as another process in the pod could.
func TestASidecarDemandsTheToken(t *testing.T) {
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
