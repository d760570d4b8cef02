// Package secretfile makes and keeps the secrets of the apps, one file for each app. The form is the one of Dapr's
// secretstores.local.file (multiValued) and of the services' SECRETS_FILE: {"SECRET":{"KEY":"VALUE"}}.
//
// Promises:
//   - The address with which an app's database is migrated is in a file of its own (Migrate), which neither the app nor
//     its sidecar is given. A file of an earlier version, which has that address among the app's secrets, gives it up.
//   - A secret is made once, from crypto/rand, and stays. Only the addresses around the passwords follow the server.
//   - Only its owner can read a file (0600 in a folder of 0700), also while it is written. A file that others may read is
//     refused.
//   - A damaged file is an error that names it. The file stays as it is, and the error quotes nothing of it.
package secretfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/taskwire/taskwire/local/atomicfile"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// othersMayRead are the permissions that nobody but the owner may have.
const othersMayRead = 0o077

// value is one secret: either a generated string, or a database role's password inside an address.
type value struct {
	secret, key string
	role        string                 // if set, the value is the role's database address
	before      string                 // the app in whose file and secret earlier versions kept it
	make        func() (string, error) // makes a value that is not an address
	check       func(string) error
}

// MigrateKey is the key of the address with which a database is migrated: as the role that owns the tables.
const MigrateKey = "migrate-url"

// Migrate returns the name of the secret, and of its file, with which an app's database is migrated.
func Migrate(app string) string { return app + "-migrate" }

// wanted lists the content of each file.
var wanted = map[string][]value{
	apps.TaskAPI: {
		{secret: apps.TaskAPI, key: "database-url", role: "tasks_app"},
		{secret: apps.TaskAPI, key: "token-signing-key", make: newSigningKey, check: checkSigningKey},
		{secret: apps.TaskAPI, key: "cursor-key", make: newCursorKey, check: checkCursorKey},
	},
	apps.Audit: {
		{secret: apps.Audit, key: "database-url", role: "audit_app"},
	},
	// The audit service had the key once. It is the log's identity, so it moves and does not change.
	apps.AuditSigner: {
		{secret: apps.AuditSigner, key: "checkpoint-signing-key", make: newNoteKey, check: checkNoteKey, before: apps.Audit},
	},
	apps.Notification: {
		{secret: apps.Notification, key: "database-url", role: "notifications_app"},
	},
	// The sidecar's state store takes its address from this secret (dapr-components/statestore.yaml).
	apps.RecurringTask: {{secret: "statestore", key: "connection-string", role: "dapr_state"}},
	apps.WebSocket:     nil,

	Migrate(apps.TaskAPI):      {{secret: Migrate(apps.TaskAPI), key: MigrateKey, role: "tasks_owner", before: apps.TaskAPI}},
	Migrate(apps.Audit):        {{secret: Migrate(apps.Audit), key: MigrateKey, role: "audit_owner", before: apps.Audit}},
	Migrate(apps.Notification): {{secret: Migrate(apps.Notification), key: MigrateKey, role: "notifications_owner", before: apps.Notification}},
}

// Files returns the names of all files, in the order in which they are written. A value that moves to another file is
// written there before its old file gives it up.
func Files() []string {
	var names []string
	for _, app := range apps.Databases() {
		names = append(names, Migrate(app))
	}
	return append(append(names, apps.AuditSigner), slices.DeleteFunc(apps.All(), func(app string) bool { return app == apps.AuditSigner })...)
}

// Set holds the secrets of all apps.
type Set struct {
	dir       string
	passwords map[string]string // by role
	values    map[string]string // by app/secret/key, without the addresses
	kafka     map[string]string // passwords by Kafka user
	Made      bool              // at least one secret is new
	newLog    bool              // the signer of the audit log gets its key now
}

// HasOwn reports whether the app itself has secrets. Those of another name are its sidecar's.
func HasOwn(app string) bool {
	return slices.ContainsFunc(wanted[app], func(v value) bool { return v.secret == app })
}

// Path returns the file of a name in Files: of an app (what the app itself may read), or of Migrate(app).
func Path(dir, name string) string { return filepath.Join(dir, name+".json") }

// New makes a new set of all secrets, in memory. It is for a cluster, which keeps the secrets itself.
func New() (*Set, error) {
	s := &Set{passwords: map[string]string{}, values: map[string]string{}, kafka: map[string]string{}}
	for _, app := range Files() {
		for _, v := range wanted[app] {
			if err := s.take(app, v, nil); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", v.secret, v.key, err)
			}
		}
	}
	s.completeKafka()
	return s, nil
}

// Load reads the files in dir and makes missing secrets, in memory. Write writes the set to disk.
func Load(dir string) (*Set, error) {
	s := &Set{dir: dir, passwords: map[string]string{}, values: map[string]string{}, kafka: map[string]string{}}
	if err := checkMode(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files := map[string]map[string]map[string]string{}
	for _, name := range Files() {
		file, err := readFile(Path(dir, name))
		if err != nil {
			return nil, err
		}
		files[name] = file
	}
	for _, name := range Files() {
		for _, v := range wanted[name] {
			from, file := name, files[name]
			if _, ok := file[v.secret][v.key]; !ok && v.before != "" {
				s.newLog = s.newLog || name == apps.AuditSigner
				from, file = v.before, map[string]map[string]string{v.secret: files[v.before][v.before]}
			}
			if err := s.take(name, v, file); err != nil {
				return nil, fmt.Errorf("%s: %s, %s: %w. The file is left as it is; move it away to have new secrets made", Path(dir, from), v.secret, v.key, err)
			}
		}
	}
	return s, s.loadKafka()
}

// NewLog reports whether the signer of the audit log gets its key now: it has signed nothing yet and must be told to begin
// (package auditsigner), before Write.
func (s *Set) NewLog() bool { return s.newLog }

// take keeps the file's value, or makes one where there is none.
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

// Password returns a database role's password.
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
	for _, app := range Files() {
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
	return s.WriteKafka()
}

// Of returns the secrets of one of Files by name and key. address makes a role's database address from its password.
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

// Value reads one value of the secret that has the file's own name. An error never shows a value.
func Value(dir, app, key string) (string, error) {
	file, err := readFile(Path(dir, app))
	if err != nil {
		return "", err
	}
	v := file[app][key]
	if v == "" {
		return "", fmt.Errorf("%s has no %s: nothing was started on this data folder yet. Start Taskwire with `taskwire up` (make up)", Path(dir, app), key)
	}
	return v, nil
}

// readFile reads one app's file. It returns an empty map where there is none.
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
		// A JSON error can quote the file.
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

// passwordOf returns the password in an address. Errors do not repeat the address.
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
