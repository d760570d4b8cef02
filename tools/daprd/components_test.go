package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/configuration"
	"github.com/dapr/dapr/pkg/components/conversation"
	"github.com/dapr/dapr/pkg/components/crypto"
	"github.com/dapr/dapr/pkg/components/lock"
	middleware "github.com/dapr/dapr/pkg/components/middleware/http"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/kit/logger"
	"sigs.k8s.io/yaml"
)

// resources is a link to the folder of the repository, because Go's test cache notices changes only below the module.
const resources = "testdata/dapr-components"

// documents returns the Dapr resources of the repository: those for Kubernetes and the local overrides.
func documents(t *testing.T) []map[string]any {
	t.Helper()
	var docs []map[string]any
	for _, pattern := range []string{"*.yaml", "local/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(resources, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files %s in %s: %v", pattern, resources, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for part := range strings.SplitSeq(string(raw), "\n---\n") {
				var doc map[string]any
				if err := yaml.Unmarshal([]byte(part), &doc); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				docs = append(docs, doc)
			}
		}
	}
	return docs
}

func text(doc map[string]any, path ...string) string {
	for _, step := range path[:len(path)-1] {
		doc, _ = doc[step].(map[string]any)
	}
	s, _ := doc[path[len(path)-1]].(string)
	return s
}

// wanted returns the component types that the resources name, with the version unless it is v1.
func wanted(t *testing.T) []string {
	t.Helper()
	types := map[string]bool{
		"nameresolution.kubernetes": true, // the default of a sidecar in a cluster
	}
	for _, doc := range documents(t) {
		if kind := text(doc, "spec", "type"); text(doc, "kind") == "Component" && kind != "" {
			if version := text(doc, "spec", "version"); version != "" && version != "v1" {
				kind += "/" + version
			}
			types[kind] = true
		}
		if names := text(doc, "spec", "nameResolution", "component"); names != "" {
			types["nameresolution."+names] = true
		}
	}
	return slices.Sorted(maps.Keys(types))
}

// registered returns the types in daprd's registries. They are in private maps, so it uses reflection.
func registered() []string {
	types := map[string]bool{}
	for _, registry := range []any{pubsub.DefaultRegistry, bindings.DefaultRegistry, secretstores.DefaultRegistry,
		nameresolution.DefaultRegistry, state.DefaultRegistry, configuration.DefaultRegistry, lock.DefaultRegistry,
		crypto.DefaultRegistry, conversation.DefaultRegistry, middleware.DefaultRegistry} {
		fields := reflect.ValueOf(registry).Elem()
		for i := range fields.NumField() {
			if f := fields.Field(i); f.Kind() == reflect.Map && f.Type().Elem().Kind() == reflect.Func {
				for _, key := range f.MapKeys() {
					types[key.String()] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(types))
}

func TestDaprdHasExactlyTheComponentsOfTheResources(t *testing.T) {
	if register(logger.NewLogger("test"), logger.NewLogger("test")) == nil {
		t.Fatal("register = nil")
	}
	if got, want := registered(), wanted(t); !slices.Equal(got, want) {
		t.Errorf("registered components = %v, want %v", got, want)
	}
}
