package edge

import (
	"net"
	"net/http"
	"strings"
)

// Config is what differs between servers.
type Config struct {
	Handler  http.Handler
	Patience Patience
	// Pace returns the pace of a request's body. Without it, all have Patience.Body.
	Pace func(r *http.Request) Pace
	// MaxHeaderBytes bounds the request line and the headers.
	MaxHeaderBytes int
}

// NewServer returns a server that keeps the promises of this package on a listener that Limit has made.
func NewServer(cfg Config) *http.Server {
	return &http.Server{
		Handler:           Handler(cfg),
		ReadHeaderTimeout: cfg.Patience.Header,
		IdleTimeout:       cfg.Patience.Idle,
		MaxHeaderBytes:    cfg.MaxHeaderBytes,
		ConnContext:       withConn,
		ConnState: func(c net.Conn, state http.ConnState) {
			own, ok := c.(*conn)
			switch {
			case !ok:
			case state == http.StateHijacked:
				own.upgraded()
			case state == http.StateIdle && own.over.Load(): // the answer is sent
				_ = own.Close() // nobody waits for it any more
			}
		},
	}
}

// Handler puts the time limits of bodies and answers around cfg.Handler.
func Handler(cfg Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := connOf(r.Context())
		if conn != nil && conn.over.Load() {
			panic(http.ErrAbortHandler) // it is a part of the body of the last request, from net/http's buffer
		}
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w), wait: cfg.Patience}
		if r.Body != nil && r.Body != http.NoBody {
			pace := cfg.Patience.Body
			if cfg.Pace != nil {
				pace = cfg.Pace(r)
			}
			a.body = &body{
				ReadCloser: r.Body, control: a.control, pace: pace, drain: cfg.Patience.Drain,
				invited: strings.EqualFold(r.Header.Get("Expect"), "100-continue"),
			}
			r.Body = a.body
		}
		cfg.Handler.ServeHTTP(a, r) // a panic ends the connection
		a.end(conn)
	})
}
