package dapr

import (
	"errors"
	"maps"
	"testing"

	"github.com/taskwire/taskwire/testkit/sidecar"
)

func TestGetSecretReadsAllKeysAndNamesAMissingStore(t *testing.T) {
	t.Parallel()
	want := map[string]string{"database-url": "postgres://u:p@h/tasks", "cursor-key": "00ff"}
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{
		"secrets": sidecar.Secrets(t, map[string]map[string]string{"task-api": want, "websocket": {}}),
	}})
	c := newClient(t, s, nil)
	got, err := c.GetSecret(t.Context(), "kubernetes-secrets", "task-api")
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if got, err = c.GetSecret(t.Context(), "kubernetes-secrets", "websocket"); err != nil || len(got) != 0 {
		t.Errorf("a secret without keys: got %v, %v; want none", got, err)
	}
	_, err = c.GetSecret(t.Context(), "no-such-store", "task-api")
	if e := new(Error); !errors.As(err, &e) || e.Component != "no-such-store" || e.Attempts != 1 {
		t.Errorf("a store that is not there: got %v, want one attempt on it", err)
	}
}
