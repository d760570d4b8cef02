package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

// Reads the table of routes, so it includes routes that are added later.
func TestEveryGETRouteAnswersHEADInTheSameWay(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	id := c.create(`{"title":"t"}`).ID
	tested := 0
	for _, route := range routes {
		if route.method != http.MethodGet {
			continue
		}
		tested++
		path := strings.ReplaceAll(strings.ReplaceAll(address(route.path), ":id", id), ":file", "docs.js")
		for _, query := range []string{"", "?format=jsonl", "?nothing=1"} {
			get, head := c.do(http.MethodGet, path+query, ""), c.do(http.MethodHead, path+query, "")
			if head.status != get.status || head.body != "" {
				t.Errorf("HEAD %s: got %d %q, want %d without a body", path+query, head.status, head.body, get.status)
			}
			for _, name := range []string{"ETag", "Content-Type", "Content-Disposition", "Content-Security-Policy"} {
				if got, want := head.header.Get(name), get.header.Get(name); got != want {
					t.Errorf("HEAD %s: got %s %q, want %q", path+query, name, got, want)
				}
			}
		}
		anybody := &client{rig: c.rig}
		if got, want := anybody.do(http.MethodHead, path, "").status, anybody.do(http.MethodGet, path, "").status; got != want {
			t.Errorf("HEAD %s without a token: got %d, want %d", path, got, want)
		}
	}
	if tested < 10 {
		t.Errorf("GET routes: got %d, want at least 10", tested)
	}
	if a := c.do(http.MethodHead, "/api/v1/tasks/"+id, ""); a.status != 200 || a.header.Get("ETag") != `"v1"` {
		t.Errorf("HEAD of a task: got %d with ETag %s, want 200 and \"v1\"", a.status, a.header.Get("ETag"))
	}
}

// The account is gone here without an event, as after a restored backup: the read itself finds out.
func TestHEADOfADeletedAccountIsRefusedAsGETIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.user()
	if err := r.db.Gorm.Exec(`DELETE FROM users WHERE id = ?`, c.id).Error; err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/v1/me", "/api/v1/tasks", "/api/v1/sync"} {
		if a := c.do(http.MethodHead, path, ""); a.status != http.StatusUnauthorized {
			t.Errorf("HEAD %s: got %d, want 401", path, a.status)
		}
	}
}

// No route ignores a parameter, also the routes that have none. Only a page does: people put all kinds of them into links.
func TestEveryRouteRefusesParametersThatItDoesNotHave(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	id := c.create(`{"title":"t"}`).ID
	for _, route := range routes {
		path := strings.ReplaceAll(strings.ReplaceAll(address(route.path), ":id", id), ":file", "docs.js")
		for _, query := range []string{"q=20%", "a;b", "%", "tag=%zz", "since=2;"} {
			c.wantProblem(http.StatusBadRequest, "", route.method, path+"?"+query, "{}")
		}
		page := route.access == public && route.method == http.MethodGet
		if a := c.do(route.method, path+"?nothing=1", "{}"); !page && a.status != http.StatusBadRequest {
			t.Errorf("%s %s?nothing=1: got %d %.200s, want 400", route.method, path, a.status, a.body)
		}
	}
}
