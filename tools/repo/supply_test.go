package repo

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file checks what the repository takes from others: images, actions, and who proposes newer versions of them.

var (
	image      = regexp.MustCompile(`(?m)^\s*(?:-\s+)?image:\s+(\S+)|^FROM\s+(?:--\S+\s+)*(\S+)`)
	thirdParty = regexp.MustCompile(`^[a-z0-9][a-z0-9./-]*:[\w.-]+@sha256:[0-9a-f]{64}$`)
	action     = regexp.MustCompile(`(?m)^\s*-?\s*uses:\s+(\S+)`)
	pinned     = regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`)
)

// ours reports whether an image is one that this repository builds, or no image at all.
func ours(name string) bool {
	return name == "scratch" || strings.HasPrefix(name, "taskwire/") || strings.HasPrefix(name, "${TASKWIRE_IMAGES:-taskwire}/")
}

// files returns the paths of the files below the folders whose names match.
func files(t *testing.T, matches func(name string) bool, folders ...string) (paths []string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && matches(d.Name()) {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// all returns the first non-empty group of each match in each file, with the file.
func all(t *testing.T, pattern *regexp.Regexp, paths []string, visit func(path, found string)) {
	t.Helper()
	n := 0
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pattern.FindAllStringSubmatch(string(raw), -1) {
			n++
			visit(path, strings.Join(m[1:], ""))
		}
	}
	if n == 0 {
		t.Fatalf("nothing in %d files matches %s", len(paths), pattern)
	}
}

// A tag can be moved to another image; a digest cannot.
func TestImagesOfOthersArePinnedByDigest(t *testing.T) {
	t.Parallel()
	paths := append(files(t, isYAML, "k8s", "deploy"), filepath.Join(root, "docker-compose.yml"), filepath.Join(root, "Dockerfile"))
	all(t, image, paths, func(path, name string) {
		if !ours(name) && !thirdParty.MatchString(name) {
			t.Errorf("%s: image %s, want NAME:VERSION@sha256:DIGEST", path, name)
		}
	})
}

// One image has one version and one digest, wherever it is used.
func TestAnImageHasOneVersion(t *testing.T) {
	t.Parallel()
	versions := map[string]string{}
	paths := append(files(t, isYAML, "k8s", "deploy"), filepath.Join(root, "docker-compose.yml"))
	all(t, image, paths, func(path, full string) {
		name, version, _ := strings.Cut(full, ":")
		if ours(full) || strings.HasPrefix(full, "$") {
			return
		}
		if before, ok := versions[name]; ok && before != version {
			t.Errorf("%s: image %s has the version %s here and %s elsewhere", path, name, version, before)
		}
		versions[name] = version
	})
}

// The collector's image must read the configuration that tools/otelcol accepts.
func TestTheCollectorIsTheOneThatIsChecked(t *testing.T) {
	t.Parallel()
	read := func(path, pattern string) string {
		raw, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(pattern).FindSubmatch(raw)
		if m == nil {
			t.Fatalf("%s does not match %s", path, pattern)
		}
		return string(m[1])
	}
	runs := read("docker-compose.yml", `otel/opentelemetry-collector:([\d.]+)@`)
	checks := read("tools/otelcol/go.mod", `go\.opentelemetry\.io/collector/otelcol v([\d.]+)`)
	if runs != checks {
		t.Errorf("docker-compose.yml runs the collector %s, and tools/otelcol checks its configuration with %s", runs, checks)
	}
}

func TestActionsArePinnedByCommit(t *testing.T) {
	t.Parallel()
	all(t, action, files(t, isYAML, ".github/workflows"), func(path, name string) {
		if !pinned.MatchString(name) {
			t.Errorf("%s: action %s, want NAME@COMMIT", path, name)
		}
	})
}

// A module that Dependabot does not know keeps its old dependencies.
func TestDependabotKnowsEveryModule(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root, ".github", "dependabot.yml"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)package-ecosystem: gomod\n\s+directories:\n(.*?)\n\s+schedule:`).FindSubmatch(raw)
	if block == nil {
		t.Fatal("dependabot.yml has no directories for gomod")
	}
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^\s+- /(\S+)$`).FindAllStringSubmatch(string(block[1]), -1) {
		got = append(got, m[1])
	}
	var want []string
	for _, path := range files(t, func(name string) bool { return name == "go.mod" }, "cmd", "e2e", "local", "pkg", "services", "testkit", "tools") {
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(folder, "testdata") && !strings.Contains(folder, "node_modules") {
			want = append(want, filepath.ToSlash(folder))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("dependabot.yml names the modules\n  %v\nwant\n  %v", got, want)
	}
}
