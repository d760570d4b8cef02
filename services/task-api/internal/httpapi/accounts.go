package httpapi

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/optional"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// This file decides in which order the public account routes check a request: the rate limit of the address, the body, the
// rate limit of the account, and last the password, because a hash is expensive.

// required returns an error for the first member that is absent, null or empty. pairs are names and values in turn.
func required(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return httpx.Invalid(pairs[i], "is missing")
		}
	}
	return nil
}

// valueOf returns an optional text, or "" if it is absent or null.
func valueOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// register handles POST /auth/register. It answers 201 with a new account. If the e-mail already has an account, register
// works like login: it answers 200 if the password is right, and otherwise the 401 of a wrong log-in, after the same work.
func (h *handlers) register(c *gin.Context) error {
	var body api.Registration
	if err := allow(h.limits.address, httpx.AddressKey(c)); err != nil {
		return err
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if err := required("email", body.Email, "password", body.Password); err != nil {
		return err
	}
	inCookie, err := wantsCookie(c, body.Cookie)
	if err != nil {
		return err
	}
	if err := h.limits.attempt(c, accounts.EmailKey(body.Email)); err != nil {
		return err
	}
	s, made, err := h.Accounts.Register(c.Request.Context(), accounts.Registration{
		Email: body.Email, Password: body.Password, Name: valueOf(body.Name), Timezone: valueOf(body.Timezone),
	}, clientOf(c))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	answerSession(c, status, s, inCookie)
	return nil
}

// login handles POST /auth/login. An unknown e-mail and a wrong password have the same answer (401) after the same work, so
// that neither the answer nor its time reveals whether there is an account.
func (h *handlers) login(c *gin.Context) error {
	var body api.Credentials
	if err := allow(h.limits.address, httpx.AddressKey(c)); err != nil {
		return err
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	if err := required("email", body.Email, "password", body.Password); err != nil {
		return err
	}
	inCookie, err := wantsCookie(c, body.Cookie)
	if err != nil {
		return err
	}
	if err := h.limits.attempt(c, accounts.EmailKey(body.Email)); err != nil {
		return err
	}
	s, err := h.Accounts.Login(c.Request.Context(), body.Email, body.Password, clientOf(c))
	if err != nil {
		return err
	}
	answerSession(c, http.StatusOK, s, inCookie)
	return nil
}

// refresh handles POST /auth/refresh. It replaces the refresh token: the answer has its successor, where the token was.
func (h *handlers) refresh(c *gin.Context) error {
	if err := allow(h.limits.refresh, httpx.AddressKey(c)); err != nil {
		return err
	}
	token, inCookie, err := refreshToken(c)
	if err != nil {
		return err
	}
	s, err := h.Accounts.Refresh(c.Request.Context(), token, clientOf(c))
	if err != nil {
		if inCookie && errors.Is(err, accounts.ErrRefused) {
			clearRefreshCookie(c)
		}
		return err
	}
	answerSession(c, http.StatusOK, s, inCookie)
	return nil
}

// logout handles POST /auth/logout. It answers 204 for every token, so that a client can repeat it.
func (h *handlers) logout(c *gin.Context) error {
	if err := allow(h.limits.refresh, httpx.AddressKey(c)); err != nil {
		return err
	}
	token, inCookie, err := refreshToken(c)
	if err != nil {
		return err
	}
	if err := h.Accounts.Logout(c.Request.Context(), token, clientOf(c)); err != nil {
		return err
	}
	if inCookie {
		clearRefreshCookie(c)
	}
	c.Status(http.StatusNoContent)
	return nil
}

// getMe handles GET /me. The role of an OIDC issuer's user comes from the token, not from the database.
func (h *handlers) getMe(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	u, err := h.Accounts.User(c.Request.Context(), auth.UserID(c))
	if err != nil {
		return err
	}
	if id := auth.IdentityOf(c); id.External != nil {
		u.Role = id.Role
	}
	c.JSON(http.StatusOK, u)
	return nil
}

// patchMe handles PATCH /me, a JSON Merge Patch (RFC 7396) of name and timezone.
func (h *handlers) patchMe(c *gin.Context) error {
	var body struct {
		Name     optional.Field[string] `json:"name"`
		Timezone optional.Field[string] `json:"timezone"`
	}
	if err := readBody(c, &body); err != nil {
		return err
	}
	var p accounts.Profile
	if body.Name.Set { // null removes the name
		p.Name = &body.Name.Value
	}
	if body.Timezone.Set {
		if p.Timezone = &body.Timezone.Value; body.Timezone.Null {
			return httpx.Unprocessable("timezone", "must not be null")
		}
	}
	u, err := h.Accounts.Update(c.Request.Context(), auth.UserID(c), p)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, u)
	return nil
}
