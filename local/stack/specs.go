// How each part is run: program, arguments, environment, readiness and the time it gets to end.

package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/auditsigner"
	"github.com/taskwire/taskwire/local/components"
	"github.com/taskwire/taskwire/local/kafka"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/ports"
	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/local/supervise"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// How long each part gets to end when it is asked. The stages add up to the 20 s that a stop may take.
const (
	gatewayGrace  = 4 * time.Second // longer than its own drain, gateway.DrainTimeout
	serviceGrace  = 6 * time.Second
	sidecarGrace  = 5 * time.Second
	sentryGrace   = 2 * time.Second
	brokerGrace   = 2500 * time.Millisecond
	postgresGrace = 2500 * time.Millisecond

	// serviceShutdown and sidecarShutdown are the limits that the parts get themselves. They are shorter than the graces
	// above.
	serviceShutdown = 5 * time.Second
	sidecarShutdown = 3 // seconds
)

// binary is the path of a program that package build made.
func (s *Stack) binary(name string) string { return filepath.Join(s.cfg.BinDir, name) }

// checkBinaries returns an error that names a missing program.
func (s *Stack) checkBinaries() error {
	for _, name := range append([]string{"taskwire", "daprd", "sentry"}, apps.All()...) {
		if _, err := os.Stat(s.binary(name)); err != nil {
			return fmt.Errorf("%s is not built: run `make build` (or taskwire up without --no-build): %w", name, err)
		}
	}
	return nil
}

// ownVariables and ownPrefixes name variables that the stack sets or that its parts read. The caller's values must not
// reach the parts.
var (
	ownVariables = []string{
		"DATABASE_URL", "HTTP_ADDR", "APP_ADDR", "APP_API_TOKEN", "SECRET_STORE", "SECRETS_FILE",
		"SHUTDOWN_TIMEOUT", "STATE_DIR", "POD_NAME", "NAMESPACE", "APP_ID", "APP_PORT", "MIGRATE_URL", "MIGRATE_URL_FILE",
	}
	ownPrefixes = []string{"DAPR_", "PG", "TASKWIRE_", "KUBERNETES_", "KAFKA_"}
)

// environ returns the caller's environment without the stack's own variables, and with more.
func environ(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(ownVariables, name) || slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	})
	return append(env, more...)
}

// command wraps a part's command: it gives up the part's ports right before the start.
func (s *Stack) command(part string, make func() (supervise.Command, error)) func() (supervise.Command, error) {
	plan := s.plan
	return func() (supervise.Command, error) {
		plan.ports.Release(plan.of(part)...)
		return make()
	}
}

func (s *Stack) postgresSpec(pg *localpg.Plan) supervise.Spec {
	return supervise.Spec{
		Name: Postgres, Port: s.plan.postgres, Stop: syscall.SIGINT /* fast shutdown */, Grace: postgresGrace,
		Lines: s.lines(Postgres), Ready: pingPostgres(pg.URL),
		Command: s.command(Postgres, func() (supervise.Command, error) {
			cmd, err := pg.Command(context.Background())
			if err != nil {
				return supervise.Command{}, err
			}
			return supervise.Command{Path: cmd.Path, Args: cmd.Args[1:], Env: cmd.Env, Dir: cmd.Dir, Attr: cmd.SysProcAttr, ExtraFiles: cmd.ExtraFiles}, nil
		}),
	}
}

func (s *Stack) brokerSpec(ctx context.Context) (supervise.Spec, error) {
	if s.cfg.KafkaJars != "" {
		return s.kafkaSpec(ctx)
	}
	args := []string{"broker", "--addr", loopback(s.plan.broker), "--data", filepath.Join(s.cfg.Data, "broker"), "--users", secretfile.KafkaPath(s.secretsDir())}
	if !s.cfg.Durable {
		args = append(args, "--no-sync")
	}
	return supervise.Spec{
		Name: Broker, Port: s.plan.broker, Grace: brokerGrace, Lines: s.lines(Broker), Ready: pingKafka(s.kafka(kafkausers.Operator)),
		Command: s.command(Broker, func() (supervise.Command, error) {
			return supervise.Command{Path: s.binary("taskwire"), Args: args, Env: environ()}, nil
		}),
	}, nil
}

