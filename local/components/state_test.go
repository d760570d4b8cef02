package components_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/testkit/daprtest"
)

func TestTheStateStoreKeepsVersionsAndExpiresValues(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Config{DataDir: t.TempDir(), Progress: func(s string) { t.Log(s) }})
	must(t, err)
	t.Cleanup(func() { _ = server.Stop(t.Context()) })
	secrets, err := json.Marshal(map[string]map[string]string{"recurring-task": {}, "statestore": {"connection-string": server.URL()}})
	must(t, err)
	k := daprtest.NewKafka(t)
	s := daprtest.Start(t, daprtest.Options{App: "recurring-task", Port: daprtest.NewApp(t, nil).Port, Brokers: k.Addr, Secrets: string(secrets)})
	s.WaitReady(t)

	save := func(entry string) int {
		t.Helper()
		status, answer, err := s.Call(t, http.MethodPost, "/v1.0/state/statestore", []byte("["+entry+"]"), "Content-Type", "application/json")
		must(t, err)
		if status >= http.StatusInternalServerError && !strings.Contains(answer, "no item was updated") {
			t.Errorf("save %s = %d %s", entry, status, answer)
		}
		return status
	}
	get := func(key string) (int, string) {
		t.Helper()
		status, value, err := s.Call(t, http.MethodGet, "/v1.0/state/statestore/"+key, nil)
		must(t, err)
		return status, strings.TrimSpace(value)
	}
	firstWrite := `{"key":"event-1","value":"done","options":{"concurrency":"first-write"}}`
	if got := save(firstWrite); got != http.StatusNoContent {
		t.Errorf("first write of a key = %d, want 204", got)
	}
	// A second first write is refused with 500. Only the text "no item was updated" distinguishes it from a failure.
	if got := save(firstWrite); got != http.StatusInternalServerError {
		t.Errorf("second first write of a key = %d, want 500 as Dapr 1.18 answers", got)
	}
	if got := save(`{"key":"event-1","value":"again","etag":"1","options":{"concurrency":"first-write"}}`); got != http.StatusConflict {
		t.Errorf("write with an old ETag = %d, want 409", got)
	}
	if status, value := get("event-1"); status != http.StatusOK || value != `"done"` {
		t.Errorf("value = %d %s, want done", status, value)
	}
	if got := save(`{"key":"event-2","value":"done","metadata":{"ttlInSeconds":"1"}}`); got != http.StatusNoContent {
		t.Errorf("write with a time to live = %d, want 204", got)
	}
	for deadline := time.Now().Add(wait); ; time.Sleep(100 * time.Millisecond) {
		if status, _ := get("event-2"); status == http.StatusNoContent {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a value with a time to live of 1 s stays")
		}
	}
}
