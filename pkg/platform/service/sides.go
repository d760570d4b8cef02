package service

import (
	"context"
	"maps"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/edge"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
)

// PublicConfig is what differs between the public sides of the services. Its zero value is usual.
type PublicConfig struct {
	BodyLimits map[string]int64                           // bytes by route; see httpx.Config
	Ready      map[string]func(ctx context.Context) error // parts of /readyz other than the sidecar, the database and the ended sessions
	Upgraded   int                                        // upgraded connections (WebSocket) that the service holds at most
}

// PublicEngine makes the engine of the public side: /healthz, /readyz, /metrics and then, for a service with a
// database, the migration gate. All routes that are added to it are behind the gate.
func (s *Service) PublicEngine(cfg PublicConfig) *gin.Engine {
	s.built, s.upgraded = true, cfg.Upgraded
	engine := httpx.NewEngine(httpx.Config{
		Service: s.app, Log: s.Log, Registerer: s.Metrics, BodyLimits: cfg.BodyLimits, TrustedProxies: s.cfg.TrustedProxies,
		Origins: s.origins, MaxInFlight: edge.DefaultPerAddress,
	})
	ready := map[string]func(context.Context) error{"sidecar": s.Sidecar.Ready}
	if s.gate != nil {
		ready["database"] = s.gate.Ready
	}
	if s.access != nil {
		ready["sessions"] = s.access.Revocations.Ready
	}
	maps.Copy(ready, cfg.Ready)
	httpx.Health(engine, ready, s.Metrics)
	if s.gate != nil {
		engine.Use(s.gate.requireMigrated)
	}
	return engine
}

// DaprSide makes the server of the Dapr side. For a service with a database its /healthz reports whether the database
// can be used, so that the sidecar holds deliveries back.
func (s *Service) DaprSide() *subscribe.Server {
	s.built = true
	cfg := subscribe.Config{
		Token: s.cfg.AppAPIToken, Log: s.Log, Registerer: s.Metrics, DeadLetter: s.Sidecar, Consumer: s.app,
	}
	if s.gate != nil {
		cfg.Health = s.gate.Ready
	}
	server := subscribe.New(cfg)
	if s.access != nil {
		s.access.feed.Subscribe(server)
	}
	return server
}

// ServePublic serves the public side until ctx ends. It bounds the connections of an address that is not a trusted proxy's,
// and those of all addresses together.
func (s *Service) ServePublic(ctx context.Context, engine http.Handler) error {
	limits := edge.Limits{PerAddress: edge.DefaultPerAddress, Total: edge.DefaultTotal + s.upgraded, Exempt: s.proxies, Log: s.Log}
	return httpx.ServeLimited(ctx, s.listeners.public, limits, engine, s.Log, s.cfg.ShutdownTimeout)
}

// ServeDapr serves the Dapr side until ctx ends. Until the database is migrated it answers 503 and acknowledges nothing,
// but for the paths that need no database.
func (s *Service) ServeDapr(ctx context.Context, server *subscribe.Server, withoutDatabase ...string) error {
	handler := server.Handler()
	if s.gate != nil {
		handler = s.gate.holdDeliveries(handler, withoutDatabase)
	}
	return httpx.ServeListener(ctx, s.listeners.app, handler, s.Log, s.cfg.ShutdownTimeout)
}

// UseGate puts a database's migration gate before both sides. Package database calls it. It panics when a side was made
// before, because that side would have no gate.
func (s *Service) UseGate(gate *MigrationGate) {
	if s.built {
		panic("service: open the database before PublicEngine and DaprSide")
	}
	s.gate = gate
}
