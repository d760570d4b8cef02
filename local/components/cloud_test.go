package components_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/testkit/daprtest"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.yaml.in/yaml/v3"
)

// asInACluster gives a Kafka component the settings of its document, without the overrides of one machine. The sidecar then has
// its user in its environment.
func asInACluster(component, brokers string) daprtest.Change {
	return func(t testing.TB, r daprtest.Resources) {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(daprtest.Source(t), component+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if err := yaml.Unmarshal(raw, &document); err != nil {
			t.Fatal(err)
		}
		r["component-"+component] = document
		daprtest.WithSetting(component, "brokers", brokers)(t, r)
	}
}

// TestTheSidecarLogsInToAKafkaOfTheCloud has a broker that accepts TLS and SCRAM-SHA-512 only, the user and the CA in the
// environment of the sidecar, and the components as they are in a cluster.
func TestTheSidecarLogsInToAKafkaOfTheCloud(t *testing.T) {
	t.Parallel()
	slow(t)
	const user, password = "taskwire", "a long secret"
	server := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate, which is for 127.0.0.1
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.TLS(server.TLS), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", user, password)}
	for _, topic := range events.Topics() {
		options = append(options, kfake.SeedTopics(int32(topic.Partitions), topic.Name))
	}
	k, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	start := func(t *testing.T, app, password, ca string) (*daprtest.Sidecar, *daprtest.App) {
		a := daprtest.NewApp(t, nil)
		changes := []daprtest.Change{asInACluster("kafka-pubsub", k.ListenAddrs()[0]), asInACluster("kafka-fanout", k.ListenAddrs()[0])}
		return daprtest.Start(t, daprtest.Options{App: app, Port: a.Port, Brokers: k.ListenAddrs()[0], Changes: changes,
			Env: []string{"KAFKA_USERNAME=" + user, "KAFKA_PASSWORD=" + password, "KAFKA_CA_CERT=" + ca}}), a
	}

	t.Run("it publishes and is delivered to", func(t *testing.T) {
		_, audit := start(t, "audit", password, ca)
		api, _ := start(t, "task-api", password, ca)
		api.WaitReady(t)
		must(t, api.Publish(t, "task-events", `{}`, "partitionKey", "u", "cloudevent.id", "over-tls"))
		audit.WaitFor(t, "over-tls")
	})
	t.Run("every replica of websocket too", func(t *testing.T) {
		_, page := start(t, "websocket", password, ca)
		api, _ := start(t, "task-api", password, ca)
		api.WaitReady(t)
		for deadline := time.Now().Add(wait); len(page.Delivered()) == 0; time.Sleep(100 * time.Millisecond) { // its group begins with what is new
			if time.Now().After(deadline) {
				t.Fatalf("nothing was delivered within %s", wait)
			}
			must(t, api.Publish(t, "task-updates", `{}`, "partitionKey", "u"))
		}
	})
	for name, c := range map[string]struct{ password, ca, says string }{
		"with another password":      {"a guess", ca, "SASL"},
		"with the CA of another":     {password, strings.Replace(ca, ca[100:120], ca[200:220], 1), "cert"},
		"without the CA in its file": {password, "", "cert"},
	} {
		t.Run(name+" it says why and ends", func(t *testing.T) {
			s, _ := start(t, "task-api", c.password, c.ca)
			<-s.Exited()
			if log := s.Log(); !strings.Contains(log, c.says) || strings.Contains(log, c.password) {
				t.Errorf("the log of the sidecar has no %q, or the password:\n%s", c.says, log)
			}
		})
	}
}
