package httpapi

import (
	"github.com/gin-gonic/gin"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// clientOf returns who sent the request.
func clientOf(c *gin.Context) accounts.Client {
	return accounts.NewClient(httpx.ClientAddress(c), c.Request.UserAgent())
}
