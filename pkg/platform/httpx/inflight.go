package httpx

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/edge"
)

// retryInFlight is the Retry-After of a client that has too many requests at a time. Most requests end within it.
const retryInFlight = time.Second

// boundInFlight answers 429 to an address that has limit requests at a time. The proxy in front bounds connections, but one
// proxy's connections carry the requests of many clients, and not every proxy bounds them.
func boundInFlight(limit int, log *slog.Logger) gin.HandlerFunc {
	running, refusals := edge.NewCount(limit), edge.NewRefusals(log, "requests are refused")
	return func(c *gin.Context) {
		key := AddressKey(c)
		if !running.Take(key) {
			refusals.Add(key, http.StatusTooManyRequests, time.Now())
			WriteError(c, TooManyRequests("There are too many requests from your address at a time.", retryInFlight))
			return
		}
		defer running.Give(key)
		c.Next()
	}
}
