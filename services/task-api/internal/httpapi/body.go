package httpapi

import (
	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// readBody decodes the body of a route that has no parameters.
func readBody(c *gin.Context, dst any) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	return httpx.DecodeJSON(c, dst)
}
