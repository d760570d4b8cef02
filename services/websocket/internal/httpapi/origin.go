package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/taskwire/taskwire/pkg/platform/origin"
)

// Origins decides which pages may open a connection.
type Origins struct{ allowed origin.Set }

// NewOrigins reads ALLOWED_ORIGINS: origins such as https://app.example.com, or * for every page. Without any, only pages
// of the same host may connect. The error names the entry that is not an origin.
func NewOrigins(allowed []string) (Origins, error) {
	set, err := origin.Parse(allowed)
	if err != nil {
		return Origins{}, fmt.Errorf("ALLOWED_ORIGINS: %w", err)
	}
	return Origins{set}, nil
}

// allow reports whether the request may become a connection. A request without Origin does not come from a page, so no
// other site can have caused it. X-Forwarded-Host counts as the host too: the gateway sets it, and a page cannot set
// headers on a handshake.
func (o Origins) allow(r *http.Request) bool {
	from := r.Header.Get("Origin")
	if from == "" || o.allowed.Has(from) {
		return true
	}
	u, err := url.Parse(from)
	if err != nil || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) || strings.EqualFold(u.Host, r.Header.Get("X-Forwarded-Host"))
}
