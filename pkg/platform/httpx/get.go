package httpx

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// GET adds a route that is read: it answers GET, and HEAD with the same status and headers and without the body (RFC 9110,
// section 9.3.2). net/http leaves the body out. Every GET route of a service is added with it.
func GET(routes gin.IRoutes, path string, handlers ...gin.HandlerFunc) {
	routes.GET(path, handlers...)
	routes.HEAD(path, handlers...)
}

// Handle adds a route for a method, and for a GET its HEAD.
func Handle(routes gin.IRoutes, method, path string, handlers ...gin.HandlerFunc) {
	if method == http.MethodGet {
		GET(routes, path, handlers...)
		return
	}
	routes.Handle(method, path, handlers...)
}
