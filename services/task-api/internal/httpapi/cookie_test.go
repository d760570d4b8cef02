package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// jar returns the cookie that an answer sets, or nil.
func (a answer) jar() *http.Cookie {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == refreshCookie {
			return c
		}
	}
	return nil
}

// wantCookie checks an answer whose refresh token is in the cookie, and returns the value of a Cookie header.
func (c *client) wantCookie(a answer, secure bool) string {
	c.t.Helper()
	cookie := a.jar()
	if cookie == nil || cookie.Value == "" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/api/v1/auth" ||
		cookie.Secure != secure || cookie.MaxAge != 30*24*3600 || cookie.Domain != "" {
		c.t.Fatalf("Set-Cookie: got %q, want HttpOnly, SameSite=Strict, the path of the routes and Secure %v", a.header["Set-Cookie"], secure)
	}
	var s accounts.Session
	if err := json.Unmarshal([]byte(a.body), &s); err != nil || s.AccessToken == "" || strings.Contains(a.body, "refresh_token") || strings.Contains(a.body, cookie.Value) {
		c.t.Errorf("body: got %s, want an access token and no refresh token", a.body)
	}
	return refreshCookie + "=" + cookie.Value
}

const sameOriginHeader = "same-origin"

func TestABrowserKeepsTheRefreshTokenInACookie(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	page := &client{rig: r}
	first := page.wantCookie(page.want(http.StatusCreated, nil, "POST", "/api/v1/auth/register", `{"email":"a@example.com","password":"correct horse","cookie":true}`, "Sec-Fetch-Site", sameOriginHeader), false)
	second := page.wantCookie(page.want(http.StatusOK, nil, "POST", "/api/v1/auth/refresh", "", "Cookie", first, "Sec-Fetch-Site", sameOriginHeader), false)
	if first == second {
		t.Error("refresh: got the same token")
	}
	third := page.wantCookie(page.want(http.StatusOK, nil, "POST", "/api/v1/auth/refresh", "", "Cookie", second, "Origin", r.server.URL), false)
	page.want(http.StatusNoContent, nil, "POST", "/api/v1/auth/logout", "{}", "Cookie", third, "Sec-Fetch-Site", sameOriginHeader)
	over := page.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/refresh", "", "Cookie", third, "Sec-Fetch-Site", sameOriginHeader)
	if c := over.jar(); c == nil || c.Value != "" || c.MaxAge >= 0 || c.Path != "/api/v1/auth" {
		t.Errorf("refresh after the log-out: got %q, want the cookie removed", over.header["Set-Cookie"])
	}
	login := page.want(http.StatusOK, nil, "POST", "/api/v1/auth/login", `{"email":"a@example.com","password":"correct horse","cookie":true}`)
	fourth := page.wantCookie(login, false)
	out := page.want(http.StatusNoContent, nil, "POST", "/api/v1/auth/logout", "", "Cookie", fourth, "Sec-Fetch-Site", sameOriginHeader)
	if c := out.jar(); c == nil || c.Value != "" || c.MaxAge >= 0 {
		t.Errorf("logout: got %q, want the cookie removed", out.header["Set-Cookie"])
	}
	ada, _ := r.loggedIn("a@example.com")
	page.wantCookie(ada.want(http.StatusOK, nil, "POST", "/api/v1/me/password", `{"current_password":"correct horse","new_password":"battery staple","cookie":true}`), false)
}

func TestTheCookieIsSecureOverHTTPS(t *testing.T) {
	t.Parallel()
	r := newRig(t) // whose trusted proxy is this machine
	page := &client{rig: r}
	register := func(headers ...string) answer {
		return page.do("POST", "/api/v1/auth/register", `{"email":"a@example.com","password":"correct horse","cookie":true}`, headers...)
	}
	page.wantCookie(register("X-Forwarded-Proto", "https"), true)
	page.wantCookie(register("X-Forwarded-Proto", "http, HTTPS"), true)
	page.wantCookie(register("X-Forwarded-Proto", "http"), false)
	secure := strings.Replace(r.server.URL, "http:", "https:", 1)
	cookie := page.wantCookie(register("X-Forwarded-Proto", "https", "Origin", secure), true)
	page.wantProblem(http.StatusForbidden, "", "POST", "/api/v1/auth/refresh", "", "Cookie", cookie, "X-Forwarded-Proto", "https", "Origin", r.server.URL)
	page.want(http.StatusOK, nil, "POST", "/api/v1/auth/refresh", "", "Cookie", cookie, "X-Forwarded-Proto", "https", "Origin", secure)
}

func TestAnotherOriginCannotUseTheCookie(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	page := &client{rig: r}
	const who = `{"email":"a@example.com","password":"correct horse","cookie":true}`
	cookie := page.wantCookie(page.do("POST", "/api/v1/auth/register", who), false)
	foreign := [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "none"},
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", r.server.URL + ".evil.example"}, {"Origin", "ftp://" + strings.TrimPrefix(r.server.URL, "http://")},
		{"Sec-Fetch-Site", "cross-site", "Origin", r.server.URL},
	}
	for _, headers := range foreign {
		page.wantProblem(http.StatusForbidden, "", "POST", "/api/v1/auth/login", who, headers...)
		for _, route := range []string{"refresh", "logout"} {
			page.wantProblem(http.StatusForbidden, "", "POST", "/api/v1/auth/"+route, "", append([]string{"Cookie", cookie}, headers...)...)
		}
	}
	const change = `{"current_password":"correct horse","new_password":"battery staple","cookie":true}`
	var s accounts.Session
	page.want(http.StatusOK, &s, "POST", "/api/v1/auth/login", `{"email":"a@example.com","password":"correct horse"}`)
	page.wantProblem(http.StatusForbidden, "", "POST", "/api/v1/me/password", change, "Authorization", "Bearer "+s.AccessToken, "Sec-Fetch-Site", "cross-site")
	page.wantProblem(http.StatusForbidden, "", "POST", "/api/v1/auth/refresh", "", "Cookie", cookie) // no word from a browser
	page.want(http.StatusOK, nil, "POST", "/api/v1/auth/refresh", "", "Cookie", cookie, "Sec-Fetch-Site", sameOriginHeader)
}

func TestATokenInTheBodyComesBeforeTheCookie(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, s := r.registered("a@example.com")
	page := &client{rig: r}
	a := page.want(http.StatusOK, nil, "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`, "Cookie", refreshCookie+"=x", "Origin", "https://elsewhere.example")
	if a.jar() != nil || !strings.Contains(a.body, `"refresh_token"`) {
		t.Errorf("refresh by the body: got %q %s, want the token in the body and no cookie", a.header["Set-Cookie"], a.body)
	}
	for _, body := range []string{"", "{}", `{"refresh_token":""}`} {
		page.wantProblem(http.StatusBadRequest, "refresh_token", "POST", "/api/v1/auth/logout", body)
	}
}
