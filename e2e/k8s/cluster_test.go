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
	// readyTimeout bounds how long a pod may take to be there again: its old one has up to a minute to end.
	readyTimeout = 3 * time.Minute
)

var services = apps.All()

// TestMain keeps the autoscalers from taking pods away while the tests look at them, and closes with what the cluster's
// pods hold.
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

// scaleDown gives the autoscalers a policy for taking pods away.
func scaleDown(policy string) error {
	patch := fmt.Sprintf(`{"spec":{"behavior":{"scaleDown":{"selectPolicy":%q}}}}`, policy)
	for _, hpa := range []string{"task-api", "websocket"} {
		if _, err := run(context.Background(), "", "-n", namespace, "patch", "hpa", hpa, "--type=merge", "-p", patch); err != nil {
			return err
		}
	}
	return nil
}

// origin is the Ingress, under which everything is.
func origin(t testing.TB) string {
	t.Helper()
	url := os.Getenv("TASKWIRE_URL")
	if url == "" {
		t.Fatal("TASKWIRE_URL is not set: it is the address of the Ingress. `make k8s-test` sets it")
	}
	return url
}

// run is kubectl with these arguments and this input, and what it said.
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

// kubectl is run in Taskwire's namespace, and must succeed.
func kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := run(t.Context(), "", append([]string{"-n", namespace}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply gives the cluster some objects for as long as the test runs.
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

// pod is as much of a pod as the tests look at.
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
}

// ready says whether the cluster would send it requests.
func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True" && p.Metadata.DeletionTimestamp == ""
		}
	}
	return false
}

// container finds the state of one of its containers, the sidecar's too.
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

// id is the container's id as the node knows it.
func (s containerStatus) id() string {
	_, id, _ := strings.Cut(s.ContainerID, "://")
	return id
}

// pods are those with these labels.
func pods(t testing.TB, labels string) []pod {
	t.Helper()
	var list struct{ Items []pod }
	if err := json.Unmarshal([]byte(kubectl(t, "get", "pods", "-l", labels, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// serving are the names of the ready pods of a service; there is one at least. Pods that have been replaced are left out:
// after a rollout they have up to a minute to end.
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
			return errors.New("there is none")
		}
		return nil
	})
	return names
}

func byName(app string) string { return "app.kubernetes.io/name=" + app }

// rolledOut waits until every pod of these is new, ready, and the only one.
func rolledOut(t testing.TB, what ...string) {
	t.Helper()
	for _, w := range what {
		kubectl(t, "rollout", "status", w, "--timeout="+readyTimeout.String())
	}
}

// helper starts a pod of the probe's image in a namespace and waits for it. ask runs the probe in it.
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

// restricted is what the namespace's Pod Security level asks of a container.
const restricted = `securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
        seccompProfile: {type: RuntimeDefault}`
