// Package secretfile makes and keeps the secrets of the apps, one file an app, in the form in which Dapr's
// secretstores.local.file (multiValued) and the services' SECRETS_FILE read them: {"SECRET":{"KEY":"VALUE"}}.
//
// Promises: a secret is made once, from crypto/rand, and stays; the addresses around the passwords follow the server;
// a file is readable by its owner alone (0600 in a folder of 0700) and one that others may read is refused; a file
// that is damaged is an error that names it, and is kept as it is.
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
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/taskwire/taskwire/local/atomicfile"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

const (
	// passwordBytes is 256 bits, like the other keys.
	passwordBytes = 32
	// cursorKeyBytes is what the task API encrypts its list cursors with.
	cursorKeyBytes = 32
	// auditSigner is the name in the audit log's signatures. Verifiers know the log by it.
	auditSigner = "taskwire-audit"
	// othersMayRead are the permissions that nobody but the owner may have.
	othersMayRead = 0o077
)

// value is one secret: either a generated string, or a database role's password inside an address.
type value struct {
	secret, key string
	role        string                 // set: the value is that role's database address
	make        func() (string, error) // of a value that is not an address
	check       func(string) error
}

// wanted is what each app's file holds.
var wanted = map[string][]value{
	apps.TaskAPI: {
		{secret: "task-api", key: "database-url", role: "tasks_app"},
		{secret: "task-api", key: "migrate-url", role: "tasks_owner"},
		{secret: "task-api", key: "token-signing-key", make: newSigningKey, check: checkSigningKey},
		{secret: "task-api", key: "cursor-key", make: newCursorKey, check: checkCursorKey},
	},
	apps.Audit: {
		{secret: "audit", key: "database-url", role: "audit_app"},
		{secret: "audit", key: "migrate-url", role: "audit_owner"},
		{secret: "audit", key: "checkpoint-signing-key", make: newNoteKey, check: checkNoteKey},
	},
	apps.Notification: {
		{secret: "notification", key: "database-url", role: "notifications_app"},
		{secret: "notification", key: "migrate-url", role: "notifications_owner"},
	},
	// The sidecar's state store takes its address from this secret (dapr-components/statestore.yaml).
	apps.RecurringTask: {{secret: "statestore", key: "connection-string", role: "dapr_state"}},
	apps.WebSocket:     nil,
}

// Set is the secrets of all apps.
type Set struct {
	dir       string
	passwords map[string]string // by role
	values    map[string]string // by app/secret/key, those that are no addresses
	Made      bool              // something was made that was not there before
}

// Path is the file of an app.
func Path(dir, app string) string { return filepath.Join(dir, app+".json") }

// New makes all secrets anew, in memory: those of a cluster, which keeps them itself.
func New() (*Set, error) {
	s := &Set{passwords: map[string]string{}, values: map[string]string{}}
	for _, app := range apps.All() {
		for _, v := range wanted[app] {
			if err := s.take(app, v, nil); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", v.secret, v.key, err)
			}
		}
	}
	return s, nil
}

// Load reads the files in dir and makes what is missing, in memory; Write puts it on disk.
func Load(dir string) (*Set, error) {
	s := &Set{dir: dir, passwords: map[string]string{}, values: map[string]string{}}
	if err := checkMode(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, app := range apps.All() {
		file, err := readFile(Path(dir, app))
		if err != nil {
			return nil, err
		}
		for _, v := range wanted[app] {
			if err := s.take(app, v, file); err != nil {
				return nil, fmt.Errorf("%s: %s, %s: %w. The file is left as it is; move it away to have new secrets made", Path(dir, app), v.secret, v.key, err)
			}
		}
	}
	return s, nil
}

// take keeps the value that is in the file, or makes it.
func (s *Set) take(app string, v value, file map[string]map[string]string) error {
	have, ok := file[v.secret][v.key]
	switch {
	case ok && v.role != "":
		password, err := passwordOf(have)
		if err != nil {
			return err
		}
		s.passwords[v.role] = password
	case ok:
		if err := v.check(have); err != nil {
			return err
		}
		s.values[app+"/"+v.secret+"/"+v.key] = have
	case v.role != "":
		s.passwords[v.role], s.Made = newPassword(), true
	default:
		made, err := v.make()
		if err != nil {
			return fmt.Errorf("make it: %w", err)
		}
		s.values[app+"/"+v.secret+"/"+v.key], s.Made = made, true
	}
	return nil
}

// Password is a database role's password.
func (s *Set) Password(role string) (string, error) {
	p, ok := s.passwords[role]
	if !ok {
		return "", fmt.Errorf("no app has a password for role %s", role)
	}
	return p, nil
}

// Write writes all files. address makes a role's database address from its password.
func (s *Set) Write(address func(role, password string) (string, error)) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of secrets: %w", err)
	}
	for _, app := range apps.All() {
		file, err := s.Of(app, address)
		if err != nil {
			return err
		}
		raw, err := json.MarshalIndent(file, "", "  ")
		if err != nil {
			return err
		}
		if err := atomicfile.Write(Path(s.dir, app), append(raw, '\n'), 0o600); err != nil {
			return fmt.Errorf("write secrets of %s: %w", app, err)
		}
	}
	return nil
}

