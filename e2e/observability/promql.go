// Package observability reads deploy/observability for the tests: which metrics the dashboards and alert rules query, and
// where.
//
// It promises to miss no metric: a word that it does not know as part of PromQL counts as a metric, which then has to exist.
package observability

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Folder is the folder that this package reads, relative to the repository.
const Folder = "deploy/observability"

// Rule is an alert rule.
type Rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Alerts returns the rules of alerts.yml.
func Alerts(root string) ([]Rule, error) {
	var file struct {
		Groups []struct {
			Rules []Rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	raw, err := os.ReadFile(filepath.Join(root, Folder, "alerts.yml"))
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("alerts.yml: %w", err)
	}
	var all []Rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all, nil
}

// Dashboard holds the fields of a Grafana dashboard that the tests read.
type Dashboard struct {
	File   string  `json:"-"`
	UID    string  `json:"uid"`
	Title  string  `json:"title"`
	Panels []Panel `json:"panels"`
}

// Panel is a panel of a dashboard.
type Panel struct {
	ID         int    `json:"id"`
	Type       string `json:"type"`
	Title      string `json:"title"`
	Datasource struct {
		UID string `json:"uid"`
	} `json:"datasource"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// Dashboards returns the dashboards in grafana/dashboards.
func Dashboards(root string) ([]Dashboard, error) {
	files, err := filepath.Glob(filepath.Join(root, Folder, "grafana", "dashboards", "*.json"))
	if err != nil {
		return nil, err
	}
	var all []Dashboard
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		d := Dashboard{File: filepath.Base(f)}
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", d.File, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// Asked returns the metrics of all alerts and panels, each with the places that query it.
func Asked(root string) (map[string][]string, error) {
	asked := map[string][]string{}
	add := func(where, expr string) {
		for _, m := range Metrics(expr) {
			asked[m] = append(asked[m], where)
		}
	}
	rules, err := Alerts(root)
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		add("alert "+r.Alert, r.Expr)
	}
	dashboards, err := Dashboards(root)
	if err != nil {
		return nil, err
	}
	for _, d := range dashboards {
		for _, p := range d.Panels {
			for _, t := range p.Targets {
				add(d.File+": "+p.Title, t.Expr)
			}
		}
	}
	return asked, nil
}

var (
	notCode  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'|#[^\n]*|\[[^\]]*\]|\{[^}]*\}`) // strings, comments, ranges, then selectors
	grouping = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	word     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?|[0-9][0-9a-zA-Z.]*`)
	operator = map[string]bool{"and": true, "or": true, "unless": true, "bool": true, "offset": true, "by": true, "without": true}
)

// Metrics returns the names of the metrics in a PromQL expression, each once, in their order.
func Metrics(expr string) (names []string) {
	seen := map[string]bool{}
	expr = grouping.ReplaceAllString(notCode.ReplaceAllString(expr, " "), " ")
	for _, w := range word.FindAllString(expr, -1) {
		name := strings.TrimSpace(w)
		if strings.HasSuffix(name, "(") || operator[name] || name[0] >= '0' && name[0] <= '9' || seen[name] {
			continue
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}
