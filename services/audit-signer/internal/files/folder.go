package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit-signer/internal/domain"
)

const (
	stateFile     = "state.json"
	beginFile     = "begin.json"
	publishedFile = "published.json"
	lockFile      = "lock"
	// HistoryFile is the name of the file with all checkpoints, if no other place is set.
	HistoryFile = "checkpoints.jsonl"
	// private is the mode of every file: a program that writes the state decides what is signed next.
	private = 0o600
)

// Folder is the signer's folder. One process has it.
type Folder struct {
	dir  string
	key  string
	lock *flock.Flock
}

// Open takes the folder for the signer of the public key, and makes it if it is missing. It returns an error if another
// signer has it.
func Open(dir, key string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the signer's folder: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(private))
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the signer's folder: %w", err)
	case !ok:
		return nil, fmt.Errorf("another signer uses %s: exactly one may run", dir)
	}
	return &Folder{dir: dir, key: key, lock: lock}, nil
}

// Close gives the folder back.
func (f *Folder) Close() error { return f.lock.Close() }

// kept is the form of state.json.
type kept struct {
	Checkpoint string `json:"checkpoint"` // "" before the first one
}

// Load implements domain.Store. It first carries out an order to begin.
func (f *Folder) Load() (domain.State, error) {
	if err := f.begin(); err != nil {
		return domain.State{}, err
	}
	var k kept
	switch err := readJSON(filepath.Join(f.dir, stateFile), &k); {
	case errors.Is(err, fs.ErrNotExist):
		return domain.State{}, domain.ErrNotBegun
	case err != nil:
		return domain.State{}, err
	}
	if k.Checkpoint == "" {
		return domain.State{}, nil
	}
	return domain.State{Signed: []byte(k.Checkpoint)}, nil
}

// Save implements domain.Store.
func (f *Folder) Save(s domain.State) error {
	return writeJSON(filepath.Join(f.dir, stateFile), kept{Checkpoint: string(s.Signed)})
}

// Order says where a signer without its state begins.
type Order struct {
	Key        string `json:"verifier_key"` // of the log that is meant; "" is the signer's own
	Checkpoint string `json:"checkpoint"`   // signed by that key; "" is the empty log
	Replace    bool   `json:"replace"`      // also if there is a state
}

// Begin gives the order to the signer of the folder, running or not. It checks the checkpoint's signature, if it has a key.
func Begin(dir string, o Order) error {
	if o.Checkpoint != "" && o.Key != "" { // without a key the signer checks it
		if _, err := auditlog.OpenCheckpoint([]byte(o.Checkpoint), o.Key); err != nil {
			return fmt.Errorf("the checkpoint to begin with: %w", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, stateFile)); err == nil && !o.Replace {
		return errors.New("the signer knows its last checkpoint already; nothing is changed")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the signer's folder: %w", err)
	}
	return writeJSON(filepath.Join(dir, beginFile), o)
}

// orderError says why an order cannot be carried out. It counts as no order: nothing is signed until there is a better one.
type orderError struct{ err error }

func (e *orderError) Error() string {
	return "the order to begin cannot be carried out: " + e.err.Error()
}
func (e *orderError) Unwrap() []error { return []error{e.err, domain.ErrNotBegun} }

// begin carries out an order. The order is removed last, so a crash repeats it.
func (f *Folder) begin() error {
	path := filepath.Join(f.dir, beginFile)
	var o Order
	switch err := readJSON(path, &o); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &orderError{err}
	}
	if o.Key != "" && o.Key != f.key {
		return &orderError{fmt.Errorf("%s is for another key, and is left as it is", path)}
	}
	if o.Checkpoint != "" {
		if _, err := auditlog.OpenCheckpoint([]byte(o.Checkpoint), f.key); err != nil {
			return &orderError{fmt.Errorf("%s is left as it is: its checkpoint: %w", path, err)}
		}
	}
	if _, err := os.Stat(filepath.Join(f.dir, stateFile)); errors.Is(err, fs.ErrNotExist) || o.Replace {
		if err := writeJSON(filepath.Join(f.dir, stateFile), kept{Checkpoint: o.Checkpoint}); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove a carried out order: %w", err)
	}
	return nil
}

func readJSON(path string, to any) error {
	raw, err := os.ReadFile(path) //nolint:gosec // G304: a fixed name in the folder that the operator sets
	if err != nil {
		return fmt.Errorf("read the signer's files: %w", err)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return fmt.Errorf("%s is damaged, and is left as it is: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file as a whole, durably.
func writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := replace(path, append(raw, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// replace writes a file next to path, puts it on disk, and gives it path's name, which is on disk too when it returns.
func replace(path string, content []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if _, err = temp.Write(content); err != nil {
		return err
	}
	if err = temp.Sync(); err != nil {
		return err
	}
	if err = temp.Close(); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir puts the names in a folder on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // G304: the folder that the operator sets
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
