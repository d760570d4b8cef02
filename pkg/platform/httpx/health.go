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

// readyTimeout bounds all checks of one /readyz together; a probe usually waits for a second or two.
const readyTimeout = 2 * time.Second

// Health adds /healthz (the process runs), /readyz (200 when every part in ready answers nil, else 503; which part is
// in the document) and, with a gatherer, /metrics. It is told the parts by name; their errors are in the log, once for
// each time that a part goes away, and are not shown.
func Health(engine *gin.Engine, ready map[string]func(ctx context.Context) error, reg prometheus.Gatherer) {
	parts := make([]*part, 0, len(ready))
	for name, ok := range ready {
		parts = append(parts, &part{name: name, ok: ok})
	}
	engine.GET("/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	engine.GET("/readyz", func(c *gin.Context) {
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
		engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(reg, promhttp.HandlerOpts{})))
	}
}

const (
	partOK   = "ok"
	partAway = "unavailable"
)

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

// check asks the part and logs when its state has changed.
func (p *part) check(ctx context.Context, log *slog.Logger) string {
	err := func() (err error) {
		defer func() { // in a goroutine of its own, where a panic would end the process
			if v := recover(); v != nil {
				err = fmt.Errorf("panic: %v", v)
			}
		}()
		return p.ok(ctx)
	}()
	if err == nil {
		if p.away.Swap(false) {
			log.InfoContext(ctx, "a part is there again", "part", p.name)
		}
		return partOK
	}
	if !errors.Is(ctx.Err(), context.Canceled) && !p.away.Swap(true) { // else the prober left, and nothing is known
		log.WarnContext(ctx, "a part is not available", "part", p.name, "error", err.Error())
	}
	return partAway
}
