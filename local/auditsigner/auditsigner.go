// Package auditsigner tells the signer of a new audit log to begin.
//
// The signer refuses to sign when it does not know its last checkpoint, because a log that was signed before could be
// rewritten and signed again. The program that makes its key, or moves the key to it, knows that it has signed nothing yet, and gives
// the order. An operator gives it with `audit-signer begin`.
package auditsigner

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/taskwire/taskwire/local/atomicfile"
)

// Dir returns the signer's folder below the folder of its volume, or below a data folder.
func Dir(parent string) string { return filepath.Join(parent, "audit-signer") }

// order is the order to begin with the empty log, in the form of the signer's file begin.json.
const order = "{}\n"

// Begin gives the order. It does nothing where the signer has begun: the file of its state decides.
func Begin(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "state.json")); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the audit log's signer: %w", err)
	}
	return atomicfile.WriteDurably(filepath.Join(dir, "begin.json"), []byte(order), 0o600)
}