// Of is an app's secrets by name and key. address makes a role's database address from its password.
func (s *Set) Of(app string, address func(role, password string) (string, error)) (map[string]map[string]string, error) {
	secrets := map[string]map[string]string{app: {}}
	for _, v := range wanted[app] {
		if secrets[v.secret] == nil {
			secrets[v.secret] = map[string]string{}
		}
		secrets[v.secret][v.key] = s.values[app+"/"+v.secret+"/"+v.key]
		if v.role == "" {
			continue
		}
		addr, err := address(v.role, s.passwords[v.role])
		if err != nil {
			return nil, err
		}
		secrets[v.secret][v.key] = addr
	}
	return secrets, nil
}

// Value reads one value of the secret that an app has its own name's. An error never shows a value.
func Value(dir, app, key string) (string, error) {
	file, err := readFile(Path(dir, app))
	if err != nil {
		return "", err
	}
	v := file[app][key]
	if v == "" {
		return "", fmt.Errorf("%s has no %s: nothing was started on this data folder yet. Start it with `taskwire up` (make up)", Path(dir, app), key)
	}
	return v, nil
}

// readFile reads one app's file; an empty map where there is none.
func readFile(path string) (map[string]map[string]string, error) {
	if err := checkMode(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read secrets: %w", err)
	}
	var file map[string]map[string]string
	if err := json.Unmarshal(raw, &file); err != nil {
		// The text of a JSON error can quote what is in the file.
		return nil, fmt.Errorf(`%s is damaged: it is not JSON of the form {"SECRET":{"KEY":"VALUE"}}. The file is left as it is; move it away to have new secrets made`, path)
	}
	return file, nil
}

func checkMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	if mode := info.Mode().Perm(); mode&othersMayRead != 0 {
		return fmt.Errorf("%s can be read by others (mode %04o). Run: chmod go= %s", path, mode, path)
	}
	return nil
}

// passwordOf takes the password out of an address. Errors do not repeat the address.
func passwordOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return "", errors.New("not an address of a database with a password")
	}
	password, ok := u.User.Password()
	if !ok || password == "" {
		return "", errors.New("not an address of a database with a password")
	}
	return password, nil
}

// NewToken is a random token for an app and its sidecar.
func NewToken() string { return newPassword() }

func newPassword() string {
	raw := make([]byte, passwordBytes)
	_, _ = rand.Read(raw) // it never fails: the program ends first
	return hex.EncodeToString(raw)
}

func newCursorKey() (string, error) {
	raw := make([]byte, cursorKeyBytes)
	_, err := rand.Read(raw)
	return hex.EncodeToString(raw), err
}

func checkCursorKey(s string) error {
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != cursorKeyBytes {
		return fmt.Errorf("not %d bytes in hexadecimal", cursorKeyBytes)
	}
	return nil
}

func newSigningKey() (string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

func checkSigningKey(s string) error {
	block, _ := pem.Decode([]byte(s))
	if block == nil || block.Type != "PRIVATE KEY" {
		return errors.New("not a PEM block PRIVATE KEY")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if _, ok := key.(ed25519.PrivateKey); err != nil || !ok {
		return errors.New("not an Ed25519 key in PKCS#8 form")
	}
	return nil
}

func newNoteKey() (string, error) {
	signer, _, err := note.GenerateKey(rand.Reader, auditSigner)
	return signer, err
}

func checkNoteKey(s string) error {
	if signer, err := note.NewSigner(s); err != nil || !strings.HasPrefix(signer.Name(), auditSigner) {
		return errors.New("not a note signer key of " + auditSigner)
	}
	return nil
}
