package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

const (
	testVersion = "7.8.9-test"
	testCommit  = "00112233445566778899aabbccddeeff00112233"

	// maxBytes bounds the unpacked size of an image, because a node pulls and keeps each of them.
	maxBytes = 45_000_000
	// maxDaprdBytes is the bound for the sidecar, which is Dapr's runtime, with sentry next to it.
	maxDaprdBytes = 150_000_000

	// leastCertificates is a lower bound. Mozilla's list has about 140.
	leastCertificates = 100
)

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// out is the folder of the images. testMain removes it.
var out string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var err error
	if out, err = os.MkdirTemp("", "images-*"); err == nil {
		err = os.Chmod(out, 0o755) // another user has to enter it
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(out)
	return m.Run()
}

// makeImages builds all images once, as `make images` does, for both architectures. It builds daprd only for the
// architecture of this machine, because that takes minutes without a cache.
var makeImages = sync.OnceValue(func() error {
	args := []string{"-out", out, "-version", testVersion, "-commit", testCommit}
	return errors.Join(
		run(context.Background(), append(slices.Clone(args), Names[:len(Names)-1]...)),
		run(context.Background(), append(args, "-arch", runtime.GOARCH, "daprd")),
	)
})

// made returns the built images. The first call builds them.
func made(t *testing.T) job {
	t.Helper()
	if err := makeImages(); err != nil {
		t.Fatal(err)
	}
	return job{root: "../..", out: out, version: testVersion, commit: testCommit, prefix: "taskwire"}
}

// each runs a test for each image and architecture.
func each(t *testing.T, test func(t *testing.T, name, arch string)) {
	for _, name := range Names {
		for arch := range machines {
			if name == "daprd" && arch != runtime.GOARCH {
				continue
			}
			t.Run(name+"/"+arch, func(t *testing.T) { test(t, name, arch) })
		}
	}
}

func TestAnImageIsStaticAndForItsArchitecture(t *testing.T) {
	each(t, func(t *testing.T, name, arch string) {
		root := unpack(t, name, arch)
		bin, err := elf.Open(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		defer bin.Close()
		if bin.Machine != machines[arch] {
			t.Errorf("got a program for %v, want %v", bin.Machine, machines[arch])
		}
		for _, p := range bin.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("it has a segment %v, so it is not linked statically", p.Type)
			}
		}
		if target, err := os.Readlink(filepath.Join(root, "service")); err != nil || target != name {
			t.Errorf("/service leads to %q (%v), want %s", target, err, name)
		}
	})
}

func TestAnImageIsSmall(t *testing.T) {
	each(t, func(t *testing.T, name, arch string) {
		var size, packed int64
		img := image(t, name, arch)
		layers, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range layers {
			n, err := l.Size()
			if err != nil {
				t.Fatal(err)
			}
			packed += n
		}
		content := mutate.Extract(img)
		defer content.Close()
		if size, err = io.Copy(io.Discard, content); err != nil {
			t.Fatal(err)
		}
		limit := int64(maxBytes)
		if name == "daprd" {
			limit = maxDaprdBytes
		}
		t.Logf("%.1f MB, %.1f MB to pull", float64(size)/1e6, float64(packed)/1e6)
		if size >= limit {
			t.Errorf("got %d bytes, want less than %d", size, limit)
		}
	})
}

func TestAnImageHasItsUserEntrypointAndLabels(t *testing.T) {
	each(t, func(t *testing.T, name, arch string) {
		cfg, err := image(t, name, arch).ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Config.User != "65532:65532" || !slices.Equal(cfg.Config.Entrypoint, []string{"/service"}) || cfg.Architecture != arch || cfg.OS != "linux" {
			t.Errorf("got user %s, entrypoint %v, %s/%s", cfg.Config.User, cfg.Config.Entrypoint, cfg.OS, cfg.Architecture)
		}
		for label, want := range map[string]string{"title": "Taskwire " + name, "version": testVersion, "revision": testCommit} {
			if got := cfg.Config.Labels["org.opencontainers.image."+label]; got != want {
				t.Errorf("label %s: got %q, want %q", label, got, want)
			}
		}
	})
}

// A new volume takes the owner of the folder on which it is mounted, and the container's user, who is not root, writes to it.
func TestTheUserOwnsOnlyTheFoldersForVolumes(t *testing.T) {
	each(t, func(t *testing.T, name, arch string) {
		files := mutate.Extract(image(t, name, arch))
		defer files.Close()
		seen := map[string]bool{}
		for r := tar.NewReader(files); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			path := strings.TrimSuffix(h.Name, "/")
			seen[path] = true
			want := 0
			folder, _, _ := strings.Cut(path, "/")
			if slices.Contains([]string{"secrets", "trust", "state", "config", "migrate"}, folder) {
				want = 65532
			}
			if h.Uid != want || h.Gid != want {
				t.Errorf("/%s belongs to %d:%d, want %d", path, h.Uid, h.Gid, want)
			}
			if writable := h.FileInfo().Mode().Perm()&0o022 != 0; writable && h.Typeflag != tar.TypeSymlink && path != "tmp" {
				t.Errorf("/%s can be written by others (%v)", path, h.FileInfo().Mode())
			}
			if h.FileInfo().Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
				t.Errorf("/%s has a set-id bit", path)
			}
		}
		for _, path := range []string{name, "etc/passwd", "tmp", "config/audit"} {
			if !seen[path] {
				t.Errorf("there is no /%s", path)
			}
		}
	})
}

