package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Origins decides which pages may open a connection.
type Origins struct {
	any   bool
	exact map[string]bool // scheme://host[:port], lower case
}

// NewOrigins reads ALLOWED_ORIGINS: origins such as https://app.example.com, or * for every page. Without any, only pages
// of the same host may connect. The error names the entry that is not an origin.
func NewOrigins(allowed []string) (Origins, error) {
	o := Origins{exact: map[string]bool{}}
	for _, entry := range allowed {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		if entry == "*" {
			o.any = true
			continue
		}
		u, err := url.Parse(entry)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			return o, fmt.Errorf("ALLOWED_ORIGINS: %q is not an origin such as https://app.example.com", entry)
		}
		o.exact[strings.ToLower(u.Scheme+"://"+u.Host)] = true
	}
	return o, nil
}

// allow reports whether the request may become a connection. A request without Origin does not come from a page, so no
// other site can have caused it. X-Forwarded-Host counts as the host too: the gateway sets it, and a page cannot set
// headers on a handshake.
func (o Origins) allow(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || o.any {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if o.exact[strings.ToLower(u.Scheme+"://"+u.Host)] {
		return true
	}
	return strings.EqualFold(u.Host, r.Host) || strings.EqualFold(u.Host, r.Header.Get("X-Forwarded-Host"))
}
