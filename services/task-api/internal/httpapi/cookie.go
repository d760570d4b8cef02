package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/api"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// This file keeps the refresh token of a browser in a cookie, for a client that asks for it. A script of the page cannot read the
// cookie (HttpOnly), other sites cannot make the browser send it (SameSite, RFC 6265bis 5.5.7.1), and it is sent to the routes
// below /auth only. As a browser sends it by itself, those routes accept it only from the pages of their own origin.

// refreshCookie is the name of the cookie.
const refreshCookie = "taskwire_refresh"

// errForeign is the answer to a request of another origin with the cookie.
var errForeign = &httpx.Error{Code: httpx.CodeForbidden, Message: "The cookie with the refresh token is accepted only from a page of this origin."}

// answerSession answers with the tokens of a session. With inCookie the refresh token is in the cookie and not in the body.
func answerSession(c *gin.Context, status int, s accounts.Session, inCookie bool) {
	if inCookie {
		setRefreshCookie(c, s.RefreshToken, int(accounts.RefreshLifetime.Seconds()))
		s.RefreshToken = ""
	}
	c.JSON(status, s)
}

// clearRefreshCookie makes the browser forget the refresh token.
func clearRefreshCookie(c *gin.Context) { setRefreshCookie(c, "", -1) }

func setRefreshCookie(c *gin.Context, value string, maxAge int) {
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // G124: over plain HTTP, as on one machine, a browser would drop a Secure cookie
		Name: refreshCookie, Value: value, Path: strings.TrimSuffix(authRoutes, "/"), MaxAge: maxAge,
		HttpOnly: true, Secure: httpx.Encrypted(c), SameSite: http.SameSiteStrictMode,
	})
}

// refreshToken reads the refresh token of a request: that of the body or, if it has none, that of the cookie.
func refreshToken(c *gin.Context) (token string, inCookie bool, err error) {
	var body api.RefreshToken
	if c.Request.ContentLength == 0 {
		err = httpx.NoQuery(c)
	} else {
		err = readBody(c, &body)
	}
	if err != nil {
		return "", false, err
	}
	if body.RefreshToken != "" {
		return body.RefreshToken, false, nil
	}
	cookie, err := c.Request.Cookie(refreshCookie)
	if err != nil {
		return "", false, httpx.Invalid("refresh_token", "is missing, and there is no cookie with it")
	}
	if !sameOrigin(c) {
		return "", false, errForeign
	}
	return cookie.Value, true, nil
}

// wantsCookie reports whether the client asks for the cookie. It refuses a request that another site made a browser send: that
// could log the user in to an account that is not theirs. A client that is not a browser sends neither header.
func wantsCookie(c *gin.Context, asked *bool) (bool, error) {
	if asked == nil || !*asked {
		return false, nil
	}
	if c.GetHeader("Sec-Fetch-Site") == "" && c.GetHeader("Origin") == "" || sameOrigin(c) {
		return true, nil
	}
	return false, errForeign
}

// sameOrigin reports whether the request comes from a page of this origin: by the browser's word (Fetch Metadata, which a script
// cannot set) or, for browsers without it, because Origin (RFC 6454) has the host of the request, and not a less secure scheme.
func sameOrigin(c *gin.Context) bool {
	if site := c.GetHeader("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(c.GetHeader("Origin"))
	if err != nil || origin.Host == "" || !strings.EqualFold(origin.Host, c.Request.Host) {
		return false
	}
	return origin.Scheme == "https" || origin.Scheme == "http" && !httpx.Encrypted(c)
}
