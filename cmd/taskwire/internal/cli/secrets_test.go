package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// The test reads the output of `taskwire secrets` as its two readers do: the services, by name and key, and the Job that
// creates the roles.
func TestTheSecretsOfAClusterFitTogether(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := Main([]string{"secrets", "--namespace", "elsewhere", "--postgres", "postgres://admin@db:5433/postgres?sslmode=disable"}, &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	var list object
	if err := json.Unmarshal(out.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]map[string]string{}
	values := map[string]bool{}
	for _, s := range list.Items {
		if s.Kind != "Secret" || s.Metadata["namespace"] != "elsewhere" {
			t.Errorf("got %s %v", s.Kind, s.Metadata)
		}
		secrets[s.Metadata["name"]] = s.StringData
		for k, v := range s.StringData {
			if k == "ca.crt" || k == "users.json" || k == "username" {
				continue // not secrets of their own
			}
			if v == "" || values[v] {
				t.Errorf("%s, %s: empty, or a value that another one has", s.Metadata["name"], k)
			}
			values[v] = true
		}
	}
	want := []string{"audit", "audit-signer", "notification", "postgres-admin", "statestore", "task-api", "kafka-users"} // websocket and recurring-task have none
	for _, app := range apps.All() {
		want = append(want, app+"-app-token", app+"-dapr-token")
	}
	users := map[string]string{}
	if err := json.Unmarshal([]byte(secrets["kafka-users"]["users.json"]), &users); err != nil {
		t.Error(err)
	}
	for _, user := range kafkausers.Names() {
		name := kafkausers.Short(user) + "-kafka"
		want = append(want, name)
		if s := secrets[name]; s["username"] != user || s["password"] != users[user] || users[user] == "" {
			t.Errorf("%s: user %q; its password is that of kafka-users: %v", name, s["username"], s["password"] == users[user])
		}
	}
	for _, app := range apps.Databases() {
		want = append(want, app+"-migrate")
		if secrets[app]["migrate-url"] != "" || secrets[app+"-migrate"]["migrate-url"] == "" {
			t.Errorf("%s has the address of the owner of its database, or %s-migrate has not", app, app)
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(secrets)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	dir := t.TempDir()
	var files []string
	for secret, data := range secrets {
		for key, v := range data {
			if secret == "postgres-admin" || !strings.HasPrefix(v, "postgres://") {
				continue
			}
			file := filepath.Join(dir, secret+"."+key)
			if err := os.WriteFile(file, []byte(v), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	passwords, err := provision.Passwords(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range provision.Databases() {
		for _, role := range []string{d.Owner, d.App} {
			if role != "" && passwords[role] == "" {
				t.Errorf("no password for %s of %s", role, d.Name)
			}
		}
	}
	u, err := url.Parse(secrets["task-api"]["database-url"])
	if err != nil || u.Host != "db:5433" || u.Path != "/tasks" || u.User.Username() != "tasks_app" || u.RawQuery != "sslmode=disable" {
		t.Errorf("task-api's address: got %s, %v", u.Redacted(), err)
	}
	if admin, _ := url.Parse(secrets["postgres-admin"]["url"]); admin == nil || admin.User.String() != "admin:"+secrets["postgres-admin"]["password"] {
		t.Error("postgres-admin: the address has another password")
	}
}

func TestSecretsNeedAnAddressWithARole(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "db:5432", "postgres://db:5432/postgres", "://"} {
		var out, errs bytes.Buffer
		if code := Main([]string{"secrets", "--postgres", address}, &out, &errs); code != 1 || out.Len() > 0 || !strings.Contains(errs.String(), "--postgres") {
			t.Errorf("%q: got exit %d, %q, %q", address, code, out.String(), errs.String())
		}
	}
}
