// The configuration of a stack, how it takes its data folder, and what others can ask it.

package stack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/taskwire/taskwire/local/console"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/lockfile"
	"github.com/taskwire/taskwire/local/logfile"
	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/local/supervise"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// Names of the parts that are not apps. An app's part has the app's name (package apps).
const (
	Postgres = "postgres"
	Broker   = "broker"
	Sentry   = "sentry"
	Gateway  = "gateway"
)

// Sidecar returns the name of an app's sidecar part.
func Sidecar(app string) string { return app + "-daprd" }

// Config says what to run and where. Root and Data are needed.
type Config struct {
	Root   string // the repository: its dapr-components/ describe the sidecars
	Data   string // the data folder, made if missing
	BinDir string // what package build made; default ROOT/.taskwire/bin
	Port   int    // of the gateway; 0: a free one

	DatabaseURL string // a Postgres to use instead of a private one: a superuser, or a role that may make roles and databases
	Kafka       string // brokers to use instead of our own: host:port, separated by commas
	KafkaLogin  KafkaLogin
	KafkaJars   string // a folder with the jars of Apache Kafka, to run it as the broker instead of our own

	Out     io.Writer // gets what a person should see; default: discarded
	Color   bool      // Out is a terminal that shows colours
	Verbose bool      // show every line of every log, not only what matters
	Log     *slog.Logger

	Durable bool              // survive a power cut; false is faster and meant for tests
	Hold    []string          // parts that wait for a call of Start
	Env     map[string]string // further environment for the services
}

// KafkaLogin says how to log in to the brokers of Config.Kafka.
type KafkaLogin struct {
	Settings kafkaconn.Settings // without a user: the brokers ask for none
	Shared   bool               // all sidecars log in as this user, because it may not create users
}

// Stack is one stack. New takes its data folder. Run, or Close instead of Run, gives it back.
type Stack struct {
	cfg     Config
	out     *console.Console
	log     *slog.Logger
	lock    *lockfile.Lock
	secrets *secretfile.Set
	ready   chan struct{}
	started time.Time

	mu      sync.Mutex
	plan    *plan
	sup     *supervise.Supervisor // nil before Run has started something
	logs    map[string]*logfile.File
	pgURL   string // superuser
	isReady bool
	ending  bool
	seen    map[string]bool // the parts that have been ready at least once
}

// New checks the configuration, takes the data folder, ends what a killed stack left there, and chooses the ports. It
// starts nothing. A data folder in use is a *runstate.HeldError; a taken port says who holds it.
func New(cfg Config) (*Stack, error) {
	if cfg.Root == "" || cfg.Data == "" {
		return nil, errors.New("stack: Root and Data are needed")
	}
	var err error
	if cfg.Root, err = filepath.Abs(cfg.Root); err != nil {
		return nil, err
	}
	if cfg.Data, err = filepath.Abs(cfg.Data); err != nil {
		return nil, err
	}
	if cfg.BinDir == "" {
		cfg.BinDir = filepath.Join(cfg.Root, ".taskwire", "bin")
	}
	if cfg.Out == nil {
		cfg.Out = io.Discard
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Port < 0 || cfg.Port > 65535 {
		return nil, fmt.Errorf("port %d is not between 0 and 65535", cfg.Port)
	}
	s := &Stack{
		cfg: cfg, out: console.New(cfg.Out, cfg.Color), log: cfg.Log, ready: make(chan struct{}),
		started: time.Now(), seen: map[string]bool{},
	}
	for _, held := range cfg.Hold {
		if !slices.Contains(s.parts(), held) {
			return nil, fmt.Errorf("hold %q: there is no such part", held)
		}
	}
	if err := makeFolders(cfg.Data); err != nil {
		return nil, err
	}
	if s.lock, err = runstate.Acquire(cfg.Data); err != nil {
		return nil, err
	}
	if err := s.take(); err != nil {
		s.Close()
		return nil, err
	}
	s.out.Names(s.parts()...)
	return s, nil
}

// take does the part of New that needs the data folder to be ours.
func (s *Stack) take() error {
	left, err := runstate.EndOrphans(s.cfg.Data)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		s.out.Step("ended the processes that an earlier run left: %v", left)
	}
	if s.secrets, err = secretfile.Load(s.secretsDir()); err != nil {
		return err
	}
	s.plan, err = newPlan(s.cfg.Port)
	return err
}

