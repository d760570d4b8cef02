//go:build k8s

package k8s

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

const (
	namespace = "taskwire"
	// readyTimeout bounds the replacement of a pod. The old one may take up to a minute to end.
	readyTimeout = 3 * time.Minute
)

var services = apps.All()

// TestMain keeps the autoscalers from removing pods while the tests look at them. At the end it prints the memory and CPU
// of the pods.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		defer func() {
			if err := scaleDown("Max"); err != nil { // the default
				fmt.Fprintln(os.Stderr, err)
			}
		}()
		if err := scaleDown("Disabled"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		code := m.Run()
		if out, err := run(context.Background(), "", "-n", namespace, "top", "pods", "--containers"); err == nil {
			fmt.Printf("\nmemory and CPU of the pods:\n%s", out)
		}
		return code
	}())
}

// scaleDown sets the policy by which the autoscalers remove pods.
func scaleDown(policy string) error {
	patch := fmt.Sprintf(`{"spec":{"behavior":{"scaleDown":{"selectPolicy":%q}}}}`, policy)
	for _, hpa := range []string{"task-api", "websocket"} {
		if _, err := run(context.Background(), "", "-n", namespace, "patch", "hpa", hpa, "--type=merge", "-p", patch); err != nil {
			return err
		}
	}
	return nil
}

// origin returns the address of the Ingress.
func origin(t testing.TB) string {
	t.Helper()
	url := os.Getenv("TASKWIRE_URL")
	if url == "" {
		t.Fatal("TASKWIRE_URL, the address of the Ingress, is not set: `make k8s-test` sets it")
	}
	return url
}

// run runs kubectl with these arguments and this input, and returns its output.
func run(ctx context.Context, stdin string, args ...string) (string, error) {
	kubectl := os.Getenv("KUBECTL")
	if kubectl == "" {
		kubectl = "kubectl"
	}
	cmd := exec.CommandContext(ctx, kubectl, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// kubectl runs kubectl in Taskwire's namespace. It fails the test if kubectl fails.
func kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := run(t.Context(), "", append([]string{"-n", namespace}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply creates objects in the cluster. The end of the test deletes them.
func apply(t testing.TB, objects string) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout) // the test's own context has ended
		defer cancel()
		if _, err := run(ctx, objects, "delete", "-f", "-", "--ignore-not-found", "--wait", "--grace-period=1"); err != nil {
			t.Error(err)
		}
	})
	if _, err := run(t.Context(), objects, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// pod holds the fields of a pod that the tests read.
type pod struct {
	Metadata struct {
		Name              string            `json:"name"`
		UID               string            `json:"uid"`
		Labels            map[string]string `json:"labels"`
		DeletionTimestamp string            `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		ServiceAccountName string          `json:"serviceAccountName"`
		HostNetwork        bool            `json:"hostNetwork"`
		HostPID            bool            `json:"hostPID"`
		SecurityContext    securityContext `json:"securityContext"`
		Containers         []container     `json:"containers"`
		InitContainers     []container     `json:"initContainers"`
	} `json:"spec"`
	Status struct {
		Phase      string `json:"phase"`
		PodIP      string `json:"podIP"`
		Conditions []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"conditions"`
		ContainerStatuses     []containerStatus `json:"containerStatuses"`
		InitContainerStatuses []containerStatus `json:"initContainerStatuses"`
	} `json:"status"`
}

type container struct {
	Name            string          `json:"name"`
	Image           string          `json:"image"`
	RestartPolicy   string          `json:"restartPolicy"`
	Args            []string        `json:"args"`
	SecurityContext securityContext `json:"securityContext"`
	Resources       struct {
		Limits struct {
			Memory string `json:"memory"`
		} `json:"limits"`
	} `json:"resources"`
	VolumeMounts []struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
	} `json:"volumeMounts"`
	Env []struct {
		Name string `json:"name"`
	} `json:"env"`
}

// mounts reports whether the container has a volume at the path.
func (c container) mounts(path string) bool {
	for _, m := range c.VolumeMounts {
		if m.MountPath == path {
			return true
		}
	}
	return false
}

// variables returns the names of the container's variables that begin with the prefix.
func (c container) variables(prefix string) (names []string) {
	for _, v := range c.Env {
		if strings.HasPrefix(v.Name, prefix) {
			names = append(names, v.Name)
		}
	}
	return names
}

type securityContext struct {
	RunAsNonRoot             *bool                  `json:"runAsNonRoot"`
	RunAsUser                *int64                 `json:"runAsUser"`
	Privileged               *bool                  `json:"privileged"`
	AllowPrivilegeEscalation *bool                  `json:"allowPrivilegeEscalation"`
	ReadOnlyRootFilesystem   *bool                  `json:"readOnlyRootFilesystem"`
	SeccompProfile           *struct{ Type string } `json:"seccompProfile"`
	Capabilities             *struct {
		Add  []string `json:"add"`
		Drop []string `json:"drop"`
	} `json:"capabilities"`
}

type containerStatus struct {
	Name         string `json:"name"`
	ContainerID  string `json:"containerID"`
	RestartCount int    `json:"restartCount"`
	Ready        bool   `json:"ready"`
	State        struct {
		Running *struct{} `json:"running"`
	} `json:"state"`
}

// running reports whether the container has a process.
func (s containerStatus) running() bool { return s.State.Running != nil }

// ready reports whether the pod is ready and not about to be deleted.
func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && p.Metadata.DeletionTimestamp == ""
		}
	}
	return false
}

