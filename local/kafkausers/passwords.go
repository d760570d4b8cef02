// The file of passwords.

package kafkausers

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
)

// Secret is the secret with which a sidecar logs in to Kafka, and its keys. The sidecar hands it to no app
// (dapr-components/configuration.yaml).
const (
	Secret      = "kafka"
	UsernameKey = "username"
	PasswordKey = "password"
)

// passwordBytes is 256 bits, like the other secrets.
const passwordBytes = 32

// NewPassword returns a random password.
func NewPassword() string {
	raw := make([]byte, passwordBytes)
	_, _ = rand.Read(raw) // it never returns an error
	return hex.EncodeToString(raw)
}

// ReadPasswords reads a file {"USER":"PASSWORD"}, as `taskwire secrets` and `taskwire up` make it. An error quotes nothing of it.
func ReadPasswords(path string) (map[string]string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the passwords of Kafka's users: %w", err)
	}
	var passwords map[string]string
	if json.Unmarshal(raw, &passwords) != nil || len(passwords) == 0 {
		return nil, fmt.Errorf(`%s is damaged: it is not JSON of the form {"USER":"PASSWORD"}`, path)
	}
	for user, password := range passwords {
		if password == "" {
			return nil, fmt.Errorf("%s: %s has no password", path, user)
		}
	}
	return passwords, nil
}
