package kafkausers

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// settings returns the settings of a component in dapr-components/.
func settings(t *testing.T, component string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/dapr-components/" + component + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Spec struct {
			Metadata []struct{ Name, Value string }
		}
	}
	if err := yaml.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, m := range document.Spec.Metadata {
		all[m.Name] = m.Value
	}
	return all
}

// scopes returns the topics of each app in a setting like "audit=a,b;websocket=c", of both components together.
func scopes(t *testing.T, setting string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, component := range []string{"kafka-pubsub", "kafka-fanout"} {
		for entry := range strings.SplitSeq(settings(t, component)[setting], ";") {
			app, topics, _ := strings.Cut(entry, "=")
			all[app] = append(all[app], strings.Split(topics, ",")...)
		}
	}
	for app, topics := range all {
		slices.Sort(topics)
		all[app] = slices.Compact(topics)
	}
	return all
}

// topics returns the topics of each app on which it may do something.
func topics(op kmsg.ACLOperation) map[string][]string {
	all := map[string][]string{}
	for _, u := range All() {
		if app := Short(u.Name); slices.Contains(apps.All(), app) {
			for _, r := range u.Rights {
				if r.Kind == kmsg.ACLResourceTypeTopic && slices.Contains(r.Operations, op) {
					all[app] = append(all[app], r.Name)
				}
			}
			slices.Sort(all[app])
		}
	}
	return all
}

func TestTheSidecarsScopesSayTheSame(t *testing.T) {
	t.Parallel()
	for setting, op := range map[string]kmsg.ACLOperation{
		"publishingScopes": kmsg.ACLOperationWrite, "subscriptionScopes": kmsg.ACLOperationRead,
	} {
		got, want := topics(op), scopes(t, setting)
		for app := range maps.Keys(want) {
			if !slices.Equal(got[app], want[app]) {
				t.Errorf("%s of %s: the list has %v, dapr-components has %v", setting, app, got[app], want[app])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: the list has the apps %v, dapr-components has %v", setting, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
}

func TestEveryAppHasAUser(t *testing.T) {
	t.Parallel()
	for _, app := range apps.All() {
		if !slices.ContainsFunc(All(), func(u User) bool { return u.Name == Of(app) }) {
			t.Errorf("%s has no user", app)
		}
	}
	for _, r := range roles {
		if !slices.Contains(apps.All(), r.app) {
			t.Errorf("%s has a role and is no app", r.app)
		}
	}
}

func TestTheGroupsAreThoseOfTheComponents(t *testing.T) {
	t.Parallel()
	if group := settings(t, "kafka-fanout")["consumerGroup"]; group != FanoutGroups+"{podName}" {
		t.Errorf("kafka-fanout has the group %q, the list allows %s{podName}", group, FanoutGroups)
	}
	if group := settings(t, "kafka-pubsub")["consumerGroup"]; group != "" {
		t.Errorf("kafka-pubsub has the group %q, the list allows the app's name", group)
	}
}

// TestNobodyButTheAdministratorChangesKafka looks at all operations of the list.
func TestNobodyButTheAdministratorChangesKafka(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"*": true}
	for _, topic := range events.Topics() {
		known[topic.Name] = true
	}
	for _, u := range All() {
		for _, r := range u.Rights {
			if r.Kind != kmsg.ACLResourceTypeTopic && r.Kind != kmsg.ACLResourceTypeGroup {
				t.Errorf("%s has a right on a resource of kind %v", u.Name, r.Kind)
			}
			if r.Kind == kmsg.ACLResourceTypeTopic && (!known[r.Name] || r.Prefix || r.Name == "*") {
				t.Errorf("%s has a right on topics %q", u.Name, r.Name)
			}
			for _, op := range r.Operations {
				removesGroup := u.Name == Metrics && op == kmsg.ACLOperationDelete && r.Kind == kmsg.ACLResourceTypeGroup
				if op != kmsg.ACLOperationRead && op != kmsg.ACLOperationWrite && op != kmsg.ACLOperationDescribe && !removesGroup {
					t.Errorf("%s may %v %s", u.Name, op, r.Name)
				}
			}
		}
	}
}

func TestTheTableInTheDocumentIsThisList(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/kafka.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), Markdown()) {
		t.Errorf("docs/kafka.md does not have this table:\n%s", Markdown())
	}
}
