package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

func TestAccountsOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody := &client{rig: r}
	const who = `{"email":"Ada@Example.com","password":"correct horse","name":"Ada","timezone":"Europe/London"}`
	var s accounts.Session
	nobody.want(http.StatusCreated, &s, "POST", "/api/v1/auth/register", who)
	if s.User.ID == "" || s.AccessToken == "" || s.RefreshToken == "" || s.ExpiresIn != 900 || s.User.Email != "ada@example.com" {
		t.Errorf("register: got %+v", s)
	}
	ada := &client{r, s.AccessToken, s.User.ID}
	var me accounts.User
	ada.want(http.StatusOK, &me, "GET", "/api/v1/me", "")
	if me.ID != s.User.ID || me.Timezone != "Europe/London" {
		t.Errorf("me: got %+v", me)
	}
	ada.want(http.StatusOK, &me, "PATCH", "/api/v1/me", `{"timezone":"Asia/Tokyo"}`)
	if task := ada.create(`{"title":"t"}`); me.Name != "Ada" || task.Timezone != "Asia/Tokyo" {
		t.Errorf("patch me: got %+v, and a new task in %s", me, task.Timezone)
	}
	ada.wantProblem(http.StatusUnprocessableEntity, "timezone", "PATCH", "/api/v1/me", `{"timezone":null}`)
	ada.wantProblem(http.StatusBadRequest, "email", "PATCH", "/api/v1/me", `{"email":"x@example.com"}`)

	nobody.want(http.StatusOK, &s, "POST", "/api/v1/auth/register", who)
	nobody.wantProblem(http.StatusUnprocessableEntity, "password", "POST", "/api/v1/auth/register", `{"email":"b@example.com","password":"short"}`)
	nobody.wantProblem(http.StatusBadRequest, "role", "POST", "/api/v1/auth/register", `{"email":"b@example.com","password":"correct horse","role":"auditor"}`)
	wrong := nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/login", `{"email":"ada@example.com","password":"wrong horse"}`)
	unknown := nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/login", `{"email":"bob@example.com","password":"wrong horse"}`)
	trace := func(a answer) string { before, _, _ := strings.Cut(a.body, `"trace_id"`); return before }
	if trace(wrong) != trace(unknown) {
		t.Errorf("log in: a wrong password is %s and an unknown e-mail %s, want the same", wrong.body, unknown.body)
	}
	nobody.want(http.StatusOK, &s, "POST", "/api/v1/auth/login", `{"email":"ada@example.com","password":"correct horse"}`)
	old := s.RefreshToken
	nobody.want(http.StatusOK, &s, "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+old+`"}`)
	if s.RefreshToken == old || s.User.Name != "Ada" {
		t.Errorf("refresh: got %+v", s)
	}
	nobody.want(http.StatusNoContent, nil, "POST", "/api/v1/auth/logout", `{"refresh_token":"`+s.RefreshToken+`"}`)
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`)
	if n := r.count(`SELECT count(*) FROM refresh_tokens WHERE encode(hash, 'escape') LIKE ? OR encode(sealed, 'escape') LIKE ?`, "%"+s.RefreshToken+"%", "%"+s.RefreshToken+"%"); n != 0 {
		t.Error("a refresh token is stored in clear")
	}
}

func TestGuessingIsSlowedDownByAccountAndAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody := &client{rig: r}
	login := func(account, address string) answer {
		return nobody.do("POST", "/api/v1/auth/login", `{"email":"`+account+`","password":"guess"}`, "X-Forwarded-For", address)
	}
	for range accounts.PerAccount.Burst {
		if a := login("ada@example.com", "192.0.2.1"); a.status != http.StatusUnauthorized {
			t.Fatalf("log in: got %d %s, want 401", a.status, a.body)
		}
	}
	if a := login("ADA@example.com ", "192.0.2.1"); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("one more: got %d with Retry-After %q, want 429", a.status, a.header.Get("Retry-After"))
	}
	if a := login("ada@example.com", "192.0.2.2"); a.status != http.StatusUnauthorized {
		t.Errorf("from another address: got %d, want 401: the owner is not locked out", a.status)
	}
	if a := login("bob@example.com", "192.0.2.1"); a.status != http.StatusUnauthorized {
		t.Errorf("another account: got %d, want 401", a.status)
	}
}
