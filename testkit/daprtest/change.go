// Changes of the rendered resources.

package daprtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Resources are the rendered documents by the names of their files, such as "component-kafka-pubsub". The sidecar's
// configuration is "config".
type Resources map[string]map[string]any

// Change changes rendered resources. Tests use it to show what a line is for.
type Change func(t testing.TB, r Resources)

// WithoutSetting removes a setting from a component's metadata.
func WithoutSetting(component, name string) Change {
	return func(t testing.TB, r Resources) {
		t.Helper()
		spec := r.spec(t, "component-"+component)
		var kept []any
		for _, item := range spec["metadata"].([]any) {
			if item.(map[string]any)["name"] != name {
				kept = append(kept, item)
			}
		}
		if len(kept) == len(spec["metadata"].([]any)) {
			t.Fatalf("component %s has no setting %s to remove", component, name)
		}
		spec["metadata"] = kept
	}
}

// WithSetting sets a setting in a component's metadata.
func WithSetting(component, name, value string) Change {
	return func(t testing.TB, r Resources) {
		t.Helper()
		spec := r.spec(t, "component-"+component)
		for _, item := range spec["metadata"].([]any) {
			if m := item.(map[string]any); m["name"] == name {
				m["value"] = value
				return
			}
		}
		spec["metadata"] = append(spec["metadata"].([]any), map[string]any{"name": name, "value": value})
	}
}

// Without removes the value at a path below a document's spec. Dots separate the steps of the path.
func Without(document, path string) Change {
	return func(t testing.TB, r Resources) {
		t.Helper()
		at, last := r.walk(t, document, path)
		if _, ok := at[last]; !ok {
			t.Fatalf("%s has no %s to remove", document, path)
		}
		delete(at, last)
	}
}

// With sets the value at a path below a document's spec.
func With(document, path string, value any) Change {
	return func(t testing.TB, r Resources) {
		t.Helper()
		at, last := r.walk(t, document, path)
		at[last] = value
	}
}

// WithoutDocument removes a whole document.
func WithoutDocument(document string) Change {
	return func(t testing.TB, r Resources) {
		t.Helper()
		r.spec(t, document)
		delete(r, document)
	}
}

// WithDocument adds a document.
func WithDocument(name, content string) Change {
	return func(t testing.TB, r Resources) {
		t.Helper()
		var body map[string]any
		if err := yaml.Unmarshal([]byte(content), &body); err != nil {
			t.Fatal(err)
		}
		r[name] = body
	}
}

func (r Resources) spec(t testing.TB, document string) map[string]any {
	t.Helper()
	spec, ok := r[document]["spec"].(map[string]any)
	if !ok {
		t.Fatalf("there is no document %s", document)
	}
	return spec
}

func (r Resources) walk(t testing.TB, document, path string) (at map[string]any, last string) {
	t.Helper()
	at = r.spec(t, document)
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		next, ok := at[step].(map[string]any)
		if !ok {
			t.Fatalf("%s has no %s", document, path)
		}
		at = next
	}
	return at, steps[len(steps)-1]
}

func change(t testing.TB, changes []Change, resources, config string) {
	t.Helper()
	if len(changes) == 0 {
		return
	}
	files, err := filepath.Glob(filepath.Join(resources, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	docs, paths := Resources{}, map[string]string{}
	for _, path := range append(files, config) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := yaml.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		docs[name], paths[name] = body, path
	}
	for _, c := range changes {
		c(t, docs)
	}
	for name, path := range paths {
		if docs[name] == nil {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, body := range docs {
		raw, err := yaml.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		path, ok := paths[name]
		if !ok {
			path = filepath.Join(resources, name+".yaml")
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
