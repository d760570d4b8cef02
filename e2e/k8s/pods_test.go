//go:build k8s

package k8s

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEveryPodHasItsSidecarAndIsRestricted reads the running pods, including what was injected.
func TestEveryPodHasItsSidecarAndIsRestricted(t *testing.T) {
	seen := map[string]int{}
	for _, p := range pods(t, "app.kubernetes.io/part-of=taskwire") {
		app := p.Metadata.Labels["app.kubernetes.io/name"]
		seen[app]++
		if p.Spec.HostNetwork || p.Spec.HostPID {
			t.Errorf("%s shares the node's network or processes", p.Metadata.Name)
		}
		var sidecar *container
		for _, c := range append(p.Spec.Containers, p.Spec.InitContainers...) {
			checkRestricted(t, p, c)
			if c.Name == "daprd" {
				sidecar = &c
			}
		}
		if !slices.Contains(services, app) {
			continue
		}
		if p.Spec.ServiceAccountName != app {
			t.Errorf("%s runs as service account %q, want %q", p.Metadata.Name, p.Spec.ServiceAccountName, app)
		}
		if sidecar == nil {
			t.Errorf("%s has no sidecar", p.Metadata.Name)
			continue
		}
		if sidecar.RestartPolicy != "Always" || !slices.ContainsFunc(p.Spec.InitContainers, func(c container) bool { return c.Name == "daprd" }) {
			t.Errorf("%s: its sidecar is not a native sidecar, so it may end before the service", p.Metadata.Name)
		}
		args := strings.Join(sidecar.Args, " ")
		for _, want := range []string{"--enable-mtls", "--enable-app-health-check", "--dapr-graceful-shutdown-seconds 35", "--disable-builtin-k8s-secret-store", "--config taskwire"} {
			if !strings.Contains(args, want) {
				t.Errorf("%s: its sidecar was started without %s", p.Metadata.Name, want)
			}
		}
	}
	for _, app := range append([]string{"postgres", "kafka"}, services...) {
		if seen[app] == 0 {
			t.Errorf("there is no pod of %s", app)
		}
	}
}

// accountToken is where Kubernetes mounts the token of a pod's service account.
const accountToken = "/var/run/secrets/kubernetes.io/serviceaccount"

// TestOnlyTheSidecarHasTheAccountsTokenAndTheKafkaUser reads what the containers of each service are given.
func TestOnlyTheSidecarHasTheAccountsTokenAndTheKafkaUser(t *testing.T) {
	for _, p := range pods(t, "app.kubernetes.io/part-of=taskwire") {
		app := p.Metadata.Labels["app.kubernetes.io/name"]
		for _, c := range append(p.Spec.Containers, p.Spec.InitContainers...) {
			isSidecar := c.Name == "daprd" && slices.Contains(services, app)
			// The sidecar of websocket reads no secret.
			if want := isSidecar && app != "websocket"; c.mounts(accountToken) != want {
				t.Errorf("%s, container %s: it has the service account's token: %v, want %v", p.Metadata.Name, c.Name, !want, want)
			}
			if !slices.Contains(services, app) {
				continue
			}
			if got := c.variables("KAFKA_"); isSidecar && len(got) != 3 || !isSidecar && len(got) > 0 {
				t.Errorf("%s, container %s has the variables %v of Kafka", p.Metadata.Name, c.Name, got)
			}
		}
	}
}

// checkRestricted checks a container against the Pod Security standard `restricted` and for a read-only root file system.
func checkRestricted(t *testing.T, p pod, c container) {
	t.Helper()
	s, of := c.SecurityContext, p.Spec.SecurityContext
	is := func(b *bool, want bool) bool { return b != nil && *b == want }
	seccomp := s.SeccompProfile
	if seccomp == nil {
		seccomp = of.SeccompProfile
	}
	for what, ok := range map[string]bool{
		"runs as root":                  is(s.RunAsNonRoot, true) || s.RunAsNonRoot == nil && is(of.RunAsNonRoot, true),
		"may gain privileges":           is(s.AllowPrivilegeEscalation, false),
		"is privileged":                 !is(s.Privileged, true),
		"keeps capabilities":            s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []string{"ALL"}) && len(s.Capabilities.Add) == 0,
		"has no seccomp profile":        seccomp != nil && seccomp.Type == "RuntimeDefault",
		"may write to its file system":  is(s.ReadOnlyRootFilesystem, true),
		"runs as a user that is a name": s.RunAsUser != nil && *s.RunAsUser > 0 || of.RunAsUser != nil && *of.RunAsUser > 0,
	} {
		if !ok {
			t.Errorf("%s, container %s %s", p.Metadata.Name, c.Name, what)
		}
	}
}

func TestTheNamespaceRefusesAPodThatIsNotRestricted(t *testing.T) {
	for name, spec := range map[string]string{
		"privileged": "securityContext: {privileged: true}",
		"root":       "securityContext: {runAsUser: 0}",
		"default":    "",
	} {
		_, err := run(t.Context(), `
apiVersion: v1
kind: Pod
metadata: {name: refused, namespace: taskwire}
spec:
  containers:
    - name: c
      image: localhost/none:1
      `+spec, "apply", "--dry-run=server", "-f", "-")
		if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
			t.Errorf("%s: got %v, want it to be refused", name, err)
		}
	}
}

// TestAPodThatGetsNoSidecarIsRefused creates a pod like one for which the injector did not answer: it asks for a sidecar
// and has none. The injector adds none either, because the pod already has a container of that name.
func TestAPodThatGetsNoSidecarIsRefused(t *testing.T) {
	pod := func(name, sidecars string) error {
		_, err := run(t.Context(), fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: taskwire, annotations: {dapr.io/enabled: "true", dapr.io/app-id: refused}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  %s
  containers:
    - name: daprd
      image: localhost/none:1
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`, name, sidecars), "apply", "--dry-run=server", "-f", "-")
		return err
	}
	if err := pod("refused", ""); err == nil || !strings.Contains(err.Error(), "asks for a Dapr sidecar and has none") {
		t.Errorf("got %v, want it to be refused", err)
	}
	if err := pod("taken", `initContainers: [{name: daprd, image: "localhost/none:1", restartPolicy: Always, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]`); err == nil || strings.Contains(err.Error(), "asks for a Dapr sidecar") {
		t.Errorf("with a sidecar: got %v", err)
	}
}

// heapLimitMetric is the soft memory limit of the Go runtime, in bytes.
const heapLimitMetric = "go_gc_gomemlimit_bytes"

// TestAServiceCollectsBeforeItsPodsMemoryIsUsedUp reads the memory limit that each service derived from its container's.
func TestAServiceCollectsBeforeItsPodsMemoryIsUsedUp(t *testing.T) {
	for _, app := range services {
		name := serving(t, app)[0]
		heap := metric(t, "http://"+forward(t, name, 8080)+"/metrics", heapLimitMetric+" ")
		for _, p := range pods(t, byName(app)) {
			if p.Metadata.Name != name {
				continue
			}
			i := slices.IndexFunc(p.Spec.Containers, func(c container) bool { return c.Name == "service" })
			limit := p.Spec.Containers[i].Resources.Limits.Memory
			mib, err := strconv.ParseFloat(strings.TrimSuffix(limit, "Mi"), 64)
			if err != nil {
				t.Fatalf("%s has the limit %q, want it in Mi", name, limit)
			}
			if share := heap / (mib * (1 << 20)); share < 0.8 || share > 0.9 {
				t.Errorf("%s: its heap may have %.0f bytes of %s, want 80 to 90 %%", name, heap, limit)
			}
		}
	}
}
