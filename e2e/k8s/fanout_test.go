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
	// deliveriesMetric is pkg/platform/subscribe's.
	deliveriesMetric = "subscribe_deliveries_total"
)

// TestEveryWebSocketReplicaGetsEveryEvent connects to each replica on its own, and counts what each got from Kafka: a
// replica that shared a consumer group would still show everything, as it reads what it misses from the task API.
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
	// A new replica's group begins at the newest event, whenever it has joined: then something arrives.
	written := 0
	for i := range replicas {
		r := &replicas[i]
		first := delivered(t, r.metrics)
		client.Eventually(t, time.Minute, r.pod+" has joined its group", func() error {
			u.Create(map[string]any{"title": "is anybody there?"})
			written++
			time.Sleep(200 * time.Millisecond) // a pause between tries
			if delivered(t, r.metrics) == first {
				return errors.New("nothing has arrived")
			}
			return nil
		})
	}
	time.Sleep(time.Second) // for what is still on its way: it must not be counted below
	for i := range replicas {
		replicas[i].before = delivered(t, replicas[i].metrics)
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

// delivered is how many task updates a replica's sidecar has given it.
func delivered(t *testing.T, url string) int {
	t.Helper()
	return int(metric(t, url, deliveriesMetric+"{", `"task-updates"`, `"success"`))
}

// metric is the first value of /metrics whose line begins with prefix and has each of labels; 0 if there is none.
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
