package observability

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/cmd/taskwire/kafkametrics"
	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
)

// prometheusProgram is built by scripts/observability.sh.
const prometheusProgram = "../../.taskwire/bin/prometheus"

// alertTimeout bounds the wait for an alert. Prometheus scrapes and evaluates each second.
const alertTimeout = time.Minute

// TestAlertsFireForAGroupThatNeverJoined runs the rules of alerts.yml in Prometheus, on what taskwire kafka-metrics exports
// from the embedded broker. promtool tests how long each rule waits, so the rules do not wait here.
func TestAlertsFireForAGroupThatNeverJoined(t *testing.T) {
	program, err := filepath.Abs(prometheusProgram)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skipf("Prometheus is not built, run make observability-check: %v", err)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, events.TopicTaskEvents), kfake.SeedTopics(1, events.TopicReminders))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	kafka, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	produce := func(n int) {
		records := make([]*kgo.Record, n)
		for i := range records {
			records[i] = &kgo.Record{Topic: events.TopicTaskEvents, Value: []byte("x")}
		}
		if err := kafka.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	produce(3)
	url := startPrometheus(t, program, startExporter(t, strings.Join(cluster.ListenAddrs(), ",")))

	client.Eventually(t, alertTimeout, "ConsumerGone of both consumers of task-events", func() error {
		return firing(url, "ConsumerGone: The group audit has no consumer on task-events: 3 events wait",
			"ConsumerGone: The group recurring-task has no consumer on task-events: 3 events wait")
	})
	produce(998)
	client.Eventually(t, alertTimeout, "ConsumerLags from 1,001 events on", func() error {
		return firing(url, "ConsumerGone: The group audit has no consumer on task-events: 1001 events wait",
			"ConsumerGone: The group recurring-task has no consumer on task-events: 1001 events wait",
			"ConsumerLags: audit is 1001 events behind on task-events", "ConsumerLags: recurring-task is 1001 events behind on task-events")
	})
	ends, err := kadm.NewClient(kafka).ListEndOffsets(t.Context(), events.TopicTaskEvents)
	if err != nil {
		t.Fatal(err)
	}
	if err := kadm.NewClient(kafka).CommitAllOffsets(t.Context(), "audit", ends.Offsets()); err != nil {
		t.Fatal(err)
	}
	client.Eventually(t, alertTimeout, "no alert of a consumer that has processed everything", func() error {
		return firing(url, "ConsumerGone: The group recurring-task has no consumer on task-events: 1001 events wait",
			"ConsumerLags: recurring-task is 1001 events behind on task-events")
	})
}

// startExporter runs taskwire kafka-metrics and returns its address.
func startExporter(t *testing.T, brokers string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		cfg := kafkametrics.Config{Kafka: kafkaconn.Settings{Brokers: brokers}, Addr: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
		ended <- kafkametrics.Run(ctx, cfg, func(addr string) { ready <- addr })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("kafka-metrics: %v", err)
		}
	})
	return <-ready
}

// listening finds the address in Prometheus' log.
var listening = regexp.MustCompile(`msg="Listening on" .*address=(127\.0\.0\.1:\d+)`)

// startPrometheus runs Prometheus with the rules of alerts.yml and one target, and returns its URL.
func startPrometheus(t *testing.T, program, target string) string {
	t.Helper()
	dir := t.TempDir()
	writeYAML(t, filepath.Join(dir, "alerts.yml"), rulesWithoutWaiting(t))
	writeYAML(t, filepath.Join(dir, "prometheus.yml"), map[string]any{
		"global":         map[string]any{"scrape_interval": "1s", "evaluation_interval": "1s"},
		"rule_files":     []string{"alerts.yml"},
		"scrape_configs": []any{map[string]any{"job_name": "kafka", "static_configs": []any{map[string]any{"targets": []string{target}}}}},
	})
	logged, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = logged, logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
		logged.Close()
		if raw, err := os.ReadFile(logged.Name()); t.Failed() && err == nil {
			t.Logf("the log of Prometheus:\n%s", raw)
		}
	})
	var addr string
	client.Eventually(t, alertTimeout, "Prometheus listens", func() error {
		raw, err := os.ReadFile(logged.Name())
		if err != nil {
			return err
		}
		m := listening.FindSubmatch(raw)
		if m == nil {
			return fmt.Errorf("its log names no address")
		}
		addr = string(m[1])
		return nil
	})
	return "http://" + addr
}

// rulesWithoutWaiting returns alerts.yml without the time that each rule waits before it fires.
func rulesWithoutWaiting(t *testing.T) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, Folder, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string           `yaml:"name"`
			Rules []map[string]any `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	var groups []any
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			delete(r, "for")
		}
		groups = append(groups, map[string]any{"name": g.Name, "rules": g.Rules})
	}
	return map[string]any{"groups": groups}
}

func writeYAML(t *testing.T, name string, content any) {
	t.Helper()
	raw, err := yaml.Marshal(content)
	if err == nil {
		err = os.WriteFile(name, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// firing returns an error unless exactly these alerts about consumers fire, each with its summary.
func firing(url string, want ...string) error {
	resp, err := http.Get(url + "/api/v1/alerts")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Data struct {
			Alerts []struct {
				State               string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("%w: %s", err, raw)
	}
	found := map[string]bool{}
	for _, a := range answer.Data.Alerts {
		if name := a.Labels["alertname"]; strings.HasPrefix(name, "Consumer") && a.State == "firing" {
			found[name+": "+a.Annotations["summary"]] = true
		}
	}
	for _, w := range want {
		if !found[w] {
			return fmt.Errorf("%q does not fire, but %v", w, found)
		}
	}
	if len(found) != len(want) {
		return fmt.Errorf("got %v, want only %v", found, want)
	}
	return nil
}
