package observability

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = "../.."

func TestMetricsOfAnExpressionAreFound(t *testing.T) {
	for expr, want := range map[string][]string{
		`up == 0`: {"up"},
		`histogram_quantile(0.95, sum by (le) (rate(a_bucket{app=~"$app", status=~"5.."}[5m]))) > 1`: {"a_bucket"},
		`a{b="c)"} > 0 and on (group) d == 0 # e`:                                                    {"a", "d"},
		`max by (app) (a) > 1e4 and deriv((max by (app) (a))[15m:1m]) > 0`:                           {"a"},
		`absent(a) or sum(increase(b[$__rate_interval])) unless c offset 5m`:                         {"a", "b", "c"},
	} {
		if got := Metrics(expr); !slices.Equal(got, want) {
			t.Errorf("Metrics(%s): got %v, want %v", expr, got, want)
		}
	}
}

// heading matches a heading of Markdown. GitHub derives the anchor from it.
var heading = regexp.MustCompile(`(?m)^#+ (.+)$`)

func anchors(t *testing.T, file string) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(string(raw), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(strings.TrimSpace(name), " ", "-")] = true
	}
	return found
}

func TestEveryAlertLinksToItsHeadingInTheRunbook(t *testing.T) {
	rules, err := Alerts(root)
	if err != nil || len(rules) == 0 {
		t.Fatalf("alerts: %d, %v", len(rules), err)
	}
	have := anchors(t, "docs/runbook.md")
	for _, r := range rules {
		file, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "#")
		if file != "docs/runbook.md" || anchor != strings.ToLower(r.Alert) || !have[anchor] {
			t.Errorf("alert %s: %q is not its heading in docs/runbook.md", r.Alert, r.Annotations["runbook_url"])
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("alert %s: severity is %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" {
			t.Errorf("alert %s has no summary", r.Alert)
		}
	}
}

// TestEveryAlertHasACaseThatFiresAndOneThatDoesNot reads alerts_test.yml, which promtool runs.
func TestEveryAlertHasACaseThatFiresAndOneThatDoesNot(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, Folder, "alerts_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Alerts []struct {
				Name string `yaml:"alertname"`
				Want []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, a := range test.Alerts {
			if len(a.Want) > 0 {
				fires[a.Name] = true
			} else {
				silent[a.Name] = true
			}
		}
	}
	rules, err := Alerts(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("alert %s: has a case in which it fires: %v, has one in which it does not: %v", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}

func TestDashboardsUseProvisionedDatasources(t *testing.T) {
	var provisioned struct {
		Datasources []struct {
			UID string `yaml:"uid"`
		} `yaml:"datasources"`
	}
	raw, err := os.ReadFile(filepath.Join(root, Folder, "grafana/provisioning/datasources/taskwire.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &provisioned); err != nil {
		t.Fatal(err)
	}
	sources := map[string]bool{}
	for _, d := range provisioned.Datasources {
		sources[d.UID] = true
	}
	dashboards, err := Dashboards(root)
	if err != nil || len(dashboards) == 0 {
		t.Fatalf("dashboards: %d, %v", len(dashboards), err)
	}
	uids := map[string]string{}
	for _, d := range dashboards {
		if other, taken := uids[d.UID]; taken || d.UID == "" || d.Title == "" {
			t.Errorf("%s: uid %q is empty or the same as in %s, or the title is empty", d.File, d.UID, other)
		}
		uids[d.UID] = d.File
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] {
				t.Errorf("%s: two panels have the id %d", d.File, p.ID)
			}
			ids[p.ID] = true
			if p.Type == "row" {
				continue
			}
			if !sources[p.Datasource.UID] {
				t.Errorf("%s: %s uses the datasource %q, which is not provisioned", d.File, p.Title, p.Datasource.UID)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s: %s has no query", d.File, p.Title)
			}
		}
	}
}

// collector is the configuration of an OpenTelemetry collector.
type collector struct {
	Receivers, Processors, Exporters, Extensions map[string]any
	Service                                      struct {
		Extensions []string
		Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
	}
}

func TestTheCollectorsPipelinesUseEachConfiguredPart(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(root, Folder, "otel-collector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var c collector
	if err := yaml.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	check := func(where, kind string, names []string, have map[string]any) {
		for _, n := range names {
			used[kind+" "+n] = true
			if _, ok := have[n]; !ok {
				t.Errorf("%s names the %s %q, which is not configured", where, kind, n)
			}
		}
	}
	if len(c.Service.Pipelines) == 0 {
		t.Error("the collector has no pipeline")
	}
	for name, p := range c.Service.Pipelines {
		check(name, "receiver", p.Receivers, c.Receivers)
		check(name, "processor", p.Processors, c.Processors)
		check(name, "exporter", p.Exporters, c.Exporters)
		if len(p.Receivers) == 0 || len(p.Exporters) == 0 {
			t.Errorf("pipeline %s has no receiver or no exporter", name)
		}
		if len(p.Processors) == 0 || p.Processors[0] != "memory_limiter" {
			t.Errorf("pipeline %s: got the processors %v, want the memory limiter first", name, p.Processors)
		}
	}
	check("service", "extension", c.Service.Extensions, c.Extensions)
	for kind, have := range map[string]map[string]any{"receiver": c.Receivers, "processor": c.Processors, "exporter": c.Exporters, "extension": c.Extensions} {
		for n := range have {
			if !used[kind+" "+n] {
				t.Errorf("the %s %q is configured and not used", kind, n)
			}
		}
	}
}
