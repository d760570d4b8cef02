package e2e

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/e2e/client"
)

// This file tests what the gateway and every service promise together about HTTP.

// pageOrigin is the origin of another host that the stacks of this package allow.
const pageOrigin = "https://app.example.com"

// readPaths are GET paths of every service and of the gateway itself.
func readPaths(taskID string) []string {
	return []string{
		"/", "/docs", "/docs/docs.js", "/.well-known/jwks.json", "/api/v1/openapi.json", "/healthz", "/readyz",
		"/api/v1/me", "/api/v1/tasks", "/api/v1/tasks/" + taskID, "/api/v1/sync?since=0", "/api/v1/tags", "/api/v1/stats", "/api/v1/export?format=jsonl",
		"/api/v1/audit", "/api/v1/audit/tasks/" + taskID, "/api/v1/audit/checkpoint", "/api/v1/audit/key",
		"/api/v1/notifications", "/api/v1/preferences", "/ws",
	}
}

// sendRaw sends the bytes of a request, which an HTTP client might clean, and returns the answer.
func sendRaw(t *testing.T, u *client.User, method, target, rest string) (*http.Response, string) {
	t.Helper()
	address := strings.TrimPrefix(u.Base, "http://")
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s", method, target, address, u.Token, rest)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return resp, string(body)
}

// wantBadRequest expects a problem document with 400.
func wantBadRequest(t *testing.T, what string, resp *http.Response, body string) {
	t.Helper()
	var p struct {
		Status int
		Title  string
	}
	if err := json.Unmarshal([]byte(body), &p); resp.StatusCode != http.StatusBadRequest || err != nil || p.Status != http.StatusBadRequest || p.Title == "" {
		t.Errorf("%s: got %d %.300s, want 400 and a problem document", what, resp.StatusCode, body)
	}
}

// A proxy that leaves out what it cannot parse would turn a filter into no filter.
func TestAQueryThatCannotBeParsedIsRefusedByEveryService(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	for _, title := range []string{"apple", "banana", "20% off"} {
		u.Create(map[string]any{"title": title})
	}
	targets := []string{
		"/api/v1/tasks?q=20%", "/api/v1/tasks?status=completed;x=1", "/api/v1/tasks?status=completed;", "/api/v1/tasks?limit=1;", "/api/v1/tasks?tag=%zz",
		"/api/v1/sync?since=2;", "/api/v1/audit?event_type=deleted%", "/api/v1/notifications?unread=true%", "/api/v1/stats?a;b", "/api/v1/tags?%",
	}
	for _, path := range readPaths(u.Create(map[string]any{"title": "read"}).ID) {
		if path == "/healthz" || path == "/readyz" {
			continue // of the gateway, for probes
		}
		glue := "?"
		if strings.Contains(path, "?") {
			glue = "&"
		}
		for _, query := range []string{"%", "a;b", "q=%zz"} {
			targets = append(targets, path+glue+query)
		}
	}
	for _, target := range targets {
		resp, body := sendRaw(t, u, http.MethodGet, target, "\r\n")
		wantBadRequest(t, "GET "+target, resp, body)
	}
	var list struct{ Items []struct{ Title string } }
	u.Must(http.MethodGet, "/api/v1/tasks?q=20%25", nil, http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].Title != "20% off" {
		t.Errorf("q=20%%25: got %v, want 20%% off alone", list.Items)
	}
}

func TestAMalformedBodyIsTheClientsFault(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	id := u.Create(map[string]any{"title": "stays"}).ID
	for _, target := range []string{"POST /api/v1/tasks", "PATCH /api/v1/tasks/" + id, "POST /api/v1/tasks:batch", "PUT /api/v1/preferences", "POST /api/v1/auth/login"} {
		method, path, _ := strings.Cut(target, " ")
		for _, chunks := range []string{"zz\r\n{}\r\n0\r\n\r\n", "f\r\n{\"title\":\"torn\"\r\n-1\r\n", "2\r\n{}{}\r\n0\r\n\r\n"} {
			resp, body := sendRaw(t, u, method, path, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks)
			wantBadRequest(t, target+" "+chunks, resp, body)
		}
	}
	var list struct{ Items []struct{ Title string } }
	u.Must(http.MethodGet, "/api/v1/tasks", nil, http.StatusOK, &list)
	if len(list.Items) != 1 || list.Items[0].Title != "stays" {
		t.Errorf("tasks afterwards: got %v, want the one from before", list.Items)
	}
}

