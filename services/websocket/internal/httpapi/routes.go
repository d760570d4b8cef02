package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/pkg/platform/edge"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/websocket/internal/socket"
)

// This file has the handshake: which requests become connections.

const (
	// readBuffer is memory that each connection holds. A client's frames are short; a longer one is read in parts.
	readBuffer = 1024
	// writeBuffer comes from a pool: only a connection that is being written to holds one.
	writeBuffer = 4096
	// handshakeTimeout bounds the answer to the handshake.
	handshakeTimeout = 5 * time.Second
	// retryFull is the Retry-After of a refused handshake.
	retryFull = 10 * time.Second
)

// Config is what the route needs.
type Config struct {
	Hub         Hub
	Pool        *socket.Pool
	Verifier    Verifier
	Sessions    Sessions
	Origins     Origins
	AuthWait    time.Duration // from the handshake to the auth frame
	WelcomeWait time.Duration // from an auth frame to its answer
	// PersonalLife is how long a personal API token keeps a connection before it must be sent again. It is shorter than the time
	// for which a revocation is remembered.
	PersonalLife time.Duration
	Log          *slog.Logger
}

type handler struct {
	Config
	upgrader *websocket.Upgrader
	refusals *edge.Refusals
}

// Register adds /ws to engine.
func Register(engine *gin.Engine, cfg Config) {
	h := &handler{Config: cfg, refusals: edge.NewRefusals(cfg.Log, "WebSockets are refused")}
	h.upgrader = &websocket.Upgrader{
		HandshakeTimeout: handshakeTimeout, ReadBufferSize: readBuffer, WriteBufferSize: writeBuffer, WriteBufferPool: &sync.Pool{},
		Subprotocols: []string{live.Subprotocol},
		CheckOrigin:  func(*http.Request) bool { return true }, // open has checked it
		Error:        func(http.ResponseWriter, *http.Request, int, error) {},
	}
	httpx.GET(engine, "/ws", httpx.Wrap(h.open))
}

// switching are the headers of a successful handshake: those that every answer has.
var switching = http.Header{"X-Content-Type-Options": {"nosniff"}}

// open handles GET /ws: the handshake. The connection continues in its own goroutine. The request's goroutine ends, with
// everything that the server holds for a request.
func (h *handler) open(c *gin.Context) error {
	switch {
	case !h.Origins.allow(c.Request):
		return httpx.Forbidden("Pages of this origin may not connect.")
	case !websocket.IsWebSocketUpgrade(c.Request):
		return httpx.Invalid("Upgrade", "this route answers WebSocket handshakes only")
	case !slices.Contains(websocket.Subprotocols(c.Request), live.Subprotocol):
		return httpx.Invalid("Sec-WebSocket-Protocol", "has to offer "+live.Subprotocol)
	}
	address := httpx.AddressKey(c)
	switch err := h.Pool.Reserve(address); {
	case errors.Is(err, socket.ErrAddress):
		h.refusals.Add(address, http.StatusTooManyRequests, time.Now())
		return httpx.TooManyRequests("There are too many connections from your address.", retryFull)
	case err != nil:
		if !errors.Is(err, socket.ErrDraining) { // a shutdown is nobody's flood
			h.refusals.Add(address, http.StatusServiceUnavailable, time.Now())
		}
		return httpx.Unavailable("The service accepts no further connection now.", retryFull, err)
	}
	ws, err := h.upgrader.Upgrade(h.Pool.CountFrames(c.Writer), c.Request, switching)
	if err != nil {
		h.Pool.Release(address)
		var handshake websocket.HandshakeError
		if errors.As(err, &handshake) {
			return httpx.Invalid("Upgrade", "is not a valid WebSocket handshake")
		}
		h.Log.DebugContext(c.Request.Context(), "handshake failed", "error", err)
		return nil // the connection is hijacked or gone: no answer can be sent
	}
	s := &session{handler: h, conn: h.Pool.Add(ws, address)}
	go s.run()
	return nil
}