// Close gives the data folder back. It replaces Run.
func (s *Stack) Close() {
	if s.plan != nil {
		s.plan.ports.ReleaseAll()
	}
	_ = s.lock.Release() // the system frees it with the process
}

func makeFolders(data string) error {
	// Postgres can run as another user, who has to get through the data folder. What is in run and log is for the owner only:
	// where the parts listen, the public half of the sidecars' identities, and logs with addresses of users.
	modes := map[string]fs.FileMode{data: 0o755, filepath.Join(data, "run"): 0o700, filepath.Join(data, "log"): 0o700}
	for _, dir := range slices.Sorted(maps.Keys(modes)) {
		err := os.MkdirAll(dir, modes[dir])
		if err == nil && modes[dir] == 0o700 {
			err = os.Chmod(dir, 0o700) // one of an earlier version
		}
		if err == nil {
			err = writable(dir)
		}
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("cannot write to the data folder %s: it belongs to another user. Use another folder (--data DIR, make up DATA=DIR), or become its owner with chown -R", dir)
		}
		if err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	return nil
}

func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".write-*")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

func (s *Stack) secretsDir() string { return SecretsDir(s.cfg.Data) }

// SecretsDir is the folder of the apps' secrets in a data folder.
func SecretsDir(data string) string { return filepath.Join(data, "secrets") }

// parts lists the parts that this stack runs, in the order of the status.
func (s *Stack) parts() []string {
	var names []string
	if s.cfg.DatabaseURL == "" {
		names = append(names, Postgres)
	}
	if s.cfg.Kafka == "" {
		names = append(names, Broker)
	}
	names = append(names, Sentry)
	for _, app := range apps.All() {
		names = append(names, app, Sidecar(app))
	}
	return append(names, Gateway)
}

// Ready is closed when every part has been ready at the same time and the gateway's /readyz has said so.
func (s *Stack) Ready() <-chan struct{} { return s.ready }

// URL is the address of the gateway.
func (s *Stack) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("http://localhost:%d", s.plan.gateway)
}

// Brokers is the Kafka address: host:port, separated by commas.
func (s *Stack) Brokers() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.brokers()
}

// Kafka returns how a user of local/kafkausers connects to Kafka.
func (s *Stack) Kafka(user string) kafkaconn.Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kafka(user)
}

// PostgresURL returns the superuser's address of a database, "" before Postgres was prepared. It is for tests.
func (s *Stack) PostgresURL(db string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return withDatabase(s.pgURL, db)
}

// SidecarHTTP returns the address (host:port) of an app's sidecar and the token that it asks for.
func (s *Stack) SidecarHTTP(app string) (addr, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.plan.apps[app]
	if !ok {
		return "", ""
	}
	return loopback(p.daprHTTP), p.daprToken
}

// MetricsURL returns the address of the metrics of a service, a sidecar or sentry, "" for another part.
func (s *Stack) MetricsURL(part string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if part == Sentry {
		return httpURL(s.plan.sentry.metrics, "/metrics")
	}
	for app, p := range s.plan.apps {
		switch part {
		case app:
			return httpURL(p.public, "/metrics")
		case Sidecar(app):
			return httpURL(p.daprMetrics, "/metrics")
		}
	}
	return ""
}

// LogPath is the file with a part's raw log.
func (s *Stack) LogPath(part string) string { return LogPath(s.cfg.Data, part) }

// LogPath is the file with a part's raw log in a data folder.
func LogPath(data, part string) string { return filepath.Join(data, "log", part+".log") }
