package apps

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// name matches an app's name in a copy.
const name = `([a-z][a-z-]*)`

// copies are the places that list every app and cannot import this package. The files are links into the repository, so
// that Go's test cache notices their changes.
var copies = []struct {
	file  string
	block string // finds the list: its first group, or the whole match
	item  string // finds one name in the list
	extra []string
}{
	{file: "Makefile", block: `(?m)^MODULES .*$`, item: `services/` + name},
	{file: "scripts/images.sh", block: `set -- (.*)`, extra: programs},
	{file: "scripts/compose-test.sh", block: `for name in ([^;]*);`, extra: programs},
	{file: "scripts/image-build.sh", block: `(?m)^  (.*)\) package=\./services/`},
	{file: "scripts/image-build.sh", block: `for app in ([^;]*);`},
	{file: "scripts/k8s/lib.sh", block: `APPS="(.*)"`},
	{file: "workflows/release.yml", block: `image: \[(.*)\]`, extra: programs},
	{file: "images/main.go", block: `var Names = .*\{(.*)\}`, extra: programs},
	{file: "docker-compose.yml", item: `--app-id=` + name},
	{file: "docker-compose.yml", item: `- ` + name + `-daprd:/config/[a-z-]+\n`},
	{file: "docker-compose.yml", item: `build: \{context: \., args: \{SERVICE: ` + name, extra: programs},
	{file: "deploy/observability/prometheus.yml", block: `(?s)job_name: taskwire(.*?)job_name`, item: `"` + name + `:8080"`},
	{file: "deploy/observability/prometheus.yml", block: `(?s)job_name: dapr(.*?)job_name`, item: `"` + name + `-daprd:`},
	{file: "dapr-components/kafka-pubsub.yaml", block: `(?s)\nscopes:(.*)`},
	{file: "dapr-components/configuration.yaml", block: `(?s)allowedSecrets:(.*?)\n *#`},
	{file: "k8s/base/kustomization.yaml", block: `(?s)\nresources:(.*?)\n\w`, item: `- ` + name + `\.yaml`, extra: []string{"ingress", "namespace"}},
	{file: "k8s/overlays/minikube/kustomization.yaml", item: `\{name: taskwire/` + name, extra: programs[:1]},
	{file: "k8s/overlays/lab/kustomization.yaml", item: `\{name: taskwire/` + name, extra: programs[:1]},
	{file: "k8s/overlays/cloud/kustomization.yaml", item: `\{name: taskwire/` + name, extra: programs[:1]},
}

// programs are the images that hold no app.
var programs = []string{"taskwire", "daprd"}

func TestEveryCopyNamesTheSameApps(t *testing.T) {
	for _, c := range copies {
		t.Run(c.file, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			list := string(raw)
			if c.block != "" {
				found := regexp.MustCompile(c.block).FindStringSubmatch(list)
				if found == nil {
					t.Fatalf("%s has no list that %s matches", c.file, c.block)
				}
				list = found[len(found)-1]
			}
			item := c.item
			if item == "" {
				item = `\b` + name + `\b`
			}
			var got []string
			for _, m := range regexp.MustCompile(item).FindAllStringSubmatch(list, -1) {
				got = append(got, m[1])
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(append(All(), c.extra...)))
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("%s lists %v, want %v", c.file, got, want)
			}
		})
	}
}

func TestEveryAppHasItsOwnFiles(t *testing.T) {
	for _, app := range All() {
		raw, err := os.ReadFile(filepath.Join("testdata", "k8s", "base", app+".yaml"))
		if err != nil || !strings.Contains(string(raw), "dapr.io/app-id: "+app+"\n") {
			t.Errorf("k8s/base/%s.yaml: got %v, want the deployment of app id %s", app, err, app)
		}
	}
}

func TestTheRecurrenceEngineAndTheSignerAreNotPublic(t *testing.T) {
	hidden := slices.DeleteFunc(All(), func(app string) bool { return slices.Contains(Public(), app) })
	if !slices.Equal(hidden, []string{RecurringTask, AuditSigner}) {
		t.Errorf("apps that are not public: got %v, want %s and %s", hidden, RecurringTask, AuditSigner)
	}
}
