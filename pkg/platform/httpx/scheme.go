package httpx

import (
	"strings"

	"github.com/gin-gonic/gin"
)

// Encrypted reports whether the client's connection uses TLS: that of the request or, behind a trusted proxy, the one that the
// proxy reports (X-Forwarded-Proto). The header of anybody else does not count.
func Encrypted(c *gin.Context) bool {
	if c.Request.TLS != nil {
		return true
	}
	written := c.Request.Header.Values("X-Forwarded-Proto")
	if len(written) == 0 || !fromProxy(c) {
		return false
	}
	last := written[len(written)-1]
	return strings.EqualFold(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]), "https")
}
