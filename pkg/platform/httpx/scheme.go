package httpx

import (
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/address"
)

// Encrypted reports whether the client's connection uses TLS: that of the request or, behind a trusted proxy, the one that the
// proxy reports (X-Forwarded-Proto). The header of anybody else does not count.
func Encrypted(c *gin.Context) bool {
	if c.Request.TLS != nil {
		return true
	}
	proxies, _ := c.Value(proxiesKey).(address.Proxies)
	if !proxies.Trusts(address.Of(c.Request.RemoteAddr)) {
		return false
	}
	scheme, _, _ := strings.Cut(c.GetHeader("X-Forwarded-Proto"), ",") // the first proxy's is that of the client
	return strings.EqualFold(strings.TrimSpace(scheme), "https")
}
