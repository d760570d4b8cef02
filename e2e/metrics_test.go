package e2e

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/cmd/taskwire/kafkametrics"
	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/e2e/observability"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// prometheusOwn are metrics that Prometheus itself adds to a scrape.
var prometheusOwn = map[string]bool{"up": true}

// scrape adds the names of the metrics at url to names.
func scrape(url string, names map[string]bool) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '#' {
			name, _, _ := strings.Cut(line, " ")
			name, _, _ = strings.Cut(name, "{")
			names[name] = true
		}
	}
	return lines.Err()
}

// TestEveryMetricOfTheDashboardsAndAlertsExists uses each feature once, scrapes every part as Prometheus does, and looks
// for each metric in the expressions of the dashboards and alerts.
func TestEveryMetricOfTheDashboardsAndAlertsExists(t *testing.T) {
	disturbsShared(t)
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	asked, err := observability.Asked(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) < 20 {
		t.Fatalf("found only %d metrics, want at least 20: %v", len(asked), asked)
	}
	u := client.NewUser(t, shared.URL())
	page := client.OpenBrowser(t, u, 0)
	task := u.Create(map[string]any{"title": "measured", "due_date": "2030-01-01", "recurrence": map[string]any{"rrule": "FREQ=DAILY"},
		"remind_at": time.Now().UTC().Format(time.RFC3339)})
	u.Must(http.MethodPost, "/api/v1/tasks/"+task.ID+"/complete", nil, http.StatusOK, nil)
	u.Create(map[string]any{"title": "reminded", "due_date": "2030-01-01", "remind_at": time.Now().UTC().Format(time.RFC3339)})
	client.Eventually(t, time.Minute, "a notification", func() error {
		if len(page.Notifications()) == 0 {
			return errNothingYet
		}
		return nil
	})
	makeASidecarRetry(t, u)
	publish(t, "task-api", events.TopicTaskEvents, uuid.NewString(), u.ID, []byte(`{"event_type":"no such event","task_id":"poison"}`))
	exporter := startKafkaMetrics(t)
	client.Eventually(t, time.Minute, "every metric exists", func() error {
		names := map[string]bool{}
		urls := []string{exporter}
		for _, app := range apps.All() {
			urls = append(urls, shared.MetricsURL(app), shared.MetricsURL(stack.Sidecar(app)))
		}
		for _, url := range urls {
			if err := scrape(url, names); err != nil {
				return err
			}
		}
		var missing []string
		for metric, places := range asked {
			if !names[metric] && !prometheusOwn[metric] {
				missing = append(missing, fmt.Sprintf("%s (%s)", metric, places[0]))
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("no part exports %s", strings.Join(missing, ", "))
		}
		return nil
	})
}

// makeASidecarRetry lets the recurrence engine take a completion while the task API is stopped: a sidecar exports the
// metrics of its retries only after the first retry.
func makeASidecarRetry(t *testing.T, u *client.User) {
	t.Helper()
	task := u.Create(map[string]any{"title": "tried again", "due_date": "2030-01-01", "recurrence": map[string]any{"rrule": "FREQ=DAILY"}})
	do := func(fn func(string) error, part string) {
		if err := fn(part); err != nil {
			t.Fatal(err)
		}
	}
	do(shared.Stop, "recurring-task")
	u.Must(http.MethodPost, "/api/v1/tasks/"+task.ID+"/complete", nil, http.StatusOK, nil)
	client.Eventually(t, time.Minute, "the completion is published", func() error { return auditKnows(u, task.ID, 2) })
	do(shared.Stop, "task-api")
	do(shared.Start, "recurring-task")
	client.Eventually(t, time.Minute, "a sidecar has retried", func() error {
		names := map[string]bool{}
		if err := scrape(shared.MetricsURL(stack.Sidecar("recurring-task")), names); err != nil {
			return err
		}
		if !names["dapr_resiliency_activations_total"] {
			return errNothingYet
		}
		return nil
	})
	do(shared.Start, "task-api")
	client.Eventually(t, client.RecoveryTimeout, "ready", func() error {
		if status, _, err := u.Do(http.MethodGet, "/readyz", nil, nil); err != nil || status != http.StatusOK {
			return fmt.Errorf("%d, %w", status, err)
		}
		return nil
	})
}

// auditKnows returns an error unless the audit log has the version of the task.
func auditKnows(u *client.User, taskID string, version int64) error {
	entries, err := u.Audit("/api/v1/audit/tasks/" + taskID)
	if err != nil {
		return err
	}
	if n := len(entries); n == 0 || entries[n-1].TaskVersion < version {
		return errNothingYet
	}
	return nil
}

// startKafkaMetrics runs the Kafka exporter on the brokers of the stack and returns the URL of its metrics.
func startKafkaMetrics(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- kafkametrics.Run(ctx, kafkametrics.Config{Kafka: shared.Kafka(kafkausers.Metrics), Addr: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)},
			func(addr string) { ready <- addr })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("kafka-metrics: %v", err)
		}
	})
	select {
	case addr := <-ready:
		return "http://" + addr + "/metrics"
	case err := <-ended:
		ended <- nil
		t.Fatalf("kafka-metrics: %v", err)
		return ""
	}
}
