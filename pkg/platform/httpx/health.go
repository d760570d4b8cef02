package httpx

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds all checks of one /readyz together; a probe usually waits for a second or two.
const readyTimeout = 2 * time.Second

// Health adds /healthz (the process runs), /readyz (200 when every part in ready answers nil, else 503; which part is
// in the document) and /metrics. It is told the parts by name; their errors are not shown.
func Health(engine *gin.Engine, ready map[string]func(ctx context.Context) error, reg prometheus.Gatherer) {
	engine.GET("/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	engine.GET("/readyz", func(c *gin.Context) {
		parts := check(c.Request.Context(), ready)
		status, word := http.StatusOK, "ready"
		for _, state := range parts {
			if state != "ok" {
				status, word = http.StatusServiceUnavailable, "unavailable"
			}
		}
		c.JSON(status, gin.H{"status": word, "parts": parts})
	})
	engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(reg, promhttp.HandlerOpts{})))
}

func check(ctx context.Context, ready map[string]func(ctx context.Context) error) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	parts := make(map[string]string, len(ready))
	for name, ok := range ready {
		wg.Go(func() {
			state := "ok"
			if ok(ctx) != nil {
				state = "unavailable"
			}
			mu.Lock()
			defer mu.Unlock()
			parts[name] = state
		})
	}
	wg.Wait()
	return parts
}
