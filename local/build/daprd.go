// Whether daprd and sentry are built, kept or linked to installed ones.

package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/taskwire/taskwire/local/atomicfile"
)

const (
	// daprVersion is what tools/daprd/go.mod asks for; a test compares them.
	daprVersion = "1.18.3"
	// oldestDaprd is the first version whose behaviour the component files rely on.
	oldestDaprd = "1.18"
	// buildStamp follows the version of our own builds, by which they are told from those of a release.
	buildStamp = "-taskwire"
)

// daprProgram is a program that is built from tools/daprd.
type daprProgram struct{ name, pkg, what string }

var (
	daprd  = daprProgram{"daprd", ".", "daprd " + daprVersion + " (some minutes, once)"}
	sentry = daprProgram{"sentry", "./sentry", "sentry " + daprVersion}
)

// stampFile holds the hash of the sources of the program in the folder.
func (p daprProgram) stampFile() string { return "." + p.name + "-stamp" }

// Dapr builds daprd and sentry, or puts links to installed ones into BinDir.
func Dapr(ctx context.Context, cfg Config) error {
	if err := Daprd(ctx, cfg); err != nil {
		return err
	}
	return Sentry(ctx, cfg)
}

// Daprd builds daprd, or puts a link to the installed one into BinDir.
func Daprd(ctx context.Context, cfg Config) error {
	unlock, err := lock(ctx, cfg)
	if err != nil {
		return err
	}
	defer unlock()
	target := filepath.Join(cfg.BinDir, daprd.name)
	if installed := cfg.installed(); installed != "" && !isOwn(installed, target) {
		return useInstalled(ctx, installed, target)
	}
	return daprd.build(ctx, cfg)
}

// Sentry builds sentry. If an installed daprd is used and one of our own builds is next to it, a link to that is put into
// BinDir. The sentry of a release cannot be used: it gives everybody a certificate.
func Sentry(ctx context.Context, cfg Config) error {
	unlock, err := lock(ctx, cfg)
	if err != nil {
		return err
	}
	defer unlock()
	target := filepath.Join(cfg.BinDir, sentry.name)
	if installed := cfg.installed(); installed != "" && !isOwn(installed, filepath.Join(cfg.BinDir, daprd.name)) {
		if found, err := exec.LookPath(installed); err == nil {
			beside := filepath.Join(filepath.Dir(found), sentry.name)
			out, err := exec.CommandContext(ctx, beside, "--version").Output()
			if err == nil && strings.HasSuffix(strings.TrimSpace(string(out)), buildStamp) {
				return sentry.link(beside, target)
			}
		}
	}
	return sentry.build(ctx, cfg)
}

// installed returns the daprd to use instead of our own, "" where none is named.
func (c Config) installed() string {
	if c.Daprd != "" {
		return c.Daprd
	}
	return os.Getenv("TASKWIRE_DAPRD")
}

// build builds the program unless the one in the folder is current.
func (p daprProgram) build(ctx context.Context, cfg Config) error {
	target := filepath.Join(cfg.BinDir, p.name)
	dir := filepath.Join(cfg.Root, "tools", "daprd")
	stamp, err := daprdStamp(ctx, dir)
	if err != nil {
		return err
	}
	stampPath := filepath.Join(cfg.BinDir, p.stampFile())
	if old, err := os.ReadFile(stampPath); err == nil && string(old) == stamp {
		if _, err := os.Stat(target); err == nil {
			return nil
		}
	}
	building := target + ".building"
	defer os.Remove(building)
	version := daprVersion
	if p == sentry {
		version += buildStamp
	}
	err = job{
		cfg: cfg, what: p.what, dir: dir, out: building, pkgs: []string{p.pkg},
		flags: []string{"-trimpath", "-ldflags", "-s -w -X github.com/dapr/dapr/pkg/buildinfo.version=" + version +
			" -X github.com/dapr/kit/logger.DaprVersion=" + version},
		env: []string{"CGO_ENABLED=0", "GOWORK=off"},
	}.run(ctx)
	if err != nil {
		return err
	}
	if err := os.Rename(building, target); err != nil {
		return fmt.Errorf("build: install %s: %w", p.name, err)
	}
	if err := atomicfile.Write(stampPath, []byte(stamp), 0o644); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// link puts a link to an installed program into the folder.
func (p daprProgram) link(path, target string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	// Without the stamp, the next build of our own replaces the link.
	if err := os.Remove(filepath.Join(filepath.Dir(target), p.stampFile())); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("use %s: %w", path, err)
	}
	if err := renameio.Symlink(absolute, target); err != nil {
		return fmt.Errorf("use %s: %w", path, err)
	}
	return nil
}

// daprdStamp returns a hash of the sources of daprd and sentry, and of the Go that builds them.
func daprdStamp(ctx context.Context, dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return "", err
	}
	more, err := filepath.Glob(filepath.Join(dir, sentry.name, "*"))
	if err != nil {
		return "", err
	}
	files = append(files, more...)
	h := sha256.New()
	for _, f := range files {
		if ext := filepath.Ext(f); (ext != ".go" && ext != ".mod" && ext != ".sum") || strings.HasSuffix(f, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(f)
		if err != nil {
			return "", fmt.Errorf("build daprd: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(f), len(raw))
		h.Write(raw)
	}
	version, err := goCommand(ctx, dir, "env", "GOVERSION", "GOOS", "GOARCH").Output()
	if err != nil {
		return "", fmt.Errorf("build daprd: run go: %w", err)
	}
	h.Write(version)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// useInstalled links to an installed daprd that is new enough.
func useInstalled(ctx context.Context, path, target string) error {
	found, err := exec.LookPath(path)
	if err != nil {
		return fmt.Errorf("the daprd to use: %w", err)
	}
	out, err := exec.CommandContext(ctx, found, "--version").Output()
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	if err != nil || !atLeast(version, oldestDaprd) {
		return fmt.Errorf("%s is daprd %q, but %s or later is needed: unset TASKWIRE_DAPRD and omit --daprd to build one", found, version, oldestDaprd)
	}
	return daprd.link(found, target)
}

// atLeast reports whether a version's major and minor numbers are at least those of another.
func atLeast(version, least string) bool {
	parse := func(v string) (n [2]int, ok bool) {
		parts := strings.SplitN(v, ".", 3)
		if len(parts) < 2 {
			return n, false
		}
		var err1, err2 error
		n[0], err1 = strconv.Atoi(parts[0])
		n[1], err2 = strconv.Atoi(parts[1])
		return n, err1 == nil && err2 == nil
	}
	v, ok1 := parse(version)
	l, ok2 := parse(least)
	return ok1 && ok2 && slices.Compare(v[:], l[:]) >= 0
}

// isOwn reports whether path names the daprd that was built into target. One that target links to is not our own.
func isOwn(path, target string) bool {
	named, err1 := os.Stat(path)
	own, err2 := os.Lstat(target)
	if err1 == nil && err2 == nil {
		return os.SameFile(named, own)
	}
	absolute, err := filepath.Abs(path)
	return err == nil && absolute == target // not built yet
}
