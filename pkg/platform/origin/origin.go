// Package origin reads ALLOWED_ORIGINS: the pages of other hosts that may use the API and the WebSocket.
//
// Promises: an origin is compared as browsers write it (RFC 6454, section 6.2), without regard to case and to the default
// port of its scheme. Nothing but an origin of the list, or *, is allowed; "null", which sandboxed pages send, needs *.
package origin

import (
	"fmt"
	"net/url"
	"strings"
)

// Set is a set of origins. The zero value has none.
type Set struct {
	any   bool
	exact map[string]bool
}

// Parse reads origins such as https://app.example.com, or * for every page. The error names the entry that is not an origin.
func Parse(allowed []string) (Set, error) {
	s := Set{exact: map[string]bool{}}
	for _, entry := range allowed {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		if entry == "*" {
			s.any = true
			continue
		}
		u, err := url.Parse(entry)
		if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" ||
			u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.Contains(u.Host, "*") {
			return Set{}, fmt.Errorf("%q is not an origin such as https://app.example.com", entry)
		}
		s.exact[serialized(u)] = true
	}
	return s, nil
}

// Empty reports whether no origin is allowed.
func (s Set) Empty() bool { return !s.any && len(s.exact) == 0 }

// Any reports whether every origin is allowed.
func (s Set) Any() bool { return s.any }

// Has reports whether the value of an Origin header is allowed.
func (s Set) Has(header string) bool {
	if s.any {
		return true
	}
	u, err := url.Parse(header)
	return err == nil && u.Host != "" && s.exact[serialized(u)]
}

// serialized returns scheme, host and port in one spelling.
func serialized(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.ToLower(u.Scheme) + "://" + host
}
