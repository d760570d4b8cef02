// The passwords of Kafka's users.

package secretfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/taskwire/taskwire/local/atomicfile"
	"github.com/taskwire/taskwire/local/kafkausers"
)

// KafkaPath returns the file with the passwords of all users of Kafka, {"USER":"PASSWORD"}. The broker and the provisioning
// step read it, and the operator's commands.
func KafkaPath(dir string) string { return filepath.Join(dir, "kafka-users.json") }

// SidecarPath returns the file of an app's sidecar: the secrets of the app, and the sidecar's own.
func SidecarPath(dir, app string) string { return filepath.Join(dir, app+"-daprd.json") }

// loadKafka reads the passwords and makes missing ones.
func (s *Set) loadKafka() error {
	path := KafkaPath(s.dir)
	switch err := checkMode(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if s.kafka, err = kafkausers.ReadPasswords(path); err != nil {
			return fmt.Errorf("%w. The file is left as it is; move it away to have new passwords made", err)
		}
	}
	s.completeKafka()
	return nil
}

// completeKafka makes a password for each user that has none.
func (s *Set) completeKafka() {
	for _, user := range kafkausers.Names() {
		if s.kafka[user] == "" {
			s.kafka[user], s.Made = kafkausers.NewPassword(), true
		}
	}
}

// KafkaPasswords returns the passwords of Kafka's users by name.
func (s *Set) KafkaPasswords() map[string]string { return maps.Clone(s.kafka) }

// WriteKafka writes the passwords of Kafka's users. Write does so too; the broker needs them earlier.
func (s *Set) WriteKafka() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of secrets: %w", err)
	}
	return writeJSON(KafkaPath(s.dir), s.kafka)
}

// WriteSidecar writes the file of an app's sidecar, from the app's file and the user with which it logs in to Kafka.
func WriteSidecar(dir, app, username, password string) error {
	file, err := readFile(Path(dir, app))
	if err != nil {
		return err
	}
	if file == nil {
		return fmt.Errorf("%s does not exist", Path(dir, app))
	}
	file[kafkausers.Secret] = map[string]string{kafkausers.UsernameKey: username, kafkausers.PasswordKey: password}
	return writeJSON(SidecarPath(dir, app), file)
}

func writeJSON(path string, content any) error {
	raw, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
