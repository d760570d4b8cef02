package httpx

import "github.com/gin-gonic/gin"

// Encrypted reports whether the client's connection uses TLS: that of the request or, behind a trusted proxy, the one that the
// proxy reports (X-Forwarded-Proto). The header of anybody else does not count.
func Encrypted(c *gin.Context) bool { return c.Request.TLS != nil || overTLS(c) }
