package gateway

import (
	"path"
	"strings"
)

// The upstreams, by the names of the services.
const (
	TaskAPI      = "task-api"
	Audit        = "audit"
	Notification = "notification"
	WebSocket    = "websocket"
)

// route sends a path, and everything below it, to an upstream.
type route struct {
	prefix   string
	upstream string
}

// routes is design section 1 and 6; the first that fits counts. The task API serves the rest of the API, the key set
// (/.well-known/jwks.json), the API document (/docs) and the page.
var routes = []route{
	{"/api/v1/audit", Audit},
	{"/api/v1/notifications", Notification},
	{"/api/v1/preferences", Notification},
	{"/ws", WebSocket},
	{"/", TaskAPI},
}

// importPath answers while it still reads.
const importPath = "/api/v1/import"

// hidden paths are of the inside: the Dapr side's routes, which the upstreams' public ports do not serve either, and
// what they serve for operators.
var hidden = []string{"/internal", "/events", "/reminder-cron", "/dapr", "/metrics", "/debug"}

// upstreamOf finds the upstream of a decoded path; "" where the gateway serves nothing there.
func upstreamOf(p string) string {
	// A path that does not say where it leads ("//metrics", "/api/../metrics") is refused, not interpreted: what the
	// gateway and an upstream understand by it must not differ.
	if clean := path.Clean(p); p == "" || p[0] != '/' || (clean != p && clean+"/" != p) {
		return ""
	}
	for _, h := range hidden {
		if under(p, h) {
			return ""
		}
	}
	for _, r := range routes {
		if under(p, r.prefix) {
			return r.upstream
		}
	}
	return ""
}

// under says whether p is prefix or lies below it.
func under(p, prefix string) bool {
	if prefix == "/" {
		return true
	}
	rest, ok := strings.CutPrefix(p, prefix)
	return ok && (rest == "" || rest[0] == '/')
}