func TestHEADAnswersAsGETThroughTheGateway(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	id := u.Create(map[string]any{"title": "read"}).ID
	for _, path := range readPaths(id) {
		get, _ := sendRaw(t, u, http.MethodGet, path, "\r\n")
		head, body := sendRaw(t, u, http.MethodHead, path, "\r\n")
		if head.StatusCode != get.StatusCode || body != "" {
			t.Errorf("HEAD %s: got %d with %d bytes, want %d without a body", path, head.StatusCode, len(body), get.StatusCode)
		}
		for _, name := range []string{"ETag", "Content-Type", "Content-Security-Policy"} {
			if got, want := head.Header.Get(name), get.Header.Get(name); got != want {
				t.Errorf("HEAD %s: got %s %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestPagesOfAllowedOriginsMayUseEveryService(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	for path, method := range map[string]string{"/api/v1/tasks": "POST", "/api/v1/audit": "GET", "/api/v1/preferences": "PUT"} {
		for from, allowed := range map[string]bool{pageOrigin: true, "https://evil.example.com": false} {
			preflight, _ := sendRaw(t, u, http.MethodOptions, path, "Origin: "+from+"\r\nAccess-Control-Request-Method: "+method+"\r\nAccess-Control-Request-Headers: authorization\r\n\r\n")
			read, _ := sendRaw(t, u, http.MethodGet, path, "Origin: "+from+"\r\n\r\n")
			want, status := "", http.StatusForbidden
			if allowed {
				want, status = from, http.StatusNoContent
			}
			if got := preflight.Header.Get("Access-Control-Allow-Origin"); preflight.StatusCode != status || got != want {
				t.Errorf("preflight of %s for %s: got %d for %q, want %d for %q", from, path, preflight.StatusCode, got, status, want)
			}
			if allowed && !strings.Contains(preflight.Header.Get("Access-Control-Allow-Methods"), method) {
				t.Errorf("preflight for %s: got methods %q, want %s among them", path, preflight.Header.Get("Access-Control-Allow-Methods"), method)
			}
			if got := read.Header.Get("Access-Control-Allow-Origin"); read.StatusCode != http.StatusOK || got != want {
				t.Errorf("GET %s from %s: got %d for %q, want 200 for %q", path, from, read.StatusCode, got, want)
			}
			for _, resp := range []*http.Response{preflight, read} {
				if resp.Header.Get("Access-Control-Allow-Credentials") != "" || !slices.Contains(resp.Header.Values("Vary"), "Origin") {
					t.Errorf("%s from %s: got headers %v, want Vary: Origin and no credentials", path, from, resp.Header)
				}
			}
		}
	}
}

func TestLongAnswersAreCompressedThroughTheGateway(t *testing.T) {
	usesShared(t)
	u := client.NewUser(t, shared.URL())
	var last string
	for range 5 {
		last = u.Create(map[string]any{"title": "long", "description": strings.Repeat("many words ", 200)}).ID
	}
	client.Eventually(t, client.RecoveryTimeout, "the audit log has them", func() error { return auditKnows(u, last, 1) })
	for path, packed := range map[string]bool{
		"/api/v1/tasks": true, "/api/v1/export?format=csv": true, "/api/v1/sync?since=0": true, "/api/v1/audit": true, "/api/v1/openapi.json": true,
		"/api/v1/tasks/" + last: false, "/api/v1/me": false, // an ETag; too short
	} {
		resp, body := sendRaw(t, u, http.MethodGet, path, "Accept-Encoding: gzip\r\n\r\n")
		if got := resp.Header.Get("Content-Encoding") == "gzip"; resp.StatusCode != http.StatusOK || got != packed {
			t.Errorf("GET %s: got %d, packed %v, want 200, packed %v", path, resp.StatusCode, got, packed)
			continue
		}
		plain, _ := sendRaw(t, u, http.MethodGet, path, "\r\n")
		if got, want := resp.Header.Get("ETag"), plain.Header.Get("ETag"); got != want {
			t.Errorf("GET %s: got ETag %s, want %s as for a client without gzip", path, got, want)
		}
		if !packed {
			continue
		}
		r, err := gzip.NewReader(strings.NewReader(body))
		must(t, err)
		unpacked, err := io.ReadAll(r)
		if err != nil || len(unpacked) <= len(body) {
			t.Errorf("GET %s: unpacked %d of %d bytes: %v", path, len(unpacked), len(body), err)
		}
	}
}
