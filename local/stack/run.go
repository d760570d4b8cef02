// The order in which parts start and stop, and what is done between: secrets, databases, topics.

package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/local/auditsigner"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/ports"
	localpg "github.com/taskwire/taskwire/local/postgres"
	"github.com/taskwire/taskwire/local/provision"
	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/local/supervise"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

const (
	// startTimeout bounds a start without held parts. A start takes seconds, on a busy machine longer.
	startTimeout = 3 * time.Minute
	// externalTimeout bounds the wait for a Postgres or Kafka that is not ours.
	externalTimeout = 30 * time.Second
	// stopTimeout is how long a stop takes at most before the parts are killed.
	stopTimeout = 19 * time.Second
	// portAttempts bounds how often ports are chosen again. A chosen port is free, but another process can take it before
	// its part listens.
	portAttempts = 3
)

// errPortLost is wrapped by the error of a start that lost a chosen port to another process.
var errPortLost = errors.New("another process took a port of the stack")

// Run starts everything, keeps it running until ctx is done, and stops it. It returns nil when ctx asked for the stop,
// otherwise the reason why the stack could not start; then everything is stopped too. It may be called once.
func (s *Stack) Run(ctx context.Context) error {
	defer s.Close()
	if err := s.checkBinaries(); err != nil {
		return err
	}
	if err := s.openLogs(); err != nil {
		return err
	}
	defer s.closeLogs()
	for attempt := 1; ; attempt++ {
		err := s.once(ctx)
		if !errors.Is(err, errPortLost) || attempt == portAttempts {
			return err
		}
		s.out.Warn("%v: choosing other ports", err)
		next, err := newPlan(s.cfg.Port)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.plan, s.sup, s.ending = next, nil, false
		s.mu.Unlock()
	}
}

// once does the work of Run with one choice of ports.
func (s *Stack) once(ctx context.Context) (err error) {
	sup := supervise.New(supervise.Config{Record: s.record, Event: s.event})
	s.mu.Lock()
	s.sup = sup
	s.mu.Unlock()
	release := func() {}
	defer func() {
		stopErr := s.stop(sup)
		s.plan.ports.ReleaseAll()
		release()                                             // Postgres' folder
		if ctx.Err() != nil && !errors.Is(err, errPortLost) { // a stop was asked for, which makes a start fail too
			err = nil
		}
		err = errors.Join(err, stopErr)
	}()
	if release, err = s.start(ctx, sup); err != nil {
		return s.explain(sup, err)
	}
	<-ctx.Done()
	return nil
}

// start starts the parts in order and returns when all are ready. release gives back Postgres' folder; it is never nil.
func (s *Stack) start(ctx context.Context, sup *supervise.Supervisor) (release func(), err error) {
	release = func() {}
	if err := s.issueTokens(); err != nil {
		return release, err
	}
	servers := []string{Sentry}
	sup.Add(s.sentrySpec())
	s.startPart(sup, Sentry)
	if s.cfg.Kafka == "" {
		if err := s.secrets.WriteKafka(); err != nil { // the broker reads them
			return release, err
		}
		spec, err := s.brokerSpec(ctx)
		if err != nil {
			return release, err
		}
		sup.Add(spec)
		servers = append(servers, Broker)
		s.startPart(sup, Broker)
	}
	if s.cfg.DatabaseURL == "" {
		pg, err := localpg.Prepare(ctx, localpg.Config{
			DataDir: filepath.Join(s.cfg.Data, "postgres"), Port: s.plan.postgres, Durable: s.cfg.Durable,
			Progress: func(line string) { s.out.Step("%s", line) },
		})
		if err != nil {
			return release, err
		}
		release = pg.Release
		s.setPostgres(pg.URL)
		sup.Add(s.postgresSpec(pg))
		servers = append(servers, Postgres)
		s.startPart(sup, Postgres)
	} else {
		s.setPostgres(s.cfg.DatabaseURL)
	}
	if err := sup.WaitReady(ctx, s.notHeld(servers)...); err != nil {
		return release, err
	}
	if err := s.provision(ctx); err != nil {
		return release, err
	}
	if err := s.startApps(ctx, sup); err != nil {
		return release, err
	}
	if len(s.cfg.Hold) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	if err := sup.WaitReady(ctx, s.parts()...); err != nil {
		return release, err
	}
	return release, s.waitForGateway(ctx)
}

func (s *Stack) startApps(ctx context.Context, sup *supervise.Supervisor) error {
	// The file of an earlier run would send invocations to its ports.
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.RemoveAll(s.namesFile() + suffix); err != nil {
			return fmt.Errorf("remove the last run's names: %w", err)
		}
	}
	for _, app := range apps.All() {
		sup.Add(s.serviceSpec(ctx, app))
		sidecar, err := s.sidecarSpec(app)
		if err != nil {
			return err
		}
		sup.Add(sidecar)
	}
	sup.Add(s.gatewaySpec())
	for _, app := range apps.All() {
		s.startPart(sup, app)
	}
	for _, app := range apps.All() {
		s.startPart(sup, Sidecar(app))
	}
	s.startPart(sup, Gateway)
	return nil
}

