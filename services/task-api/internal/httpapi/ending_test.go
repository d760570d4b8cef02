package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// registered makes an account over HTTP; its password is "correct horse".
func (r *rig) registered(email string) (*client, accounts.Session) {
	r.t.Helper()
	var s accounts.Session
	(&client{rig: r}).want(http.StatusCreated, &s, "POST", "/api/v1/auth/register", `{"email":"`+email+`","password":"correct horse"}`)
	return &client{r, s.AccessToken, s.User.ID}, s
}

func TestChangingThePasswordOverHTTP(t *testing.T) {
	r := newRig(t)
	nobody := &client{rig: r}
	c, old := r.registered("a@example.com")
	const path = "/api/v1/me/password"
	c.wantProblem(http.StatusUnprocessableEntity, "current_password", "POST", path, `{"current_password":"wrong horse","new_password":"battery staple"}`)
	c.wantProblem(http.StatusUnprocessableEntity, "new_password", "POST", path, `{"current_password":"correct horse","new_password":"short"}`)
	c.wantProblem(http.StatusBadRequest, "password", "POST", path, `{"password":"correct horse"}`)
	var s accounts.Session
	c.want(http.StatusOK, &s, "POST", path, `{"current_password":"correct horse","new_password":"battery staple"}`)
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+old.RefreshToken+`"}`)
	nobody.want(http.StatusOK, nil, "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`)
	(&client{r, s.AccessToken, s.User.ID}).want(http.StatusOK, nil, "GET", "/api/v1/me", "")
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/login", `{"email":"a@example.com","password":"correct horse"}`)
}

// TestATokenOfADeletedAccountIsRefusedOnEveryRoute goes over the table, before and after the data is removed.
func TestATokenOfADeletedAccountIsRefusedOnEveryRoute(t *testing.T) {
	r := newRig(t)
	c, s := r.registered("a@example.com")
	task := c.create(`{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	const keyed = `{"title":"with a key"}`
	c.want(http.StatusCreated, nil, "POST", "/api/v1/tasks", keyed, "Idempotency-Key", "k")
	c.wantProblem(http.StatusUnprocessableEntity, "password", "DELETE", "/api/v1/me", `{"password":"wrong horse"}`)
	c.wantProblem(http.StatusUnprocessableEntity, "password", "DELETE", "/api/v1/me", `{}`)
	c.wantProblem(http.StatusBadRequest, "", "DELETE", "/api/v1/me", "")
	c.want(http.StatusNoContent, nil, "DELETE", "/api/v1/me", `{"password":"correct horse"}`)
	bodies := map[string]string{
		"POST /api/v1/tasks": keyed, "PUT /api/v1/tasks/:id": `{"title":"x"}`, "PATCH /api/v1/tasks/:id": `{"title":"x"}`,
		"PATCH /api/v1/me": `{"name":"x"}`, "DELETE /api/v1/me": `{"password":"correct horse"}`,
		"POST /api/v1/me/password": `{"current_password":"correct horse","new_password":"battery staple"}`,
	}
	check := func(when string) {
		for _, route := range routes {
			if route.access != user {
				continue
			}
			name := route.method + " " + route.path
			a := c.do(route.method, strings.ReplaceAll(route.path, ":id", task.ID), bodies[name], "Idempotency-Key", "k")
			refused := a.status == http.StatusUnauthorized || a.status == http.StatusNotFound
			if malformed := a.status == http.StatusBadRequest && bodies[name] == "" && route.method == http.MethodPost; !refused && !malformed {
				t.Errorf("%s, %s: got %d %s, want 401 or 404", name, when, a.status, a.body)
			}
		}
	}
	check("while its data is there")
	if err := r.uses.FinishDeletions(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("afterwards")
	nobody := &client{rig: r}
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`)
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/login", `{"email":"a@example.com","password":"correct horse"}`)
	if n := r.count(`SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM tasks) + (SELECT count(*) FROM changes) + (SELECT count(*) FROM heads)`); n != 0 {
		t.Errorf("left in the database: %d rows, want none", n)
	}
}

func TestRegisteringAnEMailThatExistsIsAnsweredAsAWrongLogin(t *testing.T) {
	r := newRig(t)
	r.registered("a@example.com")
	nobody := &client{rig: r}
	trace := func(a answer) string { before, _, _ := strings.Cut(a.body, `"trace_id"`); return before }
	const body = `{"email":"%","password":"wrong horse"}`
	var want answer
	for i, c := range [][2]string{{"login", "a@example.com"}, {"login", "x@example.com"}, {"register", "a@example.com"}} {
		a := nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/"+c[0], strings.ReplaceAll(body, "%", c[1]))
		if i == 0 {
			want = a
		}
		if trace(a) != trace(want) || len(a.header) != len(want.header) {
			t.Errorf("%s %s: got %v %s, want as a wrong password: %v %s", c[0], c[1], a.header, a.body, want.header, want.body)
		}
	}
}

func TestARoleIsInTheNextAccessToken(t *testing.T) {
	r := newRig(t)
	_, s := r.registered("a@example.com")
	role := func(token string) string {
		t.Helper()
		id, err := auth.NewVerifier(r.signer.Keys, slog.New(slog.DiscardHandler)).Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return id.Role
	}
	if got := role(s.AccessToken); got != auth.RoleUser || s.User.Role != auth.RoleUser {
		t.Errorf("registered: got %s, want user", got)
	}
	for _, want := range []string{"auditor", "user"} {
		if err := r.db.Gorm.Exec(`UPDATE users SET role = ?`, want).Error; err != nil { // as taskwire user role does
			t.Fatal(err)
		}
		(&client{rig: r}).want(http.StatusOK, &s, "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`)
		if got := role(s.AccessToken); got != want || s.User.Role != want {
			t.Errorf("refreshed: got %s and %+v, want %s", got, s.User, want)
		}
	}
	(&client{r, s.AccessToken, s.User.ID}).wantProblem(http.StatusBadRequest, "role", "PATCH", "/api/v1/me", `{"role":"auditor"}`)
}
