package gateway

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestTheIngressHasTheSameMap reads the cluster's one origin: a path leads to the same service as here, and what is hidden
// here leads nowhere.
func TestTheIngressHasTheSameMap(t *testing.T) {
	raw, err := os.ReadFile("testdata/ingress.yaml") // a link into k8s/base
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
					t.Errorf("%s: got path type %s; only Prefix is what the gateway does", p.Path, p.PathType)
				}
				got[p.Path] = p.Backend.Service.Name
			}
		}
	}
	want := map[string]string{}
	for _, r := range routes {
		want[r.prefix] = r.upstream
	}
	for _, h := range hidden {
		want[h] = "nothing"
	}
	for path, service := range want {
		if got[path] != service {
			t.Errorf("%s leads to %q, want %q", path, got[path], service)
		}
	}
	for path := range got {
		if want[path] == "" {
			t.Errorf("%s is not in the gateway's map", path)
		}
	}
}
