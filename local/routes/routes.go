// Package routes is the one table of Taskwire's public routes and of the limits in front of them. Three proxies obey it:
// the local gateway (package gateway) reads it, and Compose's Caddyfile and Kubernetes' Ingress are generated from it.
//
// Promises: a path leads to the same app behind each of the three; a path of the inside leads nowhere; a limit has one
// value. ADR 0019 says which limits an Ingress cannot hold and who holds them there.
package routes

import (
	"path"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/edge"
)

//go:generate go run ./gen ../..

// Route leads a path, and every path below it, to an app.
type Route struct {
	Prefix string
	App    string
}

// Public is the map of the one origin. The first route that covers a path counts. The task API also serves the page, the
// API document (/docs) and the key set (/.well-known/jwks.json), so it gets the rest.
var Public = []Route{
	{"/api/v1/audit", apps.Audit},
	{"/api/v1/notifications", apps.Notification},
	{"/api/v1/preferences", apps.Notification},
	{"/ws", apps.WebSocket},
	{"/", apps.TaskAPI},
}

// Hidden paths are of the inside: the routes of the Dapr side, which the apps' public ports do not serve either, and the
// ones for operators, which they do serve.
var Hidden = []string{"/internal", "/events", "/reminder-cron", "/dapr", "/metrics", "/debug"}

// The paths that the local gateway and Compose's proxy answer themselves.
const (
	// HealthPath says that the proxy itself runs.
	HealthPath = "/healthz"
	// ReadyPath says which parts are ready. Only the local gateway knows; Compose hides the path, and in Kubernetes the
	// kubelet asks each pod.
	ReadyPath = "/readyz"
)

// ImportPath is answered while its request is still being sent. A proxy must not hold back the one for the other.
const ImportPath = "/api/v1/import"

// The limits. There is none on the length of a body: the apps bound bodies themselves, route by route.
const (
	// ReadHeaderTimeout is enough for the slowest honest client, and little for one that only holds connections.
	ReadHeaderTimeout = 10 * time.Second
	// IdleTimeout is longer than the pauses of a person who reads a page.
	IdleTimeout = 2 * time.Minute
	// BodyTimeout is for a proxy that bounds the time of a whole body, and not its pace as the local gateway and the apps do
	// (pkg/platform/edge).
	BodyTimeout = 30 * time.Second
	// ImportStall and ImportRate are the pace of the body of an import. The task API asks for 30 s and 1 KiB/s; its answer
	// must come first.
	ImportStall = 35 * time.Second
	ImportRate  = 512
	// ImportTimeout is for a proxy that bounds the time of a whole body. The task API ends an import after 15 minutes.
	ImportTimeout = 16 * time.Minute
	// WholeAnswerTimeout is for a proxy that bounds the time of a whole answer. The longest export takes minutes.
	WholeAnswerTimeout = time.Hour
	// MaxPerAddress bounds the connections of one address. It is enough for 80 browsers behind it, which hold about six each.
	// Upgraded connections do not count.
	MaxPerAddress = edge.DefaultPerAddress
	// MaxSocketsPerAddress is for a proxy that counts upgraded connections. The websocket service counts them as well.
	MaxSocketsPerAddress = 5000
	// MaxConnections bounds all connections of a proxy: those of HTTP, and the 20,000 WebSockets that one process holds.
	MaxConnections = edge.DefaultTotal + 20_000
	// MaxHeaderKiB holds the tokens and cookies in use here several times over.
	MaxHeaderKiB = 64
	// DialTimeout lets a lost packet be sent again twice, which Linux does after 1 s and 3 s.
	DialTimeout = 3 * time.Second
	// AnswerTimeout bounds the wait for the first byte of an answer. It is above the 60 s that the apps take at most
	// (pkg/platform/httpx), so the app's own answer comes first.
	AnswerTimeout = 65 * time.Second
	// UpstreamIdleTimeout is shorter than the time after which the apps close an idle connection, so no request is sent
	// into a connection that is being closed.
	UpstreamIdleTimeout = 30 * time.Second
	// SocketSilence is for a proxy that limits silence on a WebSocket. The app pings every 25 s and gives a silent peer
	// up after 60 s, so the app ends a connection and not the proxy.
	SocketSilence = 90 * time.Second
	// RetryAfter is what a proxy says in the header of that name: a part that ended is back within about a second.
	RetryAfter = time.Second
)

// StrictTransport is the Strict-Transport-Security of a proxy that ends TLS (RFC 6797). The services send the same behind one.
const StrictTransport = "max-age=31536000"

// InsideHeaders belong to the Dapr side. Proxies that can drop them from a request do; the public ports ignore them.
var InsideHeaders = []string{"Dapr-Api-Token", "Dapr-App-Id", "Dapr-Caller-App-Id"}

// App returns the app that a decoded path leads to, "" where nothing is served. A path that can be read in two ways
// ("//metrics", "/api/../metrics") is refused: the proxy and the app might not read it alike.
func App(p string) string {
	if clean := path.Clean(p); p == "" || p[0] != '/' || (clean != p && clean+"/" != p) {
		return ""
	}
	for _, h := range Hidden {
		if covers(h, p) {
			return ""
		}
	}
	for _, r := range Public {
		if covers(r.Prefix, p) {
			return r.App
		}
	}
	return ""
}

// covers reports whether p is prefix or lies below it.
func covers(prefix, p string) bool {
	if prefix == "/" {
		return true
	}
	rest, ok := strings.CutPrefix(p, prefix)
	return ok && (rest == "" || rest[0] == '/')
}
