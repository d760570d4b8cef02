package routes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestTheGeneratedFilesAreCurrent is what `make generate-check` does, in every test run.
func TestTheGeneratedFilesAreCurrent(t *testing.T) {
	files, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join("testdata", filepath.Base(path))) // a link to the file
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what the table says: run make generate", path)
		}
	}
}

// TestTheIngressHasTheSameMap reads the Ingress as a cluster does: each public path leads to its app, each hidden one to
// the Service without pods.
func TestTheIngressHasTheSameMap(t *testing.T) {
	raw, err := os.ReadFile("testdata/ingress.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for doc := range strings.SplitSeq(string(raw), "\n---\n") {
		var ingress struct {
			Kind string
			Spec struct {
				Rules []struct {
					HTTP struct {
						Paths []struct {
							Path     string
							PathType string `yaml:"pathType"`
							Backend  struct{ Service struct{ Name string } }
						}
					}
				}
			}
		}
		if err := yaml.Unmarshal([]byte(doc), &ingress); err != nil {
			t.Fatal(err)
		}
		if ingress.Kind != "Ingress" {
			continue
		}
		for _, rule := range ingress.Spec.Rules {
			for _, p := range rule.HTTP.Paths {
				if p.PathType != "Prefix" {
					t.Errorf("%s: got path type %s, want Prefix, as the table's routes are", p.Path, p.PathType)
				}
				got[p.Path] = p.Backend.Service.Name
			}
		}
	}
	want := map[string]string{}
	for _, r := range Public {
		want[r.Prefix] = r.App
	}
	for _, h := range Hidden {
		want[h] = "nothing"
	}
	for path, service := range want {
		if got[path] != service {
			t.Errorf("%s leads to %q, want %q", path, got[path], service)
		}
	}
	for path := range got {
		if want[path] == "" {
			t.Errorf("%s is not in the table", path)
		}
	}
}