// kafkaSpec describes Apache Kafka in the place of our own broker.
func (s *Stack) kafkaSpec(ctx context.Context) (supervise.Spec, error) {
	node, err := kafka.Prepare(ctx, kafka.Config{
		Jars: s.cfg.KafkaJars, Dir: filepath.Join(s.cfg.Data, "kafka"), ID: 1, Port: s.plan.broker,
		Controllers: []string{loopback(s.plan.quorum)}, Admin: kafkausers.Admin, Password: s.secrets.KafkaPasswords()[kafkausers.Admin],
	})
	if err != nil {
		return supervise.Spec{}, err
	}
	return supervise.Spec{
		Name: Broker, Port: s.plan.broker, Grace: brokerGrace, Lines: s.lines(Broker), Ready: pingKafka(s.kafka(kafkausers.Admin)),
		Command: s.command(Broker, func() (supervise.Command, error) {
			return supervise.Command{Path: node.Path(), Args: node.Args(), Env: environ()}, nil
		}),
	}, nil
}

// podName stays the same over restarts. The WebSocket service's consumer groups have the pod's name in theirs, and a new
// name at each start would leave the old groups in the broker.
func podName(app string) string { return app + "-0" }

func (s *Stack) serviceSpec(ctx context.Context, app string) supervise.Spec {
	p := s.plan.apps[app]
	env := environ(
		"HTTP_ADDR="+loopback(p.public), "APP_ADDR="+loopback(p.app),
		"DAPR_HTTP_PORT="+strconv.Itoa(p.daprHTTP), "DAPR_GRPC_PORT="+strconv.Itoa(p.daprGRPC),
		"APP_API_TOKEN="+p.appToken, "DAPR_API_TOKEN="+p.daprToken,
		"SECRETS_FILE="+secretfile.Path(s.secretsDir(), app),
		"SHUTDOWN_TIMEOUT="+serviceShutdown.String(), "POD_NAME="+podName(app),
	)
	if app == apps.AuditSigner {
		env = append(env, "STATE_DIR="+auditsigner.Dir(s.cfg.Data))
	}
	for k, v := range s.cfg.Env {
		env = append(env, k+"="+v)
	}
	return supervise.Spec{
		Name: app, Port: p.public, Grace: serviceGrace, Lines: s.lines(app), Ready: pingHTTP(httpURL(p.public, "/readyz")),
		Command: s.migrateBefore(ctx, app, s.command(app, func() (supervise.Command, error) {
			return supervise.Command{Path: s.binary(app), Env: env}, nil
		})),
	}
}

