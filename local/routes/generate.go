// The files that are generated from the table.

package routes

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/taskwire/taskwire/pkg/events/apps"
)

// Where the generated files are, from the repository's root.
const (
	CaddyfilePath = "deploy/compose/Caddyfile"
	IngressPath   = "k8s/base/ingress.yaml"
)

//go:embed Caddyfile.tmpl
var caddyfile string

//go:embed ingress.yaml.tmpl
var ingress string

// Generate returns the generated files by their paths.
func Generate() (map[string][]byte, error) {
	files := map[string][]byte{}
	for path, text := range map[string]string{CaddyfilePath: caddyfile, IngressPath: ingress} {
		content, err := render(path, text)
		if err != nil {
			return nil, fmt.Errorf("generate %s: %w", path, err)
		}
		files[path] = content
	}
	return files, nil
}

// table is what the templates see.
type table struct {
	Routes        []appRoutes // but for the last route, which covers everything
	Rest          string      // the app that gets the rest
	Hidden        []string
	InsideHeaders []string
	HealthPath    string
	ReadyPath     string
	ImportPath    string
	MaxHeaderKiB  int
	MaxPerAddress int
	// MaxSockets is the number of WebSockets of one address.
	MaxSockets      int
	StrictTransport string
	Limits          map[string]time.Duration
}

// appRoutes are the prefixes that lead to one app.
type appRoutes struct {
	App      string
	Prefixes []string
}

func newTable() table {
	t := table{
		Hidden: Hidden, InsideHeaders: InsideHeaders, HealthPath: HealthPath, ReadyPath: ReadyPath, ImportPath: ImportPath,
		MaxHeaderKiB: MaxHeaderKiB, MaxPerAddress: MaxPerAddress, MaxSockets: MaxSocketsPerAddress, StrictTransport: StrictTransport,
		Limits: map[string]time.Duration{
			"ReadHeader": ReadHeaderTimeout, "Idle": IdleTimeout, "Dial": DialTimeout, "Answer": AnswerTimeout,
			"UpstreamIdle": UpstreamIdleTimeout, "SocketSilence": SocketSilence, "RetryAfter": RetryAfter,
			"Body": BodyTimeout, "ImportBody": ImportTimeout, "WholeAnswer": WholeAnswerTimeout,
		},
	}
	for _, r := range Public {
		switch last := len(t.Routes) - 1; {
		case r.Prefix == "/":
			t.Rest = r.App
		case last >= 0 && t.Routes[last].App == r.App:
			t.Routes[last].Prefixes = append(t.Routes[last].Prefixes, r.Prefix)
		default:
			t.Routes = append(t.Routes, appRoutes{r.App, []string{r.Prefix}})
		}
	}
	return t
}

func render(name, text string) ([]byte, error) {
	functions := template.FuncMap{
		// below writes prefixes for a Caddyfile's path matcher: each itself and what lies below it.
		"below": func(prefixes []string) string {
			var all []string
			for _, p := range prefixes {
				all = append(all, p, p+"/*")
			}
			return strings.Join(all, " ")
		},
		"add":      func(list []string, more string) []string { return append(slices.Clone(list), more) },
		"seconds":  func(d time.Duration) int { return int(d.Seconds()) },
		"isSocket": func(app string) bool { return app == apps.WebSocket },
	}
	parsed, err := template.New(name).Funcs(functions).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, newTable()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
