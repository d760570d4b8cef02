package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// programs are what All builds besides daprd: name of the binary → package, from the repository's root.
var programs = []struct{ name, pkg string }{
	{"taskwire", "./cmd/taskwire"},
	{"task-api", "./services/task-api"},
	{"recurring-task", "./services/recurring-task"},
	{"audit", "./services/audit"},
	{"notification", "./services/notification"},
	{"websocket", "./services/websocket"},
}

const (
	// daprVersion is what tools/daprd/go.mod asks for; a test compares them.
	daprVersion = "1.18.3"
	// oldestDaprd is the first version whose behaviour the component files rely on.
	oldestDaprd = "1.18"
	stampFile   = ".daprd-stamp"
	// lockPoll is how often a build looks whether another one into the same folder has ended.
	lockPoll = 50 * time.Millisecond
)

// ErrRegistry is wrapped when a build fails because Go's module registry cannot be reached.
var ErrRegistry = errors.New("Go's module registry cannot be reached") //nolint:staticcheck // Go is a name

// Config says what to build from and to.
type Config struct {
	Root   string    // of the repository
	BinDir string    // made if missing
	Out    io.Writer // for progress
	TTY    bool      // Out is a terminal: progress is one line that changes
	Race   bool      // the services and the tool with the race detector; needs a C compiler
	Daprd  string    // an installed daprd of 1.18 or later to use instead; default: $TASKWIRE_DAPRD
}

// All builds daprd, the tool and the services.
func All(ctx context.Context, cfg Config) error {
	if err := Daprd(ctx, cfg); err != nil {
		return err
	}
	return Services(ctx, cfg)
}

// Services builds the tool and the services.
func Services(ctx context.Context, cfg Config) error {
	unlock, err := lock(ctx, cfg)
	if err != nil {
		return err
	}
	defer unlock()
	flags, env, staging := []string{"-trimpath"}, []string{"CGO_ENABLED=0"}, ".staging"
	if cfg.Race {
		flags, env, staging = append(flags, "-race"), []string{"CGO_ENABLED=1"}, ".staging-race"
	}
	// Go links anew what is not where it is to be written, which takes longer than all the rest of a warm build: so it
	// writes into a folder that stays.
	staging = filepath.Join(cfg.BinDir, staging)
	if err := os.MkdirAll(staging, 0o755); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	job := job{cfg: cfg, what: "the services", dir: cfg.Root, flags: flags, env: env, out: staging + string(filepath.Separator)}
	for _, p := range programs {
		job.pkgs = append(job.pkgs, p.pkg)
	}
	if err := job.run(ctx); err != nil {
		return err
	}
	for _, p := range programs {
		if err := install(filepath.Join(staging, p.name), filepath.Join(cfg.BinDir, p.name)); err != nil {
			return fmt.Errorf("build: install %s: %w", p.name, err)
		}
	}
	return nil
}

// install makes to a copy of from, as a whole: a program that runs keeps its old file. A copy has its original's time,
// by which it is known to be current.
func install(from, to string) (err error) {
	want, err := os.Stat(from)
	if err != nil {
		return err
	}
	if have, err := os.Lstat(to); err == nil && have.Size() == want.Size() && have.ModTime().Equal(want.ModTime()) {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(to), ".installing-*")
	if err != nil {
		return err
	}
	defer os.Remove(dst.Name()) // gone when the rename succeeded
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Chmod(0o755), dst.Close()); err != nil {
		return err
	}
	if err := os.Chtimes(dst.Name(), want.ModTime(), want.ModTime()); err != nil {
		return err
	}
	return os.Rename(dst.Name(), to)
}

// Daprd builds daprd, or puts a link to the installed one into BinDir.
func Daprd(ctx context.Context, cfg Config) error {
	unlock, err := lock(ctx, cfg)
	if err != nil {
		return err
	}
	defer unlock()
	target := filepath.Join(cfg.BinDir, "daprd")
	installed := cfg.Daprd
	if installed == "" {
		installed = os.Getenv("TASKWIRE_DAPRD")
	}
	if installed != "" && !isOwn(installed, target) {
		return useInstalled(ctx, installed, target)
	}
	dir := filepath.Join(cfg.Root, "tools", "daprd")
	stamp, err := daprdStamp(ctx, dir)
	if err != nil {
		return err
	}
	stampPath := filepath.Join(cfg.BinDir, stampFile)
	if old, err := os.ReadFile(stampPath); err == nil && string(old) == stamp {
		if _, err := os.Stat(target); err == nil {
			return nil
		}
	}
	building := target + ".building"
	defer os.Remove(building)
	err = job{
		cfg: cfg, what: "daprd " + daprVersion + " (some minutes, once)", dir: dir, out: building, pkgs: []string{"."},
		flags: []string{"-trimpath", "-ldflags", "-s -w -X github.com/dapr/dapr/pkg/buildinfo.version=" + daprVersion +
			" -X github.com/dapr/kit/logger.DaprVersion=" + daprVersion},
		env: []string{"CGO_ENABLED=0", "GOWORK=off"},
	}.run(ctx)
	if err != nil {
		return err
	}
	if err := os.Rename(building, target); err != nil {
		return fmt.Errorf("build: install daprd: %w", err)
	}
	if err := os.WriteFile(stampPath, []byte(stamp), 0o644); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	return nil
}

// daprdStamp is a hash over what daprd is made of.
func daprdStamp(ctx context.Context, dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return "", err
	}
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

// useInstalled links to a daprd that is on the machine, if it is new enough.
func useInstalled(ctx context.Context, path, target string) error {
	found, err := exec.LookPath(path)
	if err != nil {
		return fmt.Errorf("the daprd that was asked for: %w", err)
	}
	out, err := exec.CommandContext(ctx, found, "--version").Output()
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
	if err != nil || !atLeast(version, oldestDaprd) {
		return fmt.Errorf("%s is daprd %q: %s or later is needed; leave TASKWIRE_DAPRD and --daprd out to build one", found, version, oldestDaprd)
	}
	absolute, err := filepath.Abs(found)
	if err != nil {
		return err
	}
	link := target + ".link"
	_ = os.Remove(link) // of a build that was killed
	if err := os.Symlink(absolute, link); err != nil {
		return fmt.Errorf("use %s: %w", found, err)
	}
	_ = os.Remove(filepath.Join(filepath.Dir(target), stampFile)) // the next build without it makes our own again
	return os.Rename(link, target)
}

// atLeast compares major and minor of two versions.
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

// isOwn tells whether path names the daprd that was built into target, and not another one that target links to.
func isOwn(path, target string) bool {
	named, err1 := os.Stat(path)
	own, err2 := os.Lstat(target)
	if err1 == nil && err2 == nil {
		return os.SameFile(named, own)
	}
	absolute, err := filepath.Abs(path)
	return err == nil && absolute == target // not built yet
}

// lock makes the folder and takes its build lock.
func lock(ctx context.Context, cfg Config) (unlock func(), err error) {
	dir := cfg.BinDir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) && cfg.Out != nil {
		fmt.Fprintf(cfg.Out, "waiting for another build into %s\n", dir)
	}
	for errors.Is(err, syscall.EWOULDBLOCK) && ctx.Err() == nil {
		time.Sleep(lockPoll)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("build: lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil // closing gives the lock back
}
