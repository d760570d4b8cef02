package components

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/sidecarid"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// source is a link to the repository's folder, because Go's test cache notices changes in the module only.
const source = "testdata/dapr-components"

func rendered(t *testing.T, app string) (resources map[string]map[string]any, config map[string]any) {
	t.Helper()
	dir, file, err := Render(Config{Source: source, Out: t.TempDir(), App: app, Kafka: kafkaconn.Settings{Brokers: "127.0.0.1:9092"},
		SecretsFile: "/secrets/" + app + ".json", NameResolutionFile: "/run/names.db"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) map[string]any {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := yaml.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		return body
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	resources = map[string]map[string]any{}
	for _, path := range files {
		resources[filepath.Base(path)] = read(path)
	}
	return resources, read(file)
}

func TestEachSidecarGetsTheDocumentsOfItsApp(t *testing.T) {
	t.Parallel()
	all := []string{"component-kafka-pubsub.yaml", "component-kubernetes-secrets.yaml", "resiliency-taskwire.yaml"}
	fanOut := []string{"component-kafka-fanout.yaml", "subscription-account-events-fan-out.yaml"}
	for app, more := range map[string][]string{
		"task-api":       fanOut,
		"audit":          append([]string{"subscription-task-events.yaml", "subscription-account-events.yaml"}, fanOut...),
		"recurring-task": {"subscription-task-events.yaml", "component-statestore.yaml"},
		"notification":   append([]string{"subscription-reminders.yaml", "component-reminder-cron.yaml"}, fanOut...),
		"websocket":      append([]string{"subscription-task-updates.yaml", "subscription-notifications.yaml"}, fanOut...),
	} {
		resources, config := rendered(t, app)
		want := slices.Sorted(slices.Values(append(slices.Clone(all), more...)))
		var got []string
		for name := range resources {
			got = append(got, name)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("resources of %s = %v, want %v", app, got, want)
		}
		if config["kind"] != kindConfiguration {
			t.Errorf("configuration of %s = %v", app, config)
		}
	}
}

func setting(t *testing.T, component map[string]any, name string) any {
	t.Helper()
	spec, _ := component["spec"].(map[string]any)
	items, _ := spec["metadata"].([]any)
	for _, item := range items {
		if m, _ := item.(map[string]any); m["name"] == name {
			return m["value"]
		}
	}
	t.Errorf("%v has no setting %s", component["metadata"], name)
	return nil
}

func TestLocalFilesAreKubernetesFilesWithOverrides(t *testing.T) {
	t.Parallel()
	resources, config := rendered(t, "websocket")
	for _, want := range []struct {
		file, setting string
		value         any
	}{
		{"component-kafka-pubsub.yaml", "brokers", "127.0.0.1:9092"},
		{"component-kafka-pubsub.yaml", "initialOffset", "oldest"},
		{"component-kafka-pubsub.yaml", "escapeHeaders", "true"}, // a string: YAML's own true is not what Dapr reads
		{"component-kafka-fanout.yaml", "brokers", "127.0.0.1:9092"},
		{"component-kafka-fanout.yaml", "consumerGroup", "ws-{podName}"},
		{"component-kubernetes-secrets.yaml", "secretsFile", "/secrets/websocket.json"},
	} {
		if got := setting(t, resources[want.file], want.setting); got != want.value {
			t.Errorf("%s: %s = %v, want %v", want.file, want.setting, got, want.value)
		}
	}
	if got := resources["component-kubernetes-secrets.yaml"]["spec"].(map[string]any)["type"]; got != "secretstores.local.file" {
		t.Errorf("secret store = %v, want secretstores.local.file", got)
	}
	names := config["spec"].(map[string]any)["nameResolution"].(map[string]any)
	if got := names["configuration"].(map[string]any)["connectionString"]; got != "/run/names.db" {
		t.Errorf("name resolution = %v, want /run/names.db", got)
	}
	if config["spec"].(map[string]any)["secrets"] == nil {
		t.Error("the override took the secret scopes away")
	}
}

func TestEverySidecarHasTheWholeAccessControl(t *testing.T) {
	t.Parallel()
	for _, app := range apps.All() {
		_, config := rendered(t, app)
		control, _ := config["spec"].(map[string]any)["accessControl"].(map[string]any)
		if control["defaultAction"] != "deny" || control["trustDomain"] != sidecarid.TrustDomain {
			t.Errorf("%s: access control = %v, want deny in the trust domain %s", app, control, sidecarid.TrustDomain)
		}
		policies, _ := control["policies"].([]any)
		for _, item := range policies {
			p, _ := item.(map[string]any)
			id, _ := p["appId"].(string)
			if !slices.Contains(apps.All(), id) || p["namespace"] != sidecarid.Namespace || p["trustDomain"] != sidecarid.TrustDomain || p["defaultAction"] != "deny" {
				t.Errorf("%s: the policy of %q is %v, want one of an app, with its identity, that denies what it does not list", app, id, p)
			}
			for _, item := range p["operations"].([]any) {
				o, _ := item.(map[string]any)
				name, _ := o["name"].(string)
				verbs, _ := o["httpVerb"].([]any)
				if !strings.HasPrefix(name, "/internal/") || strings.Contains(name, "*") || len(verbs) == 0 || slices.Contains(verbs, any("*")) {
					t.Errorf("%s may call %v, want one route with its methods", id, o)
				}
			}
		}
		if len(policies) == 0 {
			t.Errorf("%s: nobody may call anything", app)
		}
	}
}

func TestMergingFollowsTheNamesOfListItems(t *testing.T) {
	t.Parallel()
	body := func(s string) map[string]any {
		t.Helper()
		var m map[string]any
		if err := yaml.Unmarshal([]byte(s), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, test := range []struct{ name, base, over, want string }{
		{"a value", "a: 1\nb: 2", "b: 3", "a: 1\nb: 3"},
		{"a value below", "a: {b: 1, c: 2}", "a: {c: 3}", "a: {b: 1, c: 3}"},
		{"a value taken out", "a: 1\nb: 2", "b: null", "a: 1"},
		{"items by name", "m: [{name: a, value: 1}, {name: b, value: 2}]", "m: [{name: b, value: 3}, {name: c, value: 4}]",
			"m: [{name: a, value: 1}, {name: b, value: 3}, {name: c, value: 4}]"},
		{"items by store name", "m: [{storeName: a, x: 1}]", "m: [{storeName: a, x: 2}]", "m: [{storeName: a, x: 2}]"},
		{"a list without names", "m: [a, b]", "m: [c]", "m: [c]"},
		{"a list in place of a map", "m: {a: 1}", "m: [c]", "m: [c]"},
		{"an empty list of named items", "m: []", "m: [{name: a}]", "m: [{name: a}]"},
	} {
		got, err := yaml.Marshal(mergeMaps(body(test.base), body(test.over)))
		if err != nil {
			t.Fatal(err)
		}
		want, err := yaml.Marshal(body(test.want))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: merged = %s, want %s", test.name, got, want)
		}
	}
}

func TestRenderRefusesWhatWouldDropAGuardSilently(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		edit func(c *Config, src string)
		want string
	}{
		{"an app that no document names", func(c *Config, _ string) { c.App = "tasks-api" }, `"tasks-api"`},
		{"no broker", func(c *Config, _ string) { c.Kafka.Brokers = "" }, "Brokers"},
		{"an override of nothing", func(_ *Config, src string) {
			put(t, src+"/local/more.yaml", "kind: Component\nmetadata: {name: kafka-pubusb}\n")
		}, "kafka-pubusb"},
		{"an unknown placeholder", func(_ *Config, src string) {
			put(t, src+"/local/more.yaml", "kind: Resiliency\nmetadata: {name: taskwire}\nspec: {x: '${BROKER}'}\n")
		}, "${BROKER}"},
		{"a document twice", func(_ *Config, src string) {
			put(t, src+"/more.yaml", "kind: Component\nmetadata: {name: kafka-pubsub}\n")
		}, "kafka-pubsub"},
		{"a document without a name", func(_ *Config, src string) { put(t, src+"/more.yaml", "kind: Component\n") }, "more.yaml"},
		{"a file that is not YAML", func(_ *Config, src string) { put(t, src+"/more.yaml", "a: [") }, "more.yaml"},
		{"scopes that are not a list", func(_ *Config, src string) {
			put(t, src+"/more.yaml", "kind: Component\nmetadata: {name: x}\nscopes: audit\n")
		}, "scopes"},
		{"two configurations", func(_ *Config, src string) {
			put(t, src+"/more.yaml", "kind: Configuration\nmetadata: {name: other}\n")
		}, "other"},
		{"a path that daprd would read as something else", func(c *Config, _ string) { c.NameResolutionFile = "/a$HOME/n.db" }, "/a$HOME/n.db"},
		{"a folder without files", func(c *Config, _ string) { c.Source = t.TempDir() }, "no YAML files"},
	} {
		src := t.TempDir()
		if err := os.CopyFS(src, os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
		cfg := Config{Source: src, Out: t.TempDir(), App: "audit", Kafka: kafkaconn.Settings{Brokers: "b:1"}, SecretsFile: "s", NameResolutionFile: "n"}
		test.edit(&cfg, src)
		if _, _, err := Render(cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Render = %v, want an error with %q", test.name, err, test.want)
		}
	}
}

func TestUnderComposeASidecarIsFoundByItsAppsName(t *testing.T) {
	t.Parallel()
	for _, app := range apps.All() {
		dir, file, err := Render(Config{Source: source, Place: Compose, Out: t.TempDir(), App: app, Kafka: kafkaconn.Settings{Brokers: "redpanda:9092"}, SecretsFile: "/config/s.json"})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{file: "'{{.ID}}-daprd:{{.Port}}'", dir + "/component-kafka-pubsub.yaml": "redpanda:9092", dir + "/component-kubernetes-secrets.yaml": "/config/s.json"} {
			if raw, err := os.ReadFile(path); err != nil || !strings.Contains(string(raw), want) {
				t.Errorf("%s: %s has no %s (%v):\n%s", app, filepath.Base(path), want, err, raw)
			}
		}
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRenderingAgainReplacesEarlierFiles(t *testing.T) {
	t.Parallel()
	cfg := Config{Source: source, Out: t.TempDir(), App: "websocket", Kafka: kafkaconn.Settings{Brokers: "b:1"}, SecretsFile: "s", NameResolutionFile: "n"}
	for _, app := range []string{"websocket", "recurring-task"} {
		cfg.App = app
		dir, _, err := Render(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join(dir, "component-kafka-fanout.yaml"))
		if there := err == nil; there != (app == "websocket") {
			t.Errorf("after %s: the fan-out component is there: %t", app, there)
		}
		if entries, _ := os.ReadDir(cfg.Out); len(entries) != 2 {
			t.Errorf("after %s: %d entries in the output folder, want resources and config.yaml", app, len(entries))
		}
	}
}