// container returns the status of one of its containers or native sidecars.
func (p pod) container(t testing.TB, name string) containerStatus {
	t.Helper()
	for _, s := range append(p.Status.ContainerStatuses, p.Status.InitContainerStatuses...) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("pod %s has no container %s", p.Metadata.Name, name)
	return containerStatus{}
}

// id returns the id of the container on its node.
func (s containerStatus) id() string {
	_, id, _ := strings.Cut(s.ContainerID, "://")
	return id
}

// pods returns the pods with these labels.
func pods(t testing.TB, labels string) []pod {
	t.Helper()
	var list struct{ Items []pod }
	if err := json.Unmarshal([]byte(kubectl(t, "get", "pods", "-l", labels, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// serving returns the names of the ready pods of a service, at least one. It leaves out pods that are about to be deleted:
// after a rollout they may take up to a minute to end.
func serving(t testing.TB, app string) (names []string) {
	t.Helper()
	client.Eventually(t, readyTimeout, "a ready pod of "+app, func() error {
		names = nil
		for _, p := range pods(t, byName(app)+",app.kubernetes.io/component=service") {
			if p.ready() {
				names = append(names, p.Metadata.Name)
			}
		}
		if len(names) == 0 {
			return errors.New("no pod is ready")
		}
		return nil
	})
	return names
}

func byName(app string) string { return "app.kubernetes.io/name=" + app }

// rolledOut waits until the rollouts are complete: every pod is a new one and ready.
func rolledOut(t testing.TB, what ...string) {
	t.Helper()
	for _, w := range what {
		kubectl(t, "rollout", "status", w, "--timeout="+readyTimeout.String())
	}
}

// helper starts a pod with the probe's image in a namespace and waits until it is ready. ask runs the probe in it.
func helper(t testing.TB, ns, name, labels, spec string) (ask func(args ...string) string) {
	t.Helper()
	apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s, labels: {%s}}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  enableServiceLinks: false
  containers:
    - name: probe
      image: %s
      imagePullPolicy: IfNotPresent
      args: [hold]
      %s
`, name, ns, labels, os.Getenv("PROBE_IMAGE"), spec))
	if _, err := run(t.Context(), "", "-n", ns, "wait", "--for=condition=Ready", "pod/"+name, "--timeout=60s"); err != nil {
		t.Fatal(err)
	}
	return func(args ...string) string {
		t.Helper()
		out, err := run(t.Context(), "", append([]string{"-n", ns, "exec", name, "--", "/service"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// restricted is the security context that the namespace's Pod Security level demands of a container.
const restricted = `securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
        seccompProfile: {type: RuntimeDefault}`