func TestAnImageHasCertificatesAndTimeZones(t *testing.T) {
	each(t, func(t *testing.T, name, arch string) {
		root := unpack(t, name, arch)
		bundle, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
			if _, err := x509.ParseCertificate(block.Bytes); err == nil {
				n++
			}
		}
		if n < leastCertificates {
			t.Errorf("got %d certificates, want at least %d", n, leastCertificates)
		}
		if name == "daprd" || name == "taskwire" {
			return // they do not compute users' times
		}
		binary, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		// The name of a zone followed by the first bytes of a compiled zone. Only the embedded zone files contain that.
		if at := bytes.Index(binary, []byte("Pacific/ChathamTZif")); at < 0 {
			t.Error("the time zones are not in the program")
		}
	})
}

// The program runs as the image's user in a root folder with the image's files only, none of which it may write.
func TestAnImageRunsAsItsUserAndPrintsItsVersion(t *testing.T) {
	for _, name := range Names {
		t.Run(name, func(t *testing.T) {
			root := unpack(t, name, runtime.GOARCH)
			out, err := inside(root, "/service", "--version").CombinedOutput()
			want := fmt.Sprintf("%s %s (commit %s, %s)\n", name, testVersion, testCommit, goOf(t, root, name))
			if name == "daprd" {
				want = "1.18.3\n"
				if out, err := inside(root, "/sentry", "--version").CombinedOutput(); err != nil || string(out) != want {
					t.Errorf("/sentry --version: got %q (%v), want %q", out, err, want)
				}
			}
			if err != nil || string(out) != want {
				t.Errorf("--version: got %q (%v), want %q", out, err, want)
			}
		})
	}
}

func TestAServiceInAnImageRefusesToStartWithoutItsToken(t *testing.T) {
	for _, name := range Names[:5] {
		out, err := inside(unpack(t, name, runtime.GOARCH), "/service").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "APP_API_TOKEN is not set") {
			t.Errorf("%s: got %q (%v), want a refusal that names APP_API_TOKEN", name, out, err)
		}
	}
}

func TestTheListOfContentsNamesEachModule(t *testing.T) {
	each(t, func(t *testing.T, name, arch string) {
		raw, err := os.ReadFile(made(t).contentsPath(name, arch))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			BOMFormat  string `json:"bomFormat"`
			Components []struct{ Name, Version, Purl string }
		}
		if err := json.Unmarshal(raw, &doc); err != nil || doc.BOMFormat != "CycloneDX" {
			t.Fatalf("got format %q (%v)", doc.BOMFormat, err)
		}
		listed := map[string]string{}
		for _, c := range doc.Components {
			listed[c.Name] = c.Version
		}
		info, err := buildinfo.ReadFile(filepath.Join(unpack(t, name, arch), name))
		if err != nil {
			t.Fatal(err)
		}
		if len(info.Deps) < 10 {
			t.Fatalf("got %d modules in the program, want at least 10", len(info.Deps))
		}
		for _, dep := range info.Deps {
			path, version := dep.Path, dep.Version
			if dep.Replace != nil && dep.Replace.Version != "" {
				path, version = dep.Replace.Path, dep.Replace.Version
			}
			got, ok := listed[path]
			if !ok || (dep.Replace == nil && got != version) {
				t.Errorf("%s %s is in the program; the list has version %q", path, version, got)
			}
		}
		if listed["std"] == "" {
			t.Error("Go's own library is not listed")
		}
	})
}

func TestTheSameSourcesGiveTheSameImage(t *testing.T) {
	again := made(t)
	again.out, again.say, again.arches = t.TempDir(), io.Discard, []string{"amd64", "arm64"}
	if err := again.build(t.Context(), "audit"); err != nil {
		t.Fatal(err)
	}
	for _, arch := range again.arches {
		first, err1 := image(t, "audit", arch).Digest()
		second, err2 := imageIn(t, again.out, "audit", arch).Digest()
		if err := errors.Join(err1, err2); err != nil || first != second {
			t.Errorf("%s: got %v, want %v (%v)", arch, second, first, err)
		}
	}
}

// inside returns a command that runs in a root folder as user 65532, who owns nothing there, without privileges.
func inside(root string, args ...string) *exec.Cmd {
	const user = 65532
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: user, Gid: user}
		return cmd
	}
	// An ordinary user may do this in a user namespace, in which the owner of the folder is user 65532.
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getgid(), Size: 1}}
	return cmd
}

func goOf(t *testing.T, root, name string) string {
	t.Helper()
	info, err := buildinfo.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return info.GoVersion
}

func image(t *testing.T, name, arch string) v1.Image {
	t.Helper()
	return imageIn(t, made(t).out, name, arch)
}

// imageIn reads an image from its archive, as other tools do.
func imageIn(t *testing.T, out, name, arch string) v1.Image {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(filepath.Join(out, name+".tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	extract(t, f, dir)
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	top, err := index.IndexManifest()
	if err != nil || len(top.Manifests) != 1 {
		t.Fatalf("got %d names in the archive (%v), want 1", len(top.Manifests), err)
	}
	if got, want := top.Manifests[0].Annotations["io.containerd.image.name"], "docker.io/taskwire/"+name+":"+testVersion; got != want {
		t.Errorf("name: got %s, want %s", got, want)
	}
	all, err := index.ImageIndex(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifest.Manifests {
		if m.Platform.Architecture == arch {
			img, err := all.Image(m.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return img
		}
	}
	t.Fatalf("%s has no image for %s", name, arch)
	return nil
}

// unpack returns a folder with the files of an image.
func unpack(t *testing.T, name, arch string) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // for the image's user
			t.Fatal(err)
		}
	}
	files := mutate.Extract(image(t, name, arch))
	defer files.Close()
	extract(t, files, dir)
	return dir
}

func extract(t *testing.T, from io.Reader, dir string) {
	t.Helper()
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o755)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, path)
		default:
			err = write(path, h, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func write(path string, h *tar.Header, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(h.Mode).Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}
