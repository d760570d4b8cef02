// How the sidecars get their certificates: sentry, which signs them, and what it takes and gives.

package stack

import (
	"path/filepath"

	"github.com/taskwire/taskwire/local/components"
	"github.com/taskwire/taskwire/local/sidecarid"
	"github.com/taskwire/taskwire/local/supervise"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// issueTokens makes the sidecars' tokens of this run. Those of the last run are worth nothing after it.
func (s *Stack) issueTokens() error {
	tokens := map[string]string{}
	for _, app := range apps.All() {
		tokens[app] = s.identity(app).Token
	}
	return sidecarid.Issue(s.jwksFile(), tokens)
}

func (s *Stack) identity(app string) components.Identity {
	return components.Identity{
		Sentry: loopback(s.plan.sentry.api), Anchors: s.anchorsFile(),
		Token: filepath.Join(s.secretsDir(), "sidecars", app+".jwt"),
	}
}

// sentrySpec describes sentry. It keeps the certificate authority over restarts, so that the sidecars' certificates stay
// valid when it dies.
func (s *Stack) sentrySpec() supervise.Spec {
	p := s.plan.sentry
	args := []string{
		"--address", loopback(p.api), "--health-address", loopback(p.health), "--metrics-address", loopback(p.metrics),
		"--credentials", filepath.Join(s.secretsDir(), Sentry), "--trust-anchors", s.anchorsFile(), "--jwks", s.jwksFile(),
		"--trust-domain", sidecarid.ControlPlaneTrustDomain, "--log-as-json",
	}
	return supervise.Spec{
		Name: Sentry, Port: p.api, Grace: sentryGrace, Lines: s.lines(Sentry), Ready: pingHTTP(s.sentryHealth()),
		Command: s.command(Sentry, func() (supervise.Command, error) {
			return supervise.Command{Path: s.binary(Sentry), Args: args, Env: environ("NAMESPACE=" + sidecarid.ControlPlaneNamespace)}, nil
		}),
	}
}

func (s *Stack) sentryHealth() string { return httpURL(s.plan.sentry.health, "/healthz") }

// The public files of the authority: the root certificates, which sentry writes, and the key of the tokens, which it reads.
func (s *Stack) anchorsFile() string { return filepath.Join(s.cfg.Data, "run", "trust", "ca.crt") }
func (s *Stack) jwksFile() string    { return filepath.Join(s.cfg.Data, "run", "trust", "jwks.json") }
