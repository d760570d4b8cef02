package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/websocket/internal/socket"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

const (
	// readBuffer is a connection's share of memory for reading; a client's frames are short, and longer ones take turns.
	readBuffer = 1024
	// writeBuffer is in a pool: only a connection that writes holds one.
	writeBuffer = 4096
	// handshakeTimeout bounds the answer to the handshake.
	handshakeTimeout = 5 * time.Second
	// retryFull is what a refused client is asked to wait.
	retryFull = 10 * time.Second
)

// Config is what the route needs.
type Config struct {
	Hub      Hub
	Pool     *socket.Pool
	Verifier Verifier
	Origins  Origins
	AuthWait time.Duration // from the handshake to the auth frame
	Log      *slog.Logger
}

type handler struct {
	Config
	upgrader *websocket.Upgrader
}

// Routes adds /ws to engine.
func Routes(engine *gin.Engine, cfg Config) {
	h := &handler{Config: cfg}
	h.upgrader = &websocket.Upgrader{
		HandshakeTimeout: handshakeTimeout, ReadBufferSize: readBuffer, WriteBufferSize: writeBuffer, WriteBufferPool: &sync.Pool{},
		Subprotocols: []string{wire.Subprotocol},
		CheckOrigin:  func(*http.Request) bool { return true }, // open has checked it
		Error:        func(http.ResponseWriter, *http.Request, int, error) {},
	}
	engine.GET("/ws", httpx.Wrap(h.open))
}

// open handles GET /ws: the handshake. The connection lives on in a goroutine of its own; this one, with all that the
// server keeps for a request, ends.
func (h *handler) open(c *gin.Context) error {
	switch {
	case !h.Origins.allow(c.Request):
		return httpx.Forbidden("Pages of this origin may not connect.")
	case !websocket.IsWebSocketUpgrade(c.Request):
		return httpx.Invalid("Upgrade", "this route answers WebSocket handshakes only")
	case !offers(c.Request, wire.Subprotocol):
		return httpx.Invalid("Sec-WebSocket-Protocol", "has to offer "+wire.Subprotocol)
	}
	if err := h.Pool.Admit(); err != nil {
		return httpx.Unavailable("There is no room for another connection now.", retryFull, err)
	}
	ws, err := h.upgrader.Upgrade(c.Writer, c.Request, nil)
	if err != nil {
		h.Pool.Dismiss()
		var handshake websocket.HandshakeError
		if errors.As(err, &handshake) {
			return httpx.Invalid("Upgrade", "is not a valid WebSocket handshake")
		}
		h.Log.DebugContext(c.Request.Context(), "handshake failed", "error", err)
		return nil // the connection is hijacked or gone: there is nobody to answer
	}
	s := &session{handler: h, conn: h.Pool.Adopt(ws)}
	go s.run()
	return nil
}

func offers(r *http.Request, protocol string) bool {
	for _, offered := range websocket.Subprotocols(r) {
		if offered == protocol {
			return true
		}
	}
	return false
}
