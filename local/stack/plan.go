// Which ports and tokens a run has.

package stack

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/taskwire/taskwire/local/ports"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// plan holds the ports and tokens of one run.
type plan struct {
	ports    *ports.Set
	gateway  int
	postgres int
	broker   int
	quorum   int // of the controller, where the broker is Apache Kafka
	sentry   sentryPlan
	apps     map[string]appPlan
}

// sentryPlan holds the ports of sentry.
type sentryPlan struct{ api, health, metrics int }

// appPlan holds the ports and tokens of a service and its sidecar.
type appPlan struct {
	public, app                                   int
	daprHTTP, daprGRPC, daprInternal, daprMetrics int
	appToken, daprToken                           string
}

func (a appPlan) service() []int { return []int{a.public, a.app} }
func (a appPlan) sidecar() []int {
	return []int{a.daprHTTP, a.daprGRPC, a.daprInternal, a.daprMetrics}
}

// newPlan reserves the ports. Port 0 means a free one for the gateway.
func newPlan(port int) (*plan, error) {
	p := &plan{ports: ports.NewSet(), gateway: port, apps: map[string]appPlan{}}
	if port != 0 {
		if err := p.ports.Reserve(port); err != nil {
			return nil, portError(port, err)
		}
	}
	var err error
	free := func() int {
		n, e := p.ports.Free()
		err = errors.Join(err, e)
		return n
	}
	if port == 0 {
		p.gateway = free()
	}
	p.postgres, p.broker, p.quorum = free(), free(), free()
	p.sentry = sentryPlan{api: free(), health: free(), metrics: free()}
	for _, app := range apps.All() {
		p.apps[app] = appPlan{
			public: free(), app: free(), daprHTTP: free(), daprGRPC: free(), daprInternal: free(), daprMetrics: free(),
			appToken: secretfile.NewToken(), daprToken: secretfile.NewToken(),
		}
	}
	if err != nil {
		p.ports.ReleaseAll()
		return nil, fmt.Errorf("choose ports: %w", err)
	}
	return p, nil
}

// of returns the ports of a part.
func (p *plan) of(part string) []int {
	switch part {
	case Postgres:
		return []int{p.postgres}
	case Broker:
		return []int{p.broker, p.quorum}
	case Sentry:
		return []int{p.sentry.api, p.sentry.health, p.sentry.metrics}
	case Gateway:
		return []int{p.gateway}
	}
	for app, a := range p.apps {
		switch part {
		case app:
			return a.service()
		case Sidecar(app):
			return a.sidecar()
		}
	}
	return nil
}

// portError names the process that holds the gateway's port and says what to do.
func portError(port int, err error) error {
	if !errors.Is(err, ports.ErrTaken) {
		return fmt.Errorf("%w: choose another port with --port P (make up PORT=P)", err)
	}
	who := "by another process"
	if h := ports.Holder(port); h != "" {
		who = "by " + h
	}
	return fmt.Errorf("port %d is taken %s: %w; choose another port with --port P (make up PORT=P)", port, who, ErrPort)
}

// ErrPort is wrapped by the error about a port of the gateway that another process has.
var ErrPort = errors.New("the gateway cannot listen there")

func loopback(port int) string { return ports.Loopback(port) }

func httpURL(port int, path string) string { return "http://" + loopback(port) + path }

// withDatabase returns the address of another database on the same server, "" where there is no server yet.
func withDatabase(raw, db string) string {
	u, err := url.Parse(raw)
	if err != nil || raw == "" {
		return ""
	}
	u.Path = "/" + db
	return u.String()
}
