package main

import (
	"strings"
	"testing"

	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/dapr/pkg/apis/components/v1alpha1"
	configv1 "github.com/dapr/dapr/pkg/apis/configuration/v1alpha1"
	resiliencyv1 "github.com/dapr/dapr/pkg/apis/resiliency/v1alpha1"
	subscriptionsv2 "github.com/dapr/dapr/pkg/apis/subscriptions/v2alpha1"
	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/kit/logger"
	"sigs.k8s.io/yaml"
)

// Dapr ignores an unknown field without an error, so a misspelt protection would be missing without notice.
func TestResourcesHaveOnlyFieldsThatDaprKnows(t *testing.T) {
	for _, doc := range documents(t) {
		var into any
		switch kind := text(doc, "apiVersion") + " " + text(doc, "kind"); kind {
		case "dapr.io/v1alpha1 Component":
			into = &v1alpha1.Component{}
		case "dapr.io/v1alpha1 Configuration":
			into = &configv1.Configuration{}
		case "dapr.io/v1alpha1 Resiliency":
			into = &resiliencyv1.Resiliency{}
		case "dapr.io/v2alpha1 Subscription":
			into = &subscriptionsv2.Subscription{}
		default:
			t.Errorf("this test does not know the kind %s", kind)
			continue
		}
		raw, err := yaml.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(raw, into); err != nil {
			t.Errorf("%s %s: %v", text(doc, "kind"), text(doc, "metadata", "name"), err)
		}
	}
}

// byTheRuntime are settings of a component that the runtime reads, not the component.
var byTheRuntime = map[string]bool{
	"protectedtopics": true, "publishingscopes": true, "subscriptionscopes": true, "direction": true,
}

func TestComponentsHaveOnlySettingsThatTheyRead(t *testing.T) {
	log := logger.NewLogger("test")
	register(log, log)
	for _, doc := range documents(t) {
		kind, version, name := text(doc, "spec", "type"), text(doc, "spec", "version"), text(doc, "metadata", "name")
		if text(doc, "kind") != "Component" || kind == "" {
			continue // an override has only what differs
		}
		known := map[string]bool{}
		for setting := range knownSettings(t, kind, version) {
			known[strings.ToLower(setting)] = true
		}
		spec := doc["spec"].(map[string]any)
		items, _ := spec["metadata"].([]any)
		for _, item := range items {
			setting := strings.ToLower(text(item.(map[string]any), "name"))
			if !known[setting] && !byTheRuntime[setting] {
				t.Errorf("component %s: %s has no setting %q", name, kind, setting)
			}
		}
	}
}

func knownSettings(t *testing.T, kind, version string) metadata.MetadataMap {
	t.Helper()
	var component any
	var err error
	switch family, _, _ := strings.Cut(kind, "."); family {
	case "pubsub":
		component, err = pubsub.DefaultRegistry.Create(kind, version, "test")
	case "bindings":
		component, err = bindings.DefaultRegistry.CreateInputBinding(kind, version, "test")
	case "secretstores":
		component, err = secretstores.DefaultRegistry.Create(kind, version, "test")
	case "state":
		component, err = state.DefaultRegistry.Create(kind, version, "test")
	}
	if err != nil {
		t.Fatalf("%s %s: %v", kind, version, err)
	}
	with, ok := component.(interface{ GetComponentMetadata() metadata.MetadataMap })
	if !ok {
		t.Fatalf("%s does not list its settings", kind)
	}
	return with.GetComponentMetadata()
}
