package httpapi

import (
	"embed"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// This file serves the pages for people, the API document and the public keys.

//go:embed static
var static embed.FS

// pagePolicy is the Content-Security-Policy of the pages: they load files of this server only.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages maps a path to its file.
var pages = map[string]struct{ file, mediaType string }{
	"/":                {"index.html", "text/html; charset=utf-8"},
	"/docs":            {"docs.html", "text/html; charset=utf-8"},
	"/docs/account":    {"account.html", "text/html; charset=utf-8"},
	"/docs/account.js": {"account.js", "text/javascript; charset=utf-8"},
	"/docs/docs.js":    {"docs.js", "text/javascript; charset=utf-8"},
	"/docs/style.css":  {"style.css", "text/css; charset=utf-8"},
}

// page handles GET /, /docs and /docs/account, where the links in mails lead, and the files that these pages load.
func (h *handlers) page(c *gin.Context) error {
	p, ok := pages[strings.TrimSuffix(c.Request.URL.Path, "/")]
	if c.Request.URL.Path == "/" {
		p, ok = pages["/"]
	}
	if !ok {
		return httpx.NotFound("There is nothing at this address.")
	}
	body, err := static.ReadFile("static/" + p.file)
	if err != nil {
		return httpx.Internal(err)
	}
	c.Header("Content-Security-Policy", pagePolicy)
	c.Data(http.StatusOK, p.mediaType, body)
	return nil
}

// openAPI handles GET /openapi.json.
func (h *handlers) openAPI(c *gin.Context) error {
	c.Data(http.StatusOK, "application/json", h.OpenAPI)
	return nil
}

// jwks handles GET /.well-known/jwks.json (RFC 7517): the public keys of access tokens.
func (h *handlers) jwks(c *gin.Context) error {
	c.Header("Cache-Control", "public, max-age=300") // a verifier that finds an unknown key fetches the set at once
	c.Data(http.StatusOK, "application/jwk-set+json", h.JWKS())
	return nil
}
