// Package secrets reads an app's secrets from the Dapr secret store, or from the mounted copy when the store fails.
//
// Promises:
//   - Load returns within about five seconds, whatever the sidecar does. A missing sidecar never keeps a service from
//     starting (docs/adr/0006-secrets.md).
//   - A value is never part of an error or a log line: Secrets print the names of their keys only.
//   - An app reads only the secret that has the name of its app id.
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

	"github.com/cenkalti/backoff/v5"

	"github.com/taskwire/taskwire/pkg/platform/config"
)

const (
	// storeTimeout bounds all attempts together. A sidecar that starts with the service is up within two seconds, and a
	// service without a sidecar should still start soon.
	storeTimeout = 5 * time.Second
	// storePause is the time between two attempts.
	storePause = 200 * time.Millisecond
	// maxFileBytes bounds the mounted copy. The secrets of all apps together are far smaller.
	maxFileBytes = 1 << 20
)

// Getter is the part of the Dapr client that reads a secret.
type Getter interface {
	GetSecret(ctx context.Context, store, name string) (map[string]string, error)
}

// Secrets are an app's secrets by key.
type Secrets map[string]string

// Load reads the secret appID from the store base.SecretStore. It tries for at most five seconds, then reads
// base.SecretsFile and logs one warning. That file is JSON of the form {"APP":{"key":"value"}}, or a folder with a file
// for each key of the app's secret, as Kubernetes mounts it. When both fail, the error gives both reasons. A secret
// without keys is valid. When base.SecretStore is empty, Load reads only the file: tests have no store to wait for.
func Load(ctx context.Context, store Getter, base config.Base, appID string, log *slog.Logger) (Secrets, error) {
	if base.SecretStore == "" {
		secret, err := fromCopy(base.SecretsFile, appID)
		if err != nil {
			return nil, fmt.Errorf("secrets of %s: the file %s gives none: %w", appID, base.SecretsFile, err)
		}
		return secret, nil
	}
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

// fromStore tries again after any error: a sidecar answers before its components are loaded.
func fromStore(ctx context.Context, store Getter, name, appID string) (Secrets, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var reason error
	secret, err := backoff.Retry(ctx, func() (map[string]string, error) {
		secret, err := store.GetSecret(ctx, name, appID)
		reason = err
		return secret, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(storePause)))
	if err != nil {
		return nil, reason // err says only that the time is over
	}
	return orEmpty(secret), nil
}

func fromCopy(path, appID string) (Secrets, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if info.IsDir() {
		return fromFolder(path)
	}
	return fromFile(path, appID)
}

// fromFolder reads the keys of one secret. Kubernetes keeps the files in a hidden folder, which it replaces in one step,
// and links to them.
func fromFolder(dir string) (Secrets, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, withoutPath(err)
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
		return nil, withoutPath(err)
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, withoutPath(err)
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
	if json.Unmarshal(body, &apps) != nil { // its error could quote a value
		return nil, errors.New(`it is not JSON of the form {"APP":{"key":"value"}}`)
	}
	secret, ok := apps[appID]
	if !ok {
		return nil, fmt.Errorf("it has no %q", appID)
	}
	return orEmpty(secret), nil
}

// withoutPath returns a file's error without the path, which the caller adds.
func withoutPath(err error) error {
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

// Require returns an error that names every key that is missing or empty.
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

// String returns the names of the keys.
func (s Secrets) String() string {
	return "secrets[" + strings.Join(slices.Sorted(maps.Keys(s)), " ") + "]"
}

// GoString returns the names of the keys, for %#v.
func (s Secrets) GoString() string { return s.String() }

// LogValue returns the names of the keys, for slog.
func (s Secrets) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON returns the names of the keys: a JSON log handler marshals the fields of a struct.
func (s Secrets) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }
