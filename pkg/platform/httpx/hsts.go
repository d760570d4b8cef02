package httpx

import (
	"strings"

	"github.com/gin-gonic/gin"
)

// strictTransport tells browsers to use HTTPS only, for a year (RFC 6797). It leaves the subdomains to the owner of the
// domain.
const strictTransport = "max-age=31536000"

// overTLS reports whether a trusted proxy took the request over TLS. Browsers must ignore the header of strictTransport on
// plain HTTP (RFC 6797, section 7.2), so it is not sent there.
func overTLS(c *gin.Context) bool {
	written := c.Request.Header.Values("X-Forwarded-Proto")
	if len(written) == 0 || !fromProxy(c) {
		return false
	}
	last := written[len(written)-1]
	return strings.EqualFold(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]), "https")
}
