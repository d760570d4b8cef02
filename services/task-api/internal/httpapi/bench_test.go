package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
)

// serve sends a request to the engine directly, without a network.
func (c *client) serve(method, path, key, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	w := httptest.NewRecorder()
	c.engine.ServeHTTP(w, req)
	return w
}

// BenchmarkCreate creates tasks of 32 users concurrently: validation, idempotency key, task, change log and two events. make
// bench-smoke measures the share of what Postgres can do.
func BenchmarkCreate(b *testing.B) {
	r := newRig(b)
	const users = 32
	clients := make([]*client, users)
	for i := range clients {
		clients[i] = r.user()
	}
	var next atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(users / 2)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		c := clients[int(next.Add(1))%users]
		for p.Next() {
			if w := c.serve(http.MethodPost, "/api/v1/tasks", uuid.NewString(), `{"title":"a task of the bench","priority":"high","tags":["bench"]}`); w.Code != http.StatusCreated {
				b.Fatalf("create: got %d %s", w.Code, w.Body)
			}
		}
	})
}
