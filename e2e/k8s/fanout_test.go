//go:build k8s

package k8s

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
)

const (
	fanoutReplicas = 3
	fanoutWrites   = 60
	// joinTry is how long one event may take to a replica before the test writes another one: a replica that had not joined
	// its consumer group yet never gets the first.
	joinTry = 2 * time.Second
	// deliveriesMetric is the metric of pkg/platform/subscribe.
	deliveriesMetric = "subscribe_deliveries_total"
)

// TestEveryWebSocketReplicaGetsEveryEvent connects to each replica directly and counts what each got from Kafka. The
// frames alone prove nothing: a replica that shares a consumer group reads what it misses from the task API.
func TestEveryWebSocketReplicaGetsEveryEvent(t *testing.T) {
	kubectl(t, "patch", "hpa", "websocket", "--type=merge", "-p", fmt.Sprintf(`{"spec":{"minReplicas":%d}}`, fanoutReplicas))
	t.Cleanup(func() {
		if _, err := run(context.Background(), "", "-n", namespace, "patch", "hpa", "websocket", "--type=merge", "-p", `{"spec":{"minReplicas":2}}`); err != nil {
			t.Error(err)
		}
	})
	client.Eventually(t, readyTimeout, "three replicas", func() error {
		if n := len(serving(t, "websocket")); n < fanoutReplicas {
			return fmt.Errorf("%d are ready", n)
		}
		return nil
	})

	u := client.NewUser(t, origin(t))
	type replica struct {
		pod     string
		browser *client.Browser
		metrics string
		before  int
	}
	var replicas []replica
	for _, name := range serving(t, "websocket") {
		direct := *u
		direct.Base = "http://" + forward(t, name, 8080)
		replicas = append(replicas, replica{pod: name, browser: client.OpenBrowser(t, &direct, 0), metrics: direct.Base + "/metrics"})
	}
	// The consumer group of a new replica begins at the newest event, so a replica has joined once an event arrives.
	written := 0
	for i := range replicas {
		r := &replicas[i]
		first := delivered(t, r.metrics)
		var sent time.Time
		client.Eventually(t, time.Minute, r.pod+" has joined its group", func() error {
			if delivered(t, r.metrics) > first {
				return nil
			}
			if time.Since(sent) > joinTry {
				u.Create(map[string]any{"title": "finds out whether the replica has joined"})
				written++
				sent = time.Now()
			}
			return errors.New("no event has arrived")
		})
	}
	for i := range replicas {
		r := &replicas[i]
		client.Eventually(t, time.Minute, r.pod+" showed the first events", func() error { return r.browser.SawAll(0, int64(written)) })
		// One of the first events may still be on its way from Kafka and count below. That cannot hide the fault this test
		// looks for: with a shared group a replica gets all events of a user or none.
		r.before = delivered(t, r.metrics)
	}
	task := u.Create(map[string]any{"title": "0"})
	for i := 1; i < fanoutWrites; i++ {
		u.Must(http.MethodPatch, "/api/v1/tasks/"+task.ID, map[string]any{"title": strconv.Itoa(i)}, http.StatusOK, nil)
	}
	for _, r := range replicas {
		client.Eventually(t, time.Minute, r.pod+" showed everything", func() error { return r.browser.SawAll(0, int64(written+fanoutWrites)) })
		client.Eventually(t, time.Minute, r.pod+" got every event from Kafka", func() error {
			if n := delivered(t, r.metrics) - r.before; n < fanoutWrites {
				return fmt.Errorf("%d of %d", n, fanoutWrites)
			}
			return nil
		})
	}
}

// delivered returns how many task updates a replica has taken from its sidecar.
func delivered(t *testing.T, url string) int {
	t.Helper()
	return int(metric(t, url, deliveriesMetric+"{", `"task-updates"`, `"success"`))
}

// metric returns the value of the first line of /metrics that begins with prefix and contains each of labels; 0 if there
// is none.
func metric(t *testing.T, url, prefix string, labels ...string) float64 {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		line := lines.Text()
		if !strings.HasPrefix(line, prefix) || slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(line, l) }) {
			continue
		}
		n, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 0
}
