// Package subscribe is a service's Dapr side.
package subscribe

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

// ErrPoison is wrapped by a handler's error when the event can never succeed: it is dead-lettered at once.
var ErrPoison = errors.New("poison event")

// MaxAttempts is how often one event may fail for a reason that is not transient, in this process.
const MaxAttempts = 10

// Publisher is the Dapr client's part that sends a dead letter.
type Publisher interface {
	PublishEvent(ctx context.Context, topic string, m outbox.Message) error
}

// Config is what a Server needs.
type Config struct {
	Token          string
	Log            *slog.Logger
	Registerer     prometheus.Registerer
	DeadLetter     Publisher
	Consumer       string
	BodyLimit      int64
	HandlerTimeout time.Duration
	Health         func(ctx context.Context) error
}

// Delivery is one delivery as it came.
type Delivery struct {
	Raw          []byte // the event's own JSON as received, byte for byte
	Topic        string
	CloudEventID string
	TraceParent  string
}

// Server is the Dapr side's engine.
type Server struct{ engine *gin.Engine }

// New makes a server.
func New(cfg Config) *Server { return &Server{engine: gin.New()} }

// Handle takes the deliveries of topic at POST /events/<topic>.
func Handle[E any](s *Server, topic string, decode func([]byte) (E, error), fn func(ctx context.Context, e E, d Delivery) error) {
}

// Binding takes the calls of the input binding at POST /<name>.
func (s *Server) Binding(name string, fn func(ctx context.Context) error) {}

// Invoke takes service invocations.
func (s *Server) Invoke(method, path string, h func(*gin.Context) error) {}

// Handler is the server's HTTP handler.
func (s *Server) Handler() http.Handler { return s.engine }