// sidecarSpec renders the app's resources and describes its sidecar.
func (s *Stack) sidecarSpec(app string) (supervise.Spec, error) {
	p := s.plan.apps[app]
	kafka := s.kafka(kafkausers.Of(app))
	resources, config, err := components.Render(components.Config{
		Source: filepath.Join(s.cfg.Root, "dapr-components"), Out: filepath.Join(s.cfg.Data, "run", app), App: app,
		Kafka: kafka, SecretsFile: secretfile.SidecarPath(s.secretsDir(), app), NameResolutionFile: s.namesFile(),
	})
	if err != nil {
		return supervise.Spec{}, err
	}
	args := components.Sidecar{
		App: app, AppPort: p.app, HTTPPort: p.daprHTTP, GRPCPort: p.daprGRPC, InternalPort: p.daprInternal, MetricsPort: p.daprMetrics,
		ResourcesDir: resources, ConfigFile: config, ShutdownSeconds: sidecarShutdown, Identity: s.identity(app),
	}.Args()
	env := environ("APP_API_TOKEN="+p.appToken, "DAPR_API_TOKEN="+p.daprToken, "POD_NAME="+podName(app), "DAPR_HOST_IP=127.0.0.1")
	env = append(env, s.identity(app).Env()...)
	return supervise.Spec{
		Name: Sidecar(app), Port: p.daprHTTP, Grace: sidecarGrace, Lines: s.lines(Sidecar(app)), Ready: pingHTTP(s.sidecarHealth(app)),
		Command: s.command(Sidecar(app), func() (supervise.Command, error) {
			// With each start, so that a secret that was changed is known after a restart.
			if err := secretfile.WriteSidecar(s.secretsDir(), app, kafka.Username, kafka.Password); err != nil {
				return supervise.Command{}, err
			}
			anchors, err := os.ReadFile(s.anchorsFile()) // for a daprd that does not know the variable with the file
			if err != nil {
				return supervise.Command{}, fmt.Errorf("the root certificates: %w", err)
			}
			env := append(slices.Clip(env), "DAPR_TRUST_ANCHORS="+string(anchors))
			return supervise.Command{Path: s.binary("daprd"), Args: args, Env: env, Dir: filepath.Join(s.cfg.Data, "run", app)}, nil
		}),
	}, nil
}

func (s *Stack) sidecarHealth(app string) string {
	return httpURL(s.plan.apps[app].daprHTTP, "/v1.0/healthz")
}

func (s *Stack) gatewaySpec() supervise.Spec {
	args := []string{"gateway", "--addr", loopback(s.plan.gateway)}
	if ports.HasIPv6() {
		args = append(args, "--addr", fmt.Sprintf("[::1]:%d", s.plan.gateway))
	}
	args = append(args, "--ready", Sentry+"="+s.sentryHealth())
	for _, app := range apps.All() {
		args = append(args, "--ready", app+"="+httpURL(s.plan.apps[app].public, "/readyz"), "--ready", Sidecar(app)+"="+s.sidecarHealth(app))
	}
	for _, app := range apps.Public() {
		args = append(args, "--upstream", app+"="+httpURL(s.plan.apps[app].public, ""))
	}
	if s.cfg.DatabaseURL == "" {
		args = append(args, "--ready", Postgres+"=tcp://"+loopback(s.plan.postgres))
	}
	if s.cfg.Kafka == "" {
		args = append(args, "--ready", Broker+"=tcp://"+loopback(s.plan.broker))
	}
	return supervise.Spec{
		Name: Gateway, Port: s.plan.gateway, Grace: gatewayGrace, Lines: s.lines(Gateway), Ready: pingHTTP(httpURL(s.plan.gateway, "/healthz")),
		Command: s.command(Gateway, func() (supervise.Command, error) {
			return supervise.Command{Path: s.binary("taskwire"), Args: args, Env: environ()}, nil
		}),
	}
}

// namesFile is the file by which the sidecars of this stack find each other. mDNS would mix two stacks.
func (s *Stack) namesFile() string { return filepath.Join(s.cfg.Data, "run", "names.db") }

// brokers is the Kafka address.
func (s *Stack) brokers() string {
	if s.cfg.Kafka != "" {
		return s.cfg.Kafka
	}
	return loopback(s.plan.broker)
}

// kafka returns how one of the users of local/kafkausers connects to Kafka. A Kafka of the user's that asks for no password has
// none of them. In another one, the administrator is the given user, and everybody is if KafkaLogin.Shared is set.
func (s *Stack) kafka(user string) kafkaconn.Settings {
	at := kafkaconn.Settings{Brokers: s.brokers()}
	if s.cfg.Kafka == "" {
		return at.As(user, s.secrets.KafkaPasswords()[user])
	}
	at = s.cfg.KafkaLogin.Settings
	at.Brokers = s.brokers()
	if at.Username == "" || s.cfg.KafkaLogin.Shared || user == kafkausers.Admin {
		return at
	}
	at.Mechanism = kafkaconn.ScramSHA512
	return at.As(user, s.secrets.KafkaPasswords()[user])
}
