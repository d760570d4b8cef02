package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds all checks of one /readyz together. Probes usually wait for one or two seconds.
const readyTimeout = 2 * time.Second

// Health adds /healthz (200 while the process runs), /readyz and, with a gatherer, /metrics. /readyz is 200 when every
// function in ready returns nil, and 503 otherwise; its document names the state of each part. The error of a part is
// logged once, when the part becomes unavailable, and is not part of the document, but for the state of a StateError.
func Health(engine *gin.Engine, ready map[string]func(ctx context.Context) error, reg prometheus.Gatherer) {
	parts := make([]*part, 0, len(ready))
	for name, ok := range ready {
		parts = append(parts, &part{name: name, ok: ok})
	}
	GET(engine, "/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	GET(engine, "/readyz", func(c *gin.Context) {
		states := check(c, parts)
		status, word := http.StatusOK, "ready"
		for _, state := range states {
			if state != partOK {
				status, word = http.StatusServiceUnavailable, "unavailable"
			}
		}
		c.JSON(status, gin.H{"status": word, "parts": states})
	})
	if reg != nil {
		GET(engine, "/metrics", gin.WrapH(promhttp.HandlerFor(reg, promhttp.HandlerOpts{})))
	}
}

const (
	partOK   = "ok"
	partAway = "unavailable"
)

// StateError is the error of a part that is not ready in a way that an operator should see in the document of /readyz.
type StateError struct {
	State string // a fixed text of a few words
	Err   error
}

func (e *StateError) Error() string { return e.Err.Error() }
func (e *StateError) Unwrap() error { return e.Err }

// part is something that readiness depends on.
type part struct {
	name string
	ok   func(ctx context.Context) error
	away atomic.Bool // the last check failed
}

func check(c *gin.Context, parts []*part) map[string]string {
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	log := logOf(c)
	var mu sync.Mutex
	var wg sync.WaitGroup
	states := make(map[string]string, len(parts))
	for _, p := range parts {
		wg.Go(func() {
			state := p.check(ctx, log)
			mu.Lock()
			defer mu.Unlock()
			states[p.name] = state
		})
	}
	wg.Wait()
	return states
}

// check runs the check of the part and logs a change of its state.
func (p *part) check(ctx context.Context, log *slog.Logger) string {
	err := func() (err error) {
		defer func() { // a panic in this goroutine would end the process
			if v := recover(); v != nil {
				err = fmt.Errorf("panic: %v", v)
			}
		}()
		return p.ok(ctx)
	}()
	if err == nil {
		if p.away.Swap(false) {
			log.InfoContext(ctx, "a part is available again", "part", p.name)
		}
		return partOK
	}
	if !errors.Is(ctx.Err(), context.Canceled) && !p.away.Swap(true) { // a probe that was cancelled says nothing about the part
		log.WarnContext(ctx, "a part is not available", "part", p.name, "error", err.Error())
	}
	var named *StateError
	if errors.As(err, &named) {
		return named.State
	}
	return partAway
}
