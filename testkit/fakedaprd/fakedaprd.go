// Package fakedaprd stands in for the HTTP API of daprd in tests that need only its service invocation. Package sidecar
// starts the real one.
package fakedaprd

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Sidecar is a server with daprd's invocation routes. It reports that it is healthy.
type Sidecar struct {
	Port int

	mux *http.ServeMux
}

// New starts a sidecar without invocation routes, which serves until the test ends.
func New(t testing.TB) *Sidecar {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.0/healthz/outbound", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &Sidecar{Port: server.Listener.Addr().(*net.TCPAddr).Port, mux: mux}
}

// Handle answers invocations of a route of an app.
func (s *Sidecar) Handle(method, app, path string, answer http.HandlerFunc) {
	s.mux.HandleFunc(method+" /v1.0/invoke/"+app+"/method/"+strings.TrimPrefix(path, "/"), answer)
}

// HandleKeys answers the task API's part in the check of an access token: requests for its public keys with jwks, and requests for
// what was revoked with nothing.
func (s *Sidecar) HandleKeys(jwks []byte) {
	s.Handle(http.MethodGet, "task-api", "/internal/jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks) })
	s.Handle(http.MethodGet, "task-api", "/internal/revocations", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"items":[],"next":"","has_more":false}`))
	})
}
