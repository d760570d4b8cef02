// Which user the server runs as, and which data folder that user can use.

package postgres

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// nobody is the last choice of a uid and gid. The Linux kernel uses it for ids that it cannot map.
const nobody = 65534

// fallbackRoot holds data folders that the server's user could not use in their own place.
const fallbackRoot = "/var/lib/taskwire"

// account is the user that the server runs as. Postgres refuses to run as root.
type account struct {
	uid, gid uint32
	drop     bool // this process is root
	byPath   bool // the server uses the folder's path instead of an open file
}

// chooseAccount returns this process's own user. For root it returns the owner of the existing cluster, else user postgres,
// else nobody.
func chooseAccount(dataDir string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, dir := range []string{dataDir, fallbackDir(dataDir)} {
		info, err := os.Stat(filepath.Join(dir, "cluster"))
		if err != nil {
			continue
		}
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 0 {
			return account{uid: owner.Uid, gid: owner.Gid, drop: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil || uid == 0 {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{uid: uint32(uid), gid: uint32(gid), drop: true}, nil
	}
	return account{uid: nobody, gid: nobody, drop: true}, nil
}

// attr makes a process start as the account and in a group of its own, so Ctrl-C in a terminal reaches only the supervisor,
// which stops its children in order.
func (a account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attr
}

// handOver makes dir usable for a child. It returns the folder's name for the child and the files that the child inherits. A
// path needs rights on every folder above; an inherited folder needs rights on itself only.
func (a account) handOver(dir string) (name string, files []*os.File, err error) {
	if !a.drop || a.byPath {
		return dir, nil, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/3", []*os.File{f}, nil
}

// own makes the account the owner of path and of everything below it.
func (a account) own(path string) error {
	if !a.drop {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, int(a.uid), int(a.gid))
	})
}

// reachable makes the data folder and returns its path: cfg.DataDir, or a folder below fallbackRoot if the server's user cannot
// use cfg.DataDir in any way.
func reachable(cfg Config, a *account) (string, error) {
	for _, dir := range []string{cfg.DataDir, fallbackDir(cfg.DataDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, os.ErrExist) {
				return "", fmt.Errorf("it is a file, or lies below a file, and not a folder: %w", err)
			}
			return "", err
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return "", err
		}
		if !a.drop {
			return real, nil
		}
		for _, byPath := range []bool{runtime.GOOS != "linux", true} {
			a.byPath = byPath
			if a.canUse(real) {
				return real, nil
			}
		}
		if err := os.MkdirAll(fallbackRoot, 0o755); err != nil {
			return "", err
		}
		if dir == cfg.DataDir {
			cfg.progress("the database goes to %s: uid %d, which Postgres runs as, cannot use %s", fallbackDir(dir), a.uid, dir)
			// Other users may pass, because the server's user comes by the path.
			if err := os.MkdirAll(fallbackDir(dir), 0o711); err != nil {
				return "", err
			}
		}
	}
	return "", fmt.Errorf("uid %d, which Postgres runs as, can use neither it nor %s", a.uid, fallbackRoot)
}

func fallbackDir(dataDir string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(dataDir))
	return filepath.Join(fallbackRoot, strconv.FormatUint(h.Sum64(), 16))
}

// canUse reports whether the account can write in a folder of its own below dir.
func (a account) canUse(dir string) bool {
	sub, err := os.MkdirTemp(dir, "probe-")
	if err != nil {
		return false
	}
	defer func() { _ = os.RemoveAll(sub) }()
	if err := a.own(sub); err != nil {
		return false
	}
	name, files, err := a.handOver(sub)
	if err != nil {
		return false
	}
	defer closeAll(files)
	cmd := a.command("/bin/sh", "-c", `cd "$1" && : > probe`, "sh", name)
	cmd.ExtraFiles = files
	return cmd.Run() == nil
}

// canWalk reports whether the account can walk to dir, or to the existing part of its path.
func (a account) canWalk(dir string) bool {
	if !a.drop {
		return true
	}
	for {
		if _, err := os.Stat(dir); err == nil {
			return a.command("/bin/sh", "-c", `cd "$1"`, "sh", dir).Run() == nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}

func (a account) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...) //nolint:noctx // a server is asked to stop, never killed by a context
	cmd.Env, cmd.Dir, cmd.SysProcAttr = childEnv(), "/", a.attr()
	return cmd
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
