package httpapi

import (
	"net/http"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

func TestChangingThePasswordOverHTTP(t *testing.T) {
	t.Parallel()
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
