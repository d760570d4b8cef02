package repo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const platform = "github.com/taskwire/taskwire/pkg/platform/"

// database are the packages that only a service with a database may link, by prefix.
var database = []string{
	"gorm.io/", "github.com/jackc/pgx", "github.com/pressly/goose",
	platform + "postgres", platform + "database", platform + "outbox", platform + "inbox",
}

// TestLinkedPackages asks `go list -deps` what a package links, directly or through others. depguard sees only direct
// imports.
func TestLinkedPackages(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for dir, forbidden := range map[string][]string{
		// A service without a database.
		"services/websocket":      database,
		"services/recurring-task": database,
		"services/audit-signer":   database,
		// What such a service is built on.
		"pkg/platform/httpx":     database,
		"pkg/platform/dapr":      database,
		"pkg/platform/subscribe": database,
		"pkg/platform/service":   database,
		// The outbox knows a Publisher and no sidecar. Package daprpublisher joins the two.
		"pkg/platform/outbox": {platform + "dapr", "github.com/dapr/"},
	} {
		t.Run(strings.ReplaceAll(dir, "/", " "), func(t *testing.T) {
			t.Parallel()
			for _, found := range linked(t, filepath.Join(root, filepath.FromSlash(dir)), forbidden) {
				t.Errorf("%s links %s", dir, found)
			}
		})
	}
}

// linked returns the packages with a forbidden prefix that the package in dir links, each with a package that imports it.
func linked(t *testing.T, dir string, forbidden []string) (found []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps in %s: %v\n%s", dir, err, &stderr)
	}
	isForbidden := func(pkg string) bool {
		return slices.ContainsFunc(forbidden, func(prefix string) bool { return strings.HasPrefix(pkg, prefix) })
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for _, imported := range fields[1:] {
			if importer := fields[0]; isForbidden(imported) && !isForbidden(importer) && !seen[imported] {
				seen[imported] = true
				found = append(found, fmt.Sprintf("%s, imported by %s", imported, importer))
			}
		}
	}
	return found
}
