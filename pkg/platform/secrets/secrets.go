// Package secrets reads an app's secrets from the Dapr secret store, and from the mounted copy when that gives nothing.
//
// Promises: Load comes to its end within about five seconds, whatever the sidecar does, so that a missing sidecar never
// keeps a service from starting (docs/adr/0006-secrets.md). A value is never part of an error or a log line: Secrets
// print as the names of their keys. An app reads only the secret that is named like its app id.
package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/config"
)

const (
	// storeTimeout is for all attempts together: a sidecar that starts beside the service is up within one second or
	// two, and a service whose sidecar is missing should still start soon.
	storeTimeout = 5 * time.Second
	// storePause is between two attempts.
	storePause = 200 * time.Millisecond
	// maxFileBytes is far above the secrets of all apps together.
	maxFileBytes = 1 << 20
)

// Getter is the Dapr client's part that reads a secret.
type Getter interface {
	GetSecret(ctx context.Context, store, name string) (map[string]string, error)
}

// Secrets are an app's secrets by key.
type Secrets map[string]string

// Load asks the store base.SecretStore for the secret appID until it answers, for five seconds at most, then reads
// base.SecretsFile and says so in one warning. That is JSON of the form {"APP":{"key":"value"}}, or a folder with a file
// for each key of the app's own secret, as Kubernetes mounts one. When neither gives the secret the error names both and
// says why. A secret without keys is a secret.
func Load(ctx context.Context, store Getter, base config.Base, appID string, log *slog.Logger) (Secrets, error) {
	secret, storeErr := fromStore(ctx, store, base.SecretStore, appID)
	if storeErr == nil {
		return secret, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("secrets of %s: %w", appID, err)
	}
	if base.SecretsFile == "" {
		return nil, fmt.Errorf("secrets of %s: the secret store %s gives none (%w), and SECRETS_FILE names no copy of them", appID, base.SecretStore, storeErr)
	}
	secret, fileErr := fromCopy(base.SecretsFile, appID)
	if fileErr != nil {
		return nil, fmt.Errorf("secrets of %s: the secret store %s gives none (%w), and the file %s gives none (%w)", appID, base.SecretStore, storeErr, base.SecretsFile, fileErr)
	}
	if log != nil {
		log.WarnContext(ctx, "secrets were read from the mounted copy, because the secret store gave none",
			"store", base.SecretStore, "file", base.SecretsFile, "error", storeErr.Error())
	}
	return secret, nil
}

// fromStore asks again also when the store itself answered with an error: a sidecar answers before its components are
// there.
func fromStore(ctx context.Context, store Getter, name, appID string) (Secrets, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for {
		secret, err := store.GetSecret(ctx, name, appID)
		if err == nil {
			return orEmpty(secret), nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(storePause):
		}
	}
}

func fromCopy(path, appID string) (Secrets, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, reason(err)
	}
	if info.IsDir() {
		return fromFolder(path)
	}
	return fromFile(path, appID)
}

// fromFolder reads the keys of one secret. Kubernetes keeps them in a hidden folder, which it exchanges in one step, and
// links them from this one.
func fromFolder(dir string) (Secrets, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, reason(err)
	}
	secret := Secrets{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		body, err := read(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		secret[e.Name()] = string(body)
	}
	return secret, nil
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(body) > maxFileBytes {
		return nil, fmt.Errorf("it has more than %d bytes", maxFileBytes)
	}
	return body, nil
}

func fromFile(file, appID string) (Secrets, error) {
	body, err := read(file)
	if err != nil {
		return nil, err
	}
	var apps map[string]map[string]string
	if json.Unmarshal(body, &apps) != nil { // whose error may quote a value
		return nil, errors.New(`it is not JSON of the form {"APP":{"key":"value"}}`)
	}
	secret, ok := apps[appID]
	if !ok {
		return nil, fmt.Errorf("it has no %q", appID)
	}
	return orEmpty(secret), nil
}

// reason is a file's error without the path, which the caller names.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func orEmpty(m map[string]string) Secrets {
	if m == nil {
		return Secrets{}
	}
	return m
}

// Require is an error that names every key that is missing or empty.
func (s Secrets) Require(keys ...string) error {
	var missing []string
	for _, k := range keys {
		if s[k] == "" {
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("secrets: missing or empty: %s", strings.Join(missing, ", "))
}

// String is the names of the keys.
func (s Secrets) String() string {
	return "secrets[" + strings.Join(slices.Sorted(maps.Keys(s)), " ") + "]"
}

// GoString is String, for %#v.
func (s Secrets) GoString() string { return s.String() }

// LogValue is String, for slog.
func (s Secrets) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is String too, because a JSON log handler marshals what is inside a struct.
func (s Secrets) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }
