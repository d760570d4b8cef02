package release

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// root is the repository.
const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// A tag can be moved to other code; a commit cannot.
func TestEachActionIsPinnedByItsCommit(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.y*ml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("got workflows %v (%v), want at least two", files, err)
	}
	uses := regexp.MustCompile(`^\s*(?:- )?uses:\s*(.*)$`)
	pinned := regexp.MustCompile(`^([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$`)
	commits := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(raw), "\n") {
			m := uses.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			p := pinned.FindStringSubmatch(m[1])
			if p == nil {
				t.Errorf("%s:%d: %s is not NAME@COMMIT # vVERSION", filepath.Base(file), n+1, m[1])
				continue
			}
			if other, ok := commits[p[1]]; ok && other != p[2] {
				t.Errorf("%s:%d: %s is pinned to two commits", filepath.Base(file), n+1, p[1])
			}
			commits[p[1]] = p[2]
		}
	}
	if len(commits) == 0 {
		t.Error("no action was found: the test proves nothing")
	}
}

// workflow holds the fields of release.yml that the tests read.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Needs       any
		Permissions map[string]string
		Strategy    struct{ Matrix struct{ Image []string } }
		Steps       []struct{ Run string }
	}
}

func releaseWorkflow(t *testing.T) workflow {
	t.Helper()
	var w workflow
	if err := yaml.Unmarshal([]byte(read(t, ".github/workflows/release.yml")), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEachImageIsReleased(t *testing.T) {
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z|-]+)\) package=`).FindAllStringSubmatch(read(t, "scripts/image-build.sh"), -1) {
		want = append(want, strings.Split(m[1], "|")...)
	}
	if got := releaseWorkflow(t).Jobs["images"].Strategy.Matrix.Image; !slices.Equal(got, want) {
		t.Errorf("the workflow makes %v, scripts/image-build.sh builds %v", got, want)
	}
}

func TestAReleaseNeedsTheChecks(t *testing.T) {
	w := releaseWorkflow(t)
	var checks string
	for _, s := range w.Jobs["check"].Steps {
		checks += s.Run + "\n"
	}
	for _, want := range []string{"bash .ci/run\n", "make vuln\n"} {
		if !strings.Contains(checks, want) {
			t.Errorf("the job check does not run %q", strings.TrimSpace(want))
		}
	}
	if w.Jobs["images"].Needs != "check" || w.Jobs["publish"].Needs != "images" {
		t.Errorf("images need %v, publish needs %v; want check and images", w.Jobs["images"].Needs, w.Jobs["publish"].Needs)
	}
}

// A job has only the write permissions that it needs.
func TestAJobHasOnlyThePermissionsItNeeds(t *testing.T) {
	w := releaseWorkflow(t)
	if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
		t.Errorf("the workflow may %v, want contents: read", w.Permissions)
	}
	may := map[string][]string{"images": {"packages", "id-token"}, "publish": {"contents", "id-token"}}
	for name, job := range w.Jobs {
		for what, how := range job.Permissions {
			if how == "write" && !slices.Contains(may[name], what) {
				t.Errorf("the job %s may write %s", name, what)
			}
		}
	}
}

// The scripts and make targets that the workflows call exist.
func TestTheWorkflowsCallWhatExists(t *testing.T) {
	called := regexp.MustCompile(`(?:\./)?((?:scripts|\.ci)/[\w./-]+)`)
	target := regexp.MustCompile(`(?m)^\s*(?:- run: )?make ([a-z0-9-]+)`)
	makefile := read(t, "Makefile")
	for _, file := range []string{".github/workflows/ci.yml", ".github/workflows/release.yml", ".ci/run"} {
		text := read(t, file)
		for _, m := range called.FindAllStringSubmatch(text, -1) {
			if info, err := os.Stat(filepath.Join(root, m[1])); err != nil || info.IsDir() {
				t.Errorf("%s calls %s, which does not exist (%v)", file, m[1], err)
			}
		}
		for _, m := range target.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s calls make %s, which is not a target", file, m[1])
			}
		}
	}
}

func TestTheChangelogHasItsForm(t *testing.T) {
	heading := regexp.MustCompile(`^## \[(?:(Unreleased)|(\d+)\.(\d+)\.(\d+))\](?: - (\d{4}-\d{2}-\d{2}))?$`)
	kinds := []string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
	first, before := true, "9999-99-99"
	for n, line := range strings.Split(read(t, "CHANGELOG.md"), "\n") {
		if kind, ok := strings.CutPrefix(line, "### "); ok && !slices.Contains(kinds, kind) {
			t.Errorf("line %d: %q is not one of %v", n+1, kind, kinds)
		}
		if !strings.HasPrefix(line, "## ") {
			continue
		}
		m := heading.FindStringSubmatch(line)
		switch {
		case m == nil:
			t.Errorf("line %d: %q is not ## [Unreleased] or ## [1.2.3] - 2026-01-02", n+1, line)
			continue
		case first != (m[1] != ""):
			t.Errorf("line %d: Unreleased has to be the first section, and the only one of that name", n+1)
		case !first && (m[5] == "" || m[5] > before):
			t.Errorf("line %d: %s has no date, or a later one than the section above it", n+1, line)
		}
		if m[5] != "" {
			before = m[5]
		}
		first = false
	}
	if first {
		t.Error("there is no section")
	}
}
