// Package secretfile makes the secrets of a data folder once and keeps them: keys, passwords, tokens.
//
// It promises:
//   - The folder has mode 0700 and each file 0600; one that others can read is refused, not used.
//   - What was made stays: a start never replaces a secret, and a file that cannot be understood is named and kept.
//   - A file is replaced as a whole (runstate.WriteFile): a crash leaves the old or the new one.
//
// base.json holds what is made; APP.json is what one app and its sidecar read, written anew at each start because
// addresses change. Only an app's own file is ever named to it.
package secretfile

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"github.com/taskwire/taskwire/cmd/taskwire/internal/runstate"
)

const (
	// secretBytes is the entropy of a password or token: 256 bits, beyond guessing.
	secretBytes = 32
	// auditOrigin names the audit log in its checkpoints.
	auditOrigin = "taskwire-audit"
	baseFile    = "base.json"
)

// Base is what is made once for a data folder.
type Base struct {
	TokenSigningKey      string            `json:"token_signing_key"`      // PEM, PKCS8, Ed25519
	CursorKey            string            `json:"cursor_key"`             // hex
	CheckpointSigningKey string            `json:"checkpoint_signing_key"` // golang.org/x/mod/sumdb/note signer
	Passwords            map[string]string `json:"passwords"`              // by database role
	AppTokens            map[string]string `json:"app_tokens"`             // what an app asks of its sidecar, by app
	DaprTokens           map[string]string `json:"dapr_tokens"`            // what a sidecar asks of its app, by app

	dir string
}

// Open reads the secrets of a folder, which it makes when missing, and adds what is missing for the given roles and
// apps.
func Open(dir string, roles, apps []string) (*Base, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	b := &Base{dir: dir}
	raw, err := os.ReadFile(filepath.Join(dir, baseFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("secrets: %w", err)
	default:
		path := filepath.Join(dir, baseFile)
		if err := private(path); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, b); err != nil {
			return nil, fmt.Errorf("%s is damaged (%w). It holds the keys and passwords of this data folder and is left as it is: restore it from a backup, or start with another data folder", path, err)
		}
	}
	if err := b.complete(roles, apps); err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	return b, b.write(baseFile, b)
}

// private refuses what others than the owner can read.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s can be read by others (mode %04o) and holds secrets: run chmod go= %s, and change the secrets if somebody may have read them", path, mode, path)
	}
	return nil
}

// complete makes what is missing.
func (b *Base) complete(roles, apps []string) (err error) {
	if b.TokenSigningKey == "" {
		if b.TokenSigningKey, err = newSigningKey(); err != nil {
			return err
		}
	}
	if b.CursorKey == "" {
		b.CursorKey = random()
	}
	if b.CheckpointSigningKey == "" {
		if b.CheckpointSigningKey, _, err = note.GenerateKey(rand.Reader, auditOrigin); err != nil {
			return fmt.Errorf("make the checkpoint key: %w", err)
		}
	}
	fill := func(m *map[string]string, names []string) {
		if *m == nil {
			*m = map[string]string{}
		}
		for _, n := range names {
			if (*m)[n] == "" {
				(*m)[n] = random()
			}
		}
	}
	fill(&b.Passwords, roles)
	fill(&b.AppTokens, apps)
	fill(&b.DaprTokens, apps)
	return nil
}

// Password is a role's password.
func (b *Base) Password(role string) (string, error) {
	if p := b.Passwords[role]; p != "" {
		return p, nil
	}
	return "", fmt.Errorf("there is no password for the role %s", role)
}

// AppFile is the path of an app's file.
func (b *Base) AppFile(app string) string { return filepath.Join(b.dir, app+".json") }

// WriteApp writes an app's file: secret name → key → value, as Dapr's local file store reads it.
func (b *Base) WriteApp(app string, secrets map[string]map[string]string) error {
	return b.write(app+".json", secrets)
}

func (b *Base) write(name string, content any) error {
	raw, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	if err := runstate.WriteFile(filepath.Join(b.dir, name), append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	return nil
}

func newSigningKey() (string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make the token key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("make the token key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

func random() string {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