// waitForGateway closes Ready when the gateway's /readyz answers 2xx.
func (s *Stack) waitForGateway(ctx context.Context) error {
	ping := pingHTTP(httpURL(s.plan.gateway, "/readyz"))
	for {
		err := ping(ctx)
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the gateway is not ready: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.mu.Lock()
	s.isReady = true
	sup := s.sup
	s.mu.Unlock()
	if err := sup.Save(); err != nil {
		return fmt.Errorf("record that the stack is ready: %w", err)
	}
	close(s.ready)
	return nil
}

// provision makes the databases, roles, secrets and topics.
func (s *Stack) provision(ctx context.Context) error {
	s.mu.Lock()
	admin := s.pgURL
	s.mu.Unlock()
	if s.cfg.DatabaseURL != "" || s.cfg.Kafka != "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, externalTimeout)
		defer cancel()
	}
	if s.cfg.DatabaseURL != "" {
		if err := pingPostgres(admin)(ctx); err != nil {
			return fmt.Errorf("the Postgres that DATABASE_URL names does not answer: %w", err)
		}
	}
	if err := provision.EnsureDatabases(ctx, admin, s.secrets.Password); err != nil {
		return err
	}
	if s.secrets.Made {
		s.out.Step("made new secrets in %s", s.secretsDir())
	}
	if s.secrets.NewLog() { // before the key is on disk: a crash in between repeats the order
		if err := auditsigner.Begin(auditsigner.Dir(s.cfg.Data)); err != nil {
			return err
		}
	}
	err := s.secrets.Write(func(role, password string) (string, error) {
		return provision.Address(admin, role, password)
	})
	if err != nil || s.cfg.Kafka == "" && s.cfg.KafkaJars == "" {
		return err // our own broker makes its topics and users
	}
	return s.provisionKafka(ctx)
}

// provisionKafka makes the topics, and the users where the brokers ask for one.
func (s *Stack) provisionKafka(ctx context.Context) error {
	admin := s.kafka(kafkausers.Admin)
	if s.cfg.Kafka != "" {
		if err := pingKafka(admin)(ctx); err != nil {
			return fmt.Errorf("the brokers that KAFKA_BROKERS names (%s) do not answer: %w", s.cfg.Kafka, err)
		}
	}
	if err := provision.EnsureTopics(ctx, admin, events.Topics(), func(w string) { s.out.Warn("%s", w) }); err != nil {
		return err
	}
	if s.cfg.Kafka != "" && (admin.Username == "" || s.cfg.KafkaLogin.Shared) {
		s.out.Warn("Kafka cannot tell the services apart: anybody who can log in to it can forge events (docs/kafka.md#users)")
		return nil
	}
	client, err := admin.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	err = kafkausers.Ensure(ctx, client, s.secrets.KafkaPasswords())
	if errors.Is(err, kafkausers.ErrRefused) {
		return fmt.Errorf("%w. Give KAFKA_USERNAME an administrator, or set KAFKA_SHARED_USER=true to let every sidecar log in as it", err)
	}
	return err
}

// stop stops the parts, each before those that it needs, and removes the record of the run.
func (s *Stack) stop(sup *supervise.Supervisor) error {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	late := time.AfterFunc(stopTimeout, sup.Hurry)
	defer late.Stop()
	var services, sidecars []string
	for _, app := range apps.All() {
		services, sidecars = append(services, app), append(sidecars, Sidecar(app))
	}
	for _, stage := range [][]string{{Gateway, apps.WebSocket}, services, sidecars, {Sentry, Broker}, {Postgres}} {
		sup.Stop(stage...)
	}
	sup.Close()
	return runstate.Remove(s.cfg.Data)
}

// explain adds to the error of a failed start the end of the part's log, or says that a port was lost.
func (s *Stack) explain(sup *supervise.Supervisor, err error) error {
	var died *supervise.DiedError
	if !errors.As(err, &died) {
		return err
	}
	sup.Stop(died.Part)
	for _, port := range s.plan.of(died.Part) {
		if !ports.Taken(port) {
			continue
		}
		if died.Part == Gateway && s.cfg.Port != 0 {
			return portError(port, ports.ErrTaken)
		}
		return fmt.Errorf("%s, port %d: %w", died.Part, port, errPortLost)
	}
	if len(died.Lines) == 0 {
		return fmt.Errorf("%w (its log: %s)", err, s.LogPath(died.Part))
	}
	return fmt.Errorf("%w. It said:\n  %s\nIts whole log: %s. The data folder is kept as it is", err, strings.Join(died.Lines, "\n  "), s.LogPath(died.Part))
}

func (s *Stack) startPart(sup *supervise.Supervisor, name string) {
	if slices.Contains(s.cfg.Hold, name) {
		s.out.Step("%s is held back", name)
		return
	}
	if p, err := sup.Part(name); err == nil {
		p.Start()
	}
}

func (s *Stack) notHeld(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(s.cfg.Hold, n) })
}

func (s *Stack) setPostgres(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pgURL = url
}
