package cli

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var updatePage = flag.Bool("update", false, "write the reports into docs/import.md")

const (
	importPage   = "../../../../docs/import.md"
	caseFiles    = "../../../../services/task-api/internal/exchange/testdata/cases"
	storedAnswer = "../../../../services/task-api/internal/httpapi/testdata"
	pageMark     = "<!-- What follows is written by `go test ./cmd/taskwire/internal/cli -run ImportPage -update`. -->\n"
)

// TestTheImportPageShowsWhatIsPrinted imports and exports each file of another program, with the stored answers of the task API, and
// compares what is printed with docs/import.md.
func TestTheImportPageShowsWhatIsPrinted(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join(storedAnswer, "reports"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".jsonl")
		fmt.Fprintf(&b, "\n### %s\n\n```\n$ taskwire import %s\n%s", name, name, importing(t, name))
		if out := exporting(t, name); out != "" {
			fmt.Fprintf(&b, "$ taskwire export %s\n%s", name, out)
		}
		b.WriteString("```\n")
	}
	raw, err := os.ReadFile(importPage)
	if err != nil {
		t.Fatal(err)
	}
	text, _, ok := strings.Cut(string(raw), pageMark)
	if !ok {
		t.Fatalf("%s has no line %q", importPage, pageMark)
	}
	want := text + pageMark + b.String()
	if *updatePage {
		if err := os.WriteFile(importPage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(raw) != want {
		t.Errorf("%s does not show what is printed: run the command that stands in it", importPage)
	}
}

func importing(t *testing.T, name string) string {
	t.Helper()
	report, err := os.ReadFile(filepath.Join(storedAnswer, "reports", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	url := taskAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(report) })
	_, out, errs := call(t, "import", filepath.Join(caseFiles, name), "--url", url)
	return out + errs
}

var savedPath = regexp.MustCompile(`\S*/`)

func exporting(t *testing.T, name string) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(storedAnswer, "exports", name))
	if err != nil {
		t.Fatal(err)
	}
	url := taskAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(file) })
	code, out, errs := call(t, "export", filepath.Join(t.TempDir(), name), "--url", url)
	if code != 0 {
		t.Fatalf("export %s: got %d %s", name, code, errs)
	}
	return savedPath.ReplaceAllString(out+errs, "")
}
