package sidecar

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Kafka runs an in-process broker with Kafka's protocol until the test ends. Each topic has the number of partitions.
func Kafka(t testing.TB, partitions int, topics ...string) (cluster *kfake.Cluster, broker string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(int32(partitions), topics...))
	if err != nil {
		t.Fatalf("start kfake: %v", err)
	}
	t.Cleanup(cluster.Close)
	return cluster, cluster.ListenAddrs()[0]
}

// PubSub returns the component kafka-pubsub on broker. extra adds metadata.
func PubSub(broker string, extra map[string]string) string {
	md := map[string]string{
		"brokers": broker, "authType": "none", "initialOffset": "oldest", "version": "3.6.0", "disableTls": "true",
		"escapeHeaders": "true",
	}
	for k, v := range extra {
		md[k] = v
	}
	return component("kafka-pubsub", "pubsub.kafka", "v1", md)
}

// Secrets returns the component kubernetes-secrets, with a file that holds the secrets by name and key.
func Secrets(t testing.TB, secrets map[string]map[string]string) string {
	t.Helper()
	b, err := json.Marshal(secrets)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secrets.json")
	writeFile(t, file, string(b))
	return component("kubernetes-secrets", "secretstores.local.file", "v1", map[string]string{"secretsFile": file, "multiValued": "true"})
}

// State returns the component statestore on a Postgres database.
func State(url string) string {
	return component("statestore", "state.postgresql", "v2", map[string]string{"connectionString": url})
}

// Subscription returns a subscription that sends the topic's deliveries to POST path.
func Subscription(topic, path string) string {
	return fmt.Sprintf(`apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: %q}
spec:
  pubsubname: kafka-pubsub
  topic: %q
  routes: {default: %q}
`, topic, topic, path)
}

// Names returns a Configuration whose apps find each other through a shared SQLite file.
func Names(file string) string {
	return fmt.Sprintf(`apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: config}
spec:
  nameResolution:
    component: sqlite
    version: v1
    configuration: {connectionString: %q}
`, file)
}

func component(name, kind, version string, metadata map[string]string) string {
	type kv struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	items := []kv{}
	for k, v := range metadata {
		items = append(items, kv{k, v})
	}
	b, _ := json.Marshal(map[string]any{ // JSON is YAML
		"apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": map[string]string{"name": name},
		"spec": map[string]any{"type": kind, "version": version, "metadata": items},
	})
	return string(b)
}
