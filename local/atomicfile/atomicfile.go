// Package atomicfile replaces files as a whole: a reader finds the old or the new content, also after a crash at any
// moment. The work is done by google/renameio.
//
// Promises: the content is on disk before the file gets its name; only the owner can read the file until it has its mode; the
// file gets the given mode, without regard to the umask and to the mode of the old file.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Write replaces the file at path.
func Write(path string, content []byte, mode fs.FileMode) error {
	file, err := create(path, mode)
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }() // it does nothing after a success
	if _, err := file.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}

// WriteDurably is Write, and the new name is on disk too when it returns: a power cut does not bring the old file back.
func WriteDurably(path string, content []byte, mode fs.FileMode) error {
	if err := Write(path, content, mode); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir puts the names in a folder on disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// create opens a file that takes path's place later. It stays in path's folder: the system's temporary folder may be
// open to others. renameio makes it with mode 0600 and sets the wanted one afterwards.
func create(path string, mode fs.FileMode) (*renameio.PendingFile, error) {
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(mode))
	if err != nil {
		return nil, fmt.Errorf("make a file next to %s: %w", path, err)
	}
	return file, nil
}
