package httpapi_test

import (
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/services/websocket/internal/httpapi"
	"github.com/taskwire/taskwire/testkit/apitest"
)

func TestTheDocumentHasTheRouteAndNoOthers(t *testing.T) {
	t.Parallel()
	engine := gin.New()
	httpapi.Register(engine, httpapi.Config{})
	var routes []string
	for _, route := range engine.Routes() {
		routes = append(routes, route.Method+" "+route.Path)
	}
	apitest.File(t, "../../../task-api/api/openapi.yaml").CheckRoutes(t, "websocket", routes)
}
