package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// Calls every route with the token of a deleted account, before and after the deletion of its data.
func TestATokenOfADeletedAccountIsRefusedOnEveryRoute(t *testing.T) {
	t.Parallel()
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
	check("before FinishDeletions")
	if err := r.uses.FinishDeletions(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("after FinishDeletions")
	nobody := &client{rig: r}
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`)
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/login", `{"email":"a@example.com","password":"correct horse"}`)
	if n := r.count(`SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM tasks) + (SELECT count(*) FROM changes) + (SELECT count(*) FROM heads)`); n != 0 {
		t.Errorf("rows of the deleted account: got %d, want none", n)
	}
}
