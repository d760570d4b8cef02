// Which broker may use a data folder.

package broker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/taskwire/taskwire/local/lockfile"
)

// ErrLocked is wrapped by the error of Run when another broker has the data folder.
var ErrLocked = errors.New("the data folder is in use by another broker")

// lockFile is in the data folder and belongs to the broker that serves it.
const lockFile = "broker.lock"

// lock makes dir and takes it for this process.
func lock(dir string) (*lockfile.Lock, error) {
	if err := os.MkdirAll(dir, privateFolder); err != nil {
		return nil, err
	}
	l, err := lockfile.Take(filepath.Join(dir, lockFile), privateFile)
	var held *lockfile.HeldError
	if errors.As(err, &held) {
		return nil, fmt.Errorf("%s: %w (process %d)", dir, ErrLocked, held.PID)
	}
	return l, err
}
