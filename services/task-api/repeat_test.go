package main

import (
	"net/http"
	"strings"
	"testing"
)

// TestALostCommitOfManyTasksIsSafeToRepeat is TestALostCommit… for what writes more than one task.
func TestALostCommitOfManyTasksIsSafeToRepeat(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ path, body, repeated string }{
		"a batch":         {"/api/v1/tasks:batch", `{"operations":[{"op":"create","task":{"title":"lost"}},{"op":"create","task":{"title":"lost too"}}]}`, `"version":1`},
		"an atomic batch": {"/api/v1/tasks:batch", `{"atomic":true,"operations":[{"op":"create","task":{"title":"lost"}},{"op":"create","task":{"title":"lost too"}}]}`, `"version":1`},
		"an import":       {"/api/v1/import?format=jsonl", "{\"title\":\"lost\"}\n{\"title\":\"lost too\"}\n", `"type":"done","created":0,"present":2,`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, false)
			token, _ := s.register("a@example.com")
			send := func() (int, string) {
				status, _, body := s.call("POST", s.public+tc.path, tc.body, "Authorization", token, "Idempotency-Key", "k")
				return status, body
			}
			s.proxy.lose("lost too")
			if status, body := send(); status != http.StatusServiceUnavailable {
				t.Fatalf("with the answer to its commit lost: got %d %s, want 503", status, body)
			}
			for range 2 {
				if status, body := send(); status != http.StatusOK || !strings.Contains(body, tc.repeated) {
					t.Errorf("repeated: got %d %s, want what was made", status, body)
				}
			}
			if tasks, sent := s.count(`SELECT count(*) FROM tasks`), s.count(`SELECT count(*) FROM outbox WHERE topic LIKE 'task-%'`); tasks != 2 || sent != 4 {
				t.Errorf("got %d tasks and %d events, want 2 and 4", tasks, sent)
			}
		})
	}
}
