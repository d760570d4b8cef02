package service

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// retryMigrating is the Retry-After of a request that comes before the migration is done. Most migrations take less
// than a second.
const retryMigrating = 2 * time.Second

// stateNotMigrated is the state of the database in the document of /readyz until it is migrated.
const stateNotMigrated = "not migrated yet"

// ErrMigrating says that the database is not migrated yet.
var ErrMigrating = errors.New("the database is not migrated yet")

// MigrationGate holds requests and background work back until the service's database is migrated. Package database
// makes it, so that a service without a database links none.
type MigrationGate struct {
	ping  func(ctx context.Context) error
	await func(ctx context.Context) error
	open  chan struct{} // closed when the database is migrated
}

// NewMigrationGate makes a closed gate. await waits until another process has migrated the database, also while the
// database is away. ping reports whether the database answers.
func NewMigrationGate(ping, await func(ctx context.Context) error) *MigrationGate {
	return &MigrationGate{ping: ping, await: await, open: make(chan struct{})}
}

// AwaitMigration waits until the database is migrated, however long that takes, and opens the gate. It is called once.
// It returns nil when ctx ends first, and an error when waiting cannot help.
func (g *MigrationGate) AwaitMigration(ctx context.Context) error {
	if err := g.await(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the service was stopped while it waited
		}
		return err
	}
	close(g.open)
	return nil
}

// AfterMigration returns a function that waits for the gate and then runs work. The function returns nil when ctx ends
// first.
func (g *MigrationGate) AfterMigration(ctx context.Context, work func(ctx context.Context) error) func() error {
	return func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-g.open:
			return work(ctx)
		}
	}
}

// Ready returns nil when the database is migrated and answers. Of a database that answers and is not migrated, /readyz
// says so.
func (g *MigrationGate) Ready(ctx context.Context) error {
	if err := g.ping(ctx); err != nil || g.migrated() {
		return err
	}
	return &httpx.StateError{State: stateNotMigrated, Err: ErrMigrating}
}

func (g *MigrationGate) migrated() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}

// requireMigrated answers requests of the public side with 503 until the database is migrated.
func (g *MigrationGate) requireMigrated(c *gin.Context) {
	if !g.migrated() {
		httpx.WriteError(c, httpx.Unavailable("The service is starting. Try again.", retryMigrating, ErrMigrating))
	}
}

// holdDeliveries answers requests of the Dapr side with 503 until the database is migrated, so that the sidecar sends
// them again. It lets pass the paths in exempt and what daprd asks about the app itself: its health, its configuration
// and, with OPTIONS, its bindings.
func (g *MigrationGate) holdDeliveries(next http.Handler, exempt []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		aboutTheApp := r.Method == http.MethodOptions || path == "/healthz" || strings.HasPrefix(path, "/dapr/")
		if aboutTheApp || slices.Contains(exempt, path) || g.migrated() {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(retryMigrating.Seconds())))
		http.Error(w, ErrMigrating.Error(), http.StatusServiceUnavailable)
	})
}
