//go:build k8s

package k8s

import (
	"os"
	"strings"
	"testing"
)

// TestThePodsReachOnlyWhatTheyNeed tries every address from pods with the labels of each kind, and from one without.
func TestThePodsReachOnlyWhatTheyNeed(t *testing.T) {
	const cluster = ".svc.cluster.local:"
	api := kubectl(t, "get", "endpointslices", "-n", "default", "kubernetes", "-o", "jsonpath={.endpoints[0].addresses[0]}:{.ports[0].port}")
	doors := map[string]string{
		"postgres": "postgres.taskwire" + cluster + "5432",
		"kafka":    "kafka.taskwire" + cluster + "9092",
		"invoke":   "task-api-dapr.taskwire" + cluster + "50002",
		"operator": "dapr-api.dapr-system" + cluster + "443",
		"sentry":   "dapr-sentry.dapr-system" + cluster + "443",
	}
	if os.Getenv("NODE_IS_OPEN") == "" { // set where network policies are not enforced for packets to the node itself
		doors["api"] = api
	}
	for _, app := range services {
		doors[app] = app + ".taskwire" + cluster + "8080"
	}
	// By IP address too: a pod that may not use DNS reaches nothing by name, whatever the other policies say.
	for _, p := range pods(t, "app.kubernetes.io/part-of=taskwire") {
		if !p.ready() { // it may end before the probe tries it
			continue
		}
		app := p.Metadata.Labels["app.kubernetes.io/name"]
		switch app {
		case "postgres":
			doors["postgres ip"] = p.Status.PodIP + ":5432"
		case "kafka":
			doors["kafka ip"] = p.Status.PodIP + ":9092"
		case "task-api":
			doors["task-api ip"], doors["invoke ip"] = p.Status.PodIP+":8080", p.Status.PodIP+":50002"
			doors["sidecar metrics ip"] = p.Status.PodIP + ":9090"
		case "audit":
			doors["audit ip"], doors["audit invoke ip"] = p.Status.PodIP+":8080", p.Status.PodIP+":50002"
		case "notification": // only websocket invokes it
			doors["notification ip"], doors["notification invoke ip"] = p.Status.PodIP+":8080", p.Status.PodIP+":50002"
		}
	}
	label := func(name, component string) string {
		return "app.kubernetes.io/name: " + name + ", app.kubernetes.io/component: " + component
	}
	for name, c := range map[string]struct {
		namespace, labels string
		open              string
	}{
		"stranger":       {namespace, "", ""},
		"other-label":    {namespace, label("other", "other"), ""},
		"elsewhere":      {"default", "", "operator sentry api"}, // Dapr and the API server are not ours to close; nothing of ours is open
		"topics-job":     {namespace, label("topics", "job"), "kafka"},
		"databases-job":  {namespace, label("databases", "job"), "postgres"},
		"recurring-task": {namespace, label("recurring-task", "service"), "postgres kafka invoke operator sentry api"},
	} {
		t.Run(name, func(t *testing.T) {
			ask := helper(t, c.namespace, "probe-"+name, c.labels, restricted)
			addrs := map[string]string{}
			args := []string{"reach"}
			for door, addr := range doors {
				addrs[addr] = door
				args = append(args, addr)
			}
			open := map[string]bool{}
			for _, o := range strings.Fields(c.open) {
				open[o] = true
			}
			for line := range strings.SplitSeq(strings.TrimSpace(ask(args...)), "\n") {
				addr, state, _ := strings.Cut(line, " ")
				door := addrs[addr]
				if got := state == "open"; got != open[strings.TrimSuffix(door, " ip")] {
					t.Errorf("%s (%s): %s, want open %v", door, addr, state, open[strings.TrimSuffix(door, " ip")])
				}
			}
		})
	}
}
