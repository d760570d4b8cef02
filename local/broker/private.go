// Who may read the files of the broker.

package broker

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The modes of the data folder: the owner's only. The files hold everybody's tasks, and what a password can be checked with.
const (
	privateFolder = 0o700
	privateFile   = 0o600
	notPrivate    = 0o077 // a process with this umask makes private files only
)

// MakeFilesPrivate lets this process make no files that others can read: kfake asks for 0644. It changes the whole process, so
// the program calls it, before Run.
func MakeFilesPrivate() { syscall.Umask(notPrivate) }

// tighten makes the folder and everything in it private. An earlier version left it open to the users of the machine.
func tighten(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		want := fs.FileMode(privateFile)
		switch {
		case d.IsDir():
			want = privateFolder
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() == want {
			return nil
		}
		return os.Chmod(path, want)
	})
	if err != nil {
		return fmt.Errorf("make the data folder private: %w", err)
	}
	return nil
}
