// Whether a cluster is made, used or refused.

package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/taskwire/taskwire/local/atomicfile"
)

// cluster is Postgres' own folder in a data folder.
type cluster struct {
	cfg Config
	dir string
	as  account
	bin binaries
}

const keptAsIs = "it was left as it is: move it away to start with an empty one"

// inspect returns the major version of the existing cluster, 0 where there is none. It returns an error that says what is
// wrong with an incomplete cluster.
func (c *cluster) inspect() (major int, err error) {
	entries, err := os.ReadDir(c.dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, err := os.Stat(filepath.Join(c.cfg.DataDir, "PG_VERSION")); err == nil {
			return 0, fmt.Errorf("the folder is itself a Postgres cluster that Taskwire did not make; %s", keptAsIs)
		}
		return 0, nil
	case errors.Is(err, syscall.ENOTDIR):
		return 0, fmt.Errorf("%s is a file, not a folder; %s", c.dir, keptAsIs)
	case errors.Is(err, os.ErrPermission):
		return 0, fmt.Errorf("%s belongs to another user: run as that user, or as root: %w", c.dir, err)
	case err != nil:
		return 0, err
	case len(entries) == 0:
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(c.dir, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("%s is not a Postgres cluster: PG_VERSION is missing; %s", c.dir, keptAsIs)
	}
	if err != nil {
		return 0, err
	}
	major, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || major < 1 {
		return 0, fmt.Errorf("%s is damaged: PG_VERSION holds %.20q; %s", c.dir, text, keptAsIs)
	}
	for _, part := range []string{"global/pg_control", "base", "pg_wal", "postgresql.conf", "pg_hba.conf"} {
		if _, err := os.Stat(filepath.Join(c.dir, part)); err != nil {
			return 0, fmt.Errorf("%s is damaged: %s is missing; %s", c.dir, part, keptAsIs)
		}
	}
	return major, nil
}

// ensure makes the cluster if there is none and returns the superuser's password.
func (c *cluster) ensure(ctx context.Context, major int) (password string, err error) {
	file := filepath.Join(c.cfg.DataDir, "superuser")
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	password = strings.TrimSpace(string(text))
	known := password != ""
	if !known {
		password = rand.Text()
	}
	if major == 0 {
		// The password is on disk before the cluster. Nobody could log in to a cluster without it.
		if err := atomicfile.WriteDurably(file, []byte(password+"\n"), 0o600); err != nil {
			return "", err
		}
		return password, c.create(ctx, password)
	}
	if err := c.ownCluster(); err != nil {
		return "", err
	}
	if !known {
		c.cfg.progress("the superuser's password was missing: setting a new one")
		if err := c.setPassword(ctx, password); err != nil {
			return "", fmt.Errorf("set the superuser's password: %w", err)
		}
		return password, atomicfile.WriteDurably(file, []byte(password+"\n"), 0o600)
	}
	return password, nil
}

// ownCluster makes the server's user the owner of a cluster that root has copied.
func (c *cluster) ownCluster() error {
	info, err := os.Stat(c.dir)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if c.as.drop && owner != c.as.uid {
		return c.as.own(c.dir)
	}
	if !c.as.drop && int(owner) != os.Geteuid() {
		return fmt.Errorf("%s belongs to uid %d: run as that user, or as root", c.dir, owner)
	}
	return nil
}

// locales are tried in order. All give byte order for indexes; the first two also know upper and lower case of every language.
var locales = [][]string{
	{"--locale=C", "--lc-ctype=C.UTF-8"},
	{"--locale=C", "--lc-ctype=en_US.UTF-8"},
	{"--locale=C"},
}

// create runs initdb in another folder and renames the result, so a killed initdb never leaves half a cluster.
func (c *cluster) create(ctx context.Context, password string) error {
	c.cfg.progress("making a Postgres %d cluster in %s", c.bin.major, c.dir)
	old, _ := filepath.Glob(filepath.Join(c.cfg.DataDir, "init-*"))
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	temp, err := os.MkdirTemp(c.cfg.DataDir, "init-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if err := os.WriteFile(filepath.Join(temp, "password"), []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	if err := c.as.own(temp); err != nil {
		return err
	}
	for i, locale := range locales {
		out, err := c.initdb(ctx, temp, locale)
		if err == nil {
			break
		}
		if i == len(locales)-1 || !strings.Contains(out, "invalid locale") {
			return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(out))
		}
	}
	if err := os.Rename(filepath.Join(temp, "cluster"), c.dir); err != nil {
		return err
	}
	return atomicfile.SyncDir(c.cfg.DataDir)
}

func (c *cluster) initdb(ctx context.Context, temp string, locale []string) (output string, err error) {
	name, files, err := c.as.handOver(temp)
	if err != nil {
		return "", err
	}
	defer closeAll(files)
	args := append([]string{
		"-D", name + "/cluster", "-U", superuser, "--pwfile=" + name + "/password",
		"-A", "scram-sha-256", "-E", "UTF8", "--no-instructions",
	}, locale...)
	if !c.cfg.Durable {
		args = append(args, "--no-sync")
	}
	return c.run(ctx, files, nil, "initdb", args...)
}

// setPassword sets the superuser's password without a log-in, in single-user mode. The server is down.
func (c *cluster) setPassword(ctx context.Context, password string) error {
	name, files, err := c.as.handOver(c.dir)
	if err != nil {
		return err
	}
	defer closeAll(files)
	sql := fmt.Sprintf("ALTER ROLE %s LOGIN SUPERUSER PASSWORD '%s'\n", superuser, password)
	// Single-user mode ends with status 0 even if the statement failed.
	out, err := c.run(ctx, files, []byte(sql), "postgres", "--single", "-D", name, "template1")
	if err == nil && strings.Contains(out, "ERROR") {
		err = errors.New("refused")
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(out))
	}
	return nil
}

// run runs one of the installation's programs and returns its output. The end of the context kills it.
func (c *cluster) run(ctx context.Context, files []*os.File, stdin []byte, program string, args ...string) (string, error) {
	cmd := c.as.command(filepath.Join(c.bin.dir, program), args...)
	cmd.ExtraFiles = files
	cmd.Stdin = bytes.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	// The program and its children are one process group.
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	err := cmd.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.String(), err
}
