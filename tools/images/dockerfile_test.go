package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const dockerfile = "../../Dockerfile"

func TestTheDockerfileBuildsByTheSameScript(t *testing.T) {
	stages, err := parseDockerfile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	build := stages[0]
	if build.Platform != "$BUILDPLATFORM" {
		t.Errorf("the build runs on %q, want $BUILDPLATFORM: otherwise another architecture is emulated", build.Platform)
	}
	if !regexp.MustCompile(`^golang:\d+\.\d+\.\d+-bookworm@sha256:[0-9a-f]{64}$`).MatchString(build.BaseName) {
		t.Errorf("the build starts from %s, want golang:VERSION-bookworm@sha256:DIGEST", build.BaseName)
	}
	var run string
	for _, c := range build.Commands {
		if c, ok := c.(*instructions.RunCommand); ok {
			run = strings.Join(c.CmdLine, " ")
		}
	}
	if want := `GOARCH=$TARGETARCH scripts/image-build.sh "$SERVICE" /image`; run != want {
		t.Errorf("got RUN %s, want %s", run, want)
	}
}

// The Go of the build stage must be able to build every module that an image contains.
func TestTheDockerfilesGoIsNewEnough(t *testing.T) {
	raw, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	has := regexp.MustCompile(`golang:(\d+\.\d+\.\d+)`).FindStringSubmatch(string(raw))[1]
	mods, err := filepath.Glob("../../services/*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, mod := range append(mods, "../../go.work", "../daprd/go.mod", "../../cmd/taskwire/go.mod") {
		raw, err := os.ReadFile(mod)
		if err != nil {
			t.Fatal(err)
		}
		if want := regexp.MustCompile(`(?m)^go (\S+)`).FindStringSubmatch(string(raw))[1]; older(has, want) {
			t.Errorf("the Dockerfile has Go %s, %s needs %s", has, mod, want)
		}
	}
}

// What .dockerignore lets through is enough to build from, and contains only sources.
func TestTheBuildersContextIsEnough(t *testing.T) {
	context := t.TempDir()
	copyContext(t, "../..", context)
	for _, other := range []string{".git", ".taskwire", ".env", "docs", "web", "tools/images"} {
		if _, err := os.Stat(filepath.Join(context, other)); err == nil {
			t.Errorf("%s is sent to the builder", other)
		}
	}
	for _, name := range []string{"task-api", "taskwire", "daprd"} {
		cmd := exec.Command(filepath.Join(context, "scripts", "image-build.sh"), name, t.TempDir())
		cmd.Env = append(os.Environ(), "VERSION=1.2.3", "COMMIT=0123abc")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s cannot be built from the context: %v\n%s", name, err, out)
		}
	}
}

// copyContext copies what Docker would send to the builder, using Docker's own matcher.
func copyContext(t *testing.T, from, to string) {
	t.Helper()
	f, err := os.Open(filepath.Join(from, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || name == "." {
			return err
		}
		skip, err := ignored.MatchesOrParentMatches(name)
		if skip && (name == ".git" || name == ".taskwire") && d.IsDir() {
			return filepath.SkipDir // large, and no exception of .dockerignore is inside
		}
		if err != nil || skip || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, raw, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// older reports whether version a is before b. Both have the same number of parts.
func older(a, b string) bool {
	pad := func(v string) (p string) {
		for _, n := range strings.Split(v, ".") {
			p += strings.Repeat("0", 4-len(n)) + n
		}
		return p
	}
	return pad(a) < pad(b)
}

func TestADockerfileThatCannotBeFollowedIsRefused(t *testing.T) {
	raw, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"another base":      {"FROM scratch", "FROM debian:12"},
		"another owner":     {"--chown=65532:65532", "--chown=0:0"},
		"one more step":     {"USER 65532", "WORKDIR /data\nUSER 65532"},
		"no entrypoint":     {`ENTRYPOINT ["/service"]`, ""},
		"files left behind": {"COPY --from=build --chown=0:0 /image/root/ /\n", ""},
	} {
		file := filepath.Join(t.TempDir(), "Dockerfile")
		changed := strings.Replace(string(raw), change[0], change[1], 1)
		if changed == string(raw) {
			t.Fatalf("%s: the Dockerfile has no %q", name, change[0])
		}
		if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := readDockerfile(file); err == nil {
			t.Errorf("%s: got %+v, want an error", name, s)
		}
	}
}
