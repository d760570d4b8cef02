package httpx

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/origin"
)

// This file decides what pages of other hosts may do (CORS, the Fetch standard, section 3.2). The services answer, not the
// gateway, so that the rule is the same behind each of the three gateways.

const (
	// preflightAge is how long a browser may reuse a preflight: the longest time that every browser accepts (Chromium).
	preflightAge = 2 * time.Hour
	// requestHeaders are the headers of requests that the API reads and that a page needs leave to send.
	requestHeaders = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Traceparent, Tracestate"
	// exposedHeaders are the headers of answers that a page needs leave to read.
	exposedHeaders = "Accept, Accept-Patch, Allow, Content-Disposition, ETag, Idempotency-Replayed, Link, Location, Retry-After, WWW-Authenticate"
)

// crossOrigin lets pages of the allowed origins read answers, and answers their preflights. A token is the only credential
// and a page sends it itself, so Access-Control-Allow-Credentials is never sent. A preflight of another origin is refused
// with 403. Any other request is served without regard to its origin: a page of this host sends one too, and the browser
// keeps the answer from a page that is not allowed.
func crossOrigin(allowed origin.Set) gin.HandlerFunc {
	if allowed.Empty() {
		return func(c *gin.Context) { c.Next() }
	}
	return func(c *gin.Context) {
		from, h := c.GetHeader("Origin"), c.Writer.Header()
		h.Add("Vary", "Origin") // also without Origin: a cache must not give that answer to a page
		preflight := c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != ""
		switch {
		case from == "":
		case !allowed.Has(from):
			if preflight {
				WriteError(c, Forbidden("Pages of this origin may not use the API."))
				return
			}
		default:
			if allowed.Any() {
				from = "*"
			}
			h.Set("Access-Control-Allow-Origin", from)
			if preflight {
				answerPreflight(c)
				return
			}
			h.Set("Access-Control-Expose-Headers", exposedHeaders)
		}
		c.Next()
	}
}

// answerPreflight answers 204 with the methods of the route. For an address without routes it leaves the answer, 404, to the
// engine.
func answerPreflight(c *gin.Context) {
	h := c.Writer.Header()
	methods := h.Get("Allow") // gin has set it, because no route has OPTIONS
	if methods == "" {
		c.Next()
		return
	}
	h.Add("Vary", "Access-Control-Request-Method")
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", requestHeaders)
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(preflightAge.Seconds())))
	c.AbortWithStatus(http.StatusNoContent)
}

// varyOn adds a header to Vary, once.
func varyOn(h http.Header, name string) {
	for _, v := range h.Values("Vary") {
		if strings.EqualFold(v, name) {
			return
		}
	}
	h.Add("Vary", name)
}
