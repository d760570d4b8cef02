package secretfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/pkg/events/apps"
)

// In the manifests, only the init container gets the Secret with which a database is migrated.
func TestInTheClusterOnlyTheInitContainerMigrates(t *testing.T) {
	for _, app := range apps.Databases() {
		raw, err := os.ReadFile(filepath.Join("..", "..", "k8s", "base", app+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for decoder := yaml.NewDecoder(bytes.NewReader(raw)); ; {
			var object struct {
				Kind  string
				Rules []struct {
					ResourceNames []string `yaml:"resourceNames"`
				}
				Spec struct {
					Template struct {
						Spec struct {
							InitContainers      []any `yaml:"initContainers"`
							Containers, Volumes []any
						}
					}
				}
			}
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil && !strings.Contains(err.Error(), "cannot unmarshal") { // other kinds have other specs
				t.Fatal(err)
			}
			for _, rule := range object.Rules {
				if slices.Contains(rule.ResourceNames, Migrate(app)) {
					t.Errorf("%s: the account of the pod may read %s", app, Migrate(app))
				}
			}
			if object.Kind != "Deployment" {
				continue
			}
			pod := object.Spec.Template.Spec
			if !strings.Contains(fmt.Sprint(pod.InitContainers), Migrate(app)) {
				t.Errorf("%s: no init container gets %s", app, Migrate(app))
			}
			if strings.Contains(fmt.Sprint(pod.Containers, pod.Volumes), Migrate(app)) {
				t.Errorf("%s: the service gets %s", app, Migrate(app))
			}
		}
	}
}
