//go:build k8s

package k8s

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

const (
	// pause is the time between two turns of a writer. It keeps the rate at about 20 writes a second. So the audit log of a test
	// of several minutes can still be read, and a browser that is cut off for half a minute misses fewer changes than the
	// websocket service replays (1,000). With more, it would be told to resync, which is no loss and not what is tested here.
	pause = 500 * time.Millisecond
	// disruptionTimeout bounds one test, recovery included.
	disruptionTimeout = 12 * time.Minute
)

// underWrites disturbs the cluster while a user writes and a browser watches. Then it checks the promise: each acknowledged
// write is in the audit log and in the browser exactly once and in order, and each due reminder is in the inbox once.
func underWrites(t *testing.T, name string, disrupt func(u *client.User)) {
	t.Helper()
	u := client.NewUser(t, origin(t))
	page := client.OpenBrowser(t, u, 0)
	ctx, cancel := context.WithTimeout(t.Context(), disruptionTimeout)
	defer cancel()
	var over atomic.Bool
	begun := make(chan struct{})
	type result struct {
		history *client.History
		err     error
	}
	ended := make(chan result, 1)
	go func() {
		h, err := client.Write(ctx, u, name, pause, func(answered int) bool {
			if answered == 1 {
				close(begun)
			}
			return !over.Load()
		})
		ended <- result{h, err}
	}()
	select {
	case <-begun:
	case r := <-ended:
		t.Fatalf("write: %v", r.err)
	}
	func() {
		defer over.Store(true) // runs also when disrupt fails the test
		disrupt(u)
	}()
	r := <-ended
	if r.err != nil {
		t.Fatalf("write: %v", r.err)
	}
	r.history.Check(t, u, page)
	t.Logf("%s: %d writes were acknowledged; each is in the audit log and in the open browser once", name, r.history.Writes())
}

func TestARollingRestartOfEveryDeploymentLosesNothing(t *testing.T) {
	underWrites(t, "rolling restart", func(*client.User) {
		for _, app := range services {
			kubectl(t, "rollout", "restart", workload(app))
			rolledOut(t, workload(app))
		}
	})
}

// workload returns the controller of a service's pods.
func workload(app string) string {
	if app == apps.AuditSigner { // it has a volume of its own
		return "statefulset/" + app
	}
	return "deployment/" + app
}

// victims returns the pods of the services, Postgres and the broker, without those about to be deleted.
func victims(t *testing.T) []pod {
	t.Helper()
	return slices.DeleteFunc(pods(t, "app.kubernetes.io/component in (service,data)"), func(p pod) bool {
		return p.Metadata.DeletionTimestamp != ""
	})
}

// TestForceDeletingEveryPodLosesNothing deletes each pod and its sidecar without a grace period.
func TestForceDeletingEveryPodLosesNothing(t *testing.T) {
	underWrites(t, "force delete", func(*client.User) {
		for _, p := range victims(t) {
			kubectl(t, "delete", "pod", p.Metadata.Name, "--grace-period=0", "--force", "--wait=false")
			replaced(t, p)
		}
	})
}

// TestKillingEveryContainerLosesNothing sends SIGKILL to each service, each sidecar, Postgres and the broker, in turn.
func TestKillingEveryContainerLosesNothing(t *testing.T) {
	kill := killer(t)
	underWrites(t, "kill -9", func(*client.User) {
		for _, p := range victims(t) {
			for _, s := range append(p.Status.ContainerStatuses, p.Status.InitContainerStatuses...) {
				if !s.running() { // the migration has ended
					continue
				}
				kill(s.id())
				restarted(t, p.Metadata.Name, s)
			}
		}
	})
}

// killer starts a pod that may kill any process of the node, in a namespace that allows such pods.
func killer(t *testing.T) func(containerID string) {
	t.Helper()
	apply(t, `
apiVersion: v1
kind: Namespace
metadata: {name: taskwire-test, labels: {pod-security.kubernetes.io/enforce: privileged}}
`)
	// The text is inserted at the end of the container; the fields of the pod follow those of the container.
	ask := helper(t, "taskwire-test", "killer", "", `securityContext: {runAsUser: 0, privileged: true}
  hostPID: true`)
	return func(id string) {
		t.Helper()
		ask("kill", id)
	}
}

// restarted waits until a killed container has been restarted and its pod is ready.
func restarted(t *testing.T, name string, was containerStatus) {
	t.Helper()
	client.Eventually(t, readyTimeout, fmt.Sprintf("%s of %s is restarted", was.Name, name), func() error {
		for _, p := range pods(t, "app.kubernetes.io/part-of=taskwire") {
			if p.Metadata.Name != name {
				continue
			}
			now := p.container(t, was.Name)
			if now.RestartCount == was.RestartCount || !p.ready() {
				return fmt.Errorf("restarted %d times, ready %v", now.RestartCount, p.ready())
			}
			return nil
		}
		return fmt.Errorf("the pod is gone")
	})
}

// replaced waits until a deleted pod has been replaced.
func replaced(t *testing.T, was pod) {
	t.Helper()
	app := was.Metadata.Labels["app.kubernetes.io/name"]
	client.Eventually(t, readyTimeout, "a new pod of "+app, func() error {
		for _, p := range pods(t, byName(app)) {
			if p.Metadata.UID == was.Metadata.UID {
				return fmt.Errorf("the old pod still exists")
			}
		}
		return nil
	})
	if was.Metadata.Labels["app.kubernetes.io/component"] == "data" {
		rolledOut(t, "statefulset/"+app)
		return
	}
	rolledOut(t, workload(app))
}

// TestAnUpgradeAndTheWayBackLoseNothing changes twice between the images of the previous commit and the current ones. In
// each change two versions run at the same time on the same database.
func TestAnUpgradeAndTheWayBackLoseNothing(t *testing.T) {
	previous := os.Getenv("PREVIOUS_TAG")
	if previous == "" {
		t.Skip("PREVIOUS_TAG is not set: the repository has no earlier commit")
	}
	now := map[string]string{}
	for _, app := range services {
		now[app] = kubectl(t, "get", workload(app), "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	}
	use := func(image func(app string) string) {
		for _, app := range services {
			kubectl(t, "set", "image", workload(app), "service="+image(app))
		}
		for _, app := range services {
			rolledOut(t, workload(app))
		}
	}
	before := func(app string) string { return now[app][:strings.LastIndex(now[app], ":")+1] + previous }
	after := func(app string) string { return now[app] }
	underWrites(t, "upgrade", func(*client.User) {
		use(before)
		use(after)
		use(before)
		use(after)
	})
}
