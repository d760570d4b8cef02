package stack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/console"
	"github.com/taskwire/taskwire/local/logfile"
	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/local/secretfile"
	"github.com/taskwire/taskwire/local/supervise"
)

// Names of the parts that are no services.
const (
	Postgres = "postgres"
	Broker   = "broker"
	Gateway  = "gateway"
)

// Apps are the services, which are parts of the same name.
var Apps = []string{"task-api", "recurring-task", "audit", "notification", "websocket"}

// Sidecar is the name of an app's sidecar part.
func Sidecar(app string) string { return app + "-daprd" }

// Config says what to run and where. Root and Data are needed.
type Config struct {
	Root   string // the repository: its dapr-components/ describe the sidecars
	Data   string // the data folder, made if missing
	BinDir string // what package build made; default ROOT/.taskwire/bin
	Port   int    // of the gateway; 0: a free one

	DatabaseURL string // a Postgres to use instead of a private one: a superuser, or a role that may make roles and databases
	Kafka       string // brokers to use instead of the own one: host:port, with commas between
	KafkaJars   string // a folder with the jars of Apache Kafka: run it as the broker, instead of the own one

	Out     io.Writer // what a person sees; default: nothing
	Color   bool      // Out is a terminal that shows colours
	Verbose bool      // every line of every log, not only what matters
	Log     *slog.Logger

	Durable bool              // survive a power cut; without it the stack is faster, and for tests
	Hold    []string          // parts that are not started before Start
	Env     map[string]string // more environment for the services
}

// Stack is one stack. New takes its data folder; Run, or Close instead, gives it back.
type Stack struct {
	cfg     Config
	out     *console.Console
	log     *slog.Logger
	lock    *runstate.Lock
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
	seen    map[string]bool // parts that were ready once
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
		return nil, fmt.Errorf("port %d is not one between 1 and 65535", cfg.Port)
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

// take does what needs the data folder to be ours.
func (s *Stack) take() error {
	left, err := runstate.EndOrphans(s.cfg.Data)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		s.out.Step("ended what an earlier run had left: %v", left)
	}
	if s.secrets, err = secretfile.Load(s.secretsDir()); err != nil {
		return err
	}
	s.plan, err = newPlan(s.cfg.Port)
	return err
}

// Close gives the data folder back without a Run.
func (s *Stack) Close() {
	if s.plan != nil {
		s.plan.ports.ReleaseAll()
	}
	_ = s.lock.Release() // the system frees it with the file
}

func makeFolders(data string) error {
	for _, dir := range []string{data, filepath.Join(data, "run"), filepath.Join(data, "log")} {
		err := os.MkdirAll(dir, 0o755)
		if err == nil {
			err = writable(dir)
		}
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("cannot write to the data folder %s: it belongs to another user. Use another one (--data DIR, make up DATA=DIR), or give it to you with chown -R", dir)
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

// parts lists what this stack runs, in the order of the status.
func (s *Stack) parts() []string {
	var names []string
	if s.cfg.DatabaseURL == "" {
		names = append(names, Postgres)
	}
	if s.cfg.Kafka == "" {
		names = append(names, Broker)
	}
	for _, app := range Apps {
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

// Brokers is the Kafka address: host:port, with commas between.
func (s *Stack) Brokers() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.brokers()
}

// PostgresURL is the superuser's address of a database, for assertions; "" before Postgres has been prepared.
func (s *Stack) PostgresURL(db string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return withDatabase(s.pgURL, db)
}

// SidecarHTTP is the address (host:port) of an app's sidecar and the token it asks for.
func (s *Stack) SidecarHTTP(app string) (addr, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.plan.apps[app]
	if !ok {
		return "", ""
	}
	return loopback(p.daprHTTP), p.daprToken
}

// MetricsURL is where a service or a sidecar tells its metrics; "" for another part.
func (s *Stack) MetricsURL(part string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
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

// PartStatus is what is known of a part.
type PartStatus struct {
	Name     string    `json:"part"`
	PID      int       `json:"pid"` // 0: it does not run now
	Port     int       `json:"port"`
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts"`
	RSSBytes int64     `json:"rss_bytes"` // with its child processes
	Since    time.Time `json:"since"`
}

// Status lists the parts.
func (s *Stack) Status() []PartStatus {
	s.mu.Lock()
	sup := s.sup
	s.mu.Unlock()
	if sup == nil {
		return nil
	}
	var all []PartStatus
	for _, st := range sup.Status() {
		p := PartStatus{Name: st.Name, PID: st.ID.PID, Port: st.Port, Ready: st.Ready, Restarts: st.Restarts, Since: st.Since}
		if p.PID != 0 {
			p.RSSBytes = procid.Memory(p.PID)
		}
		all = append(all, p)
	}
	return all
}

// part returns a part of the running stack.
func (s *Stack) part(name string) (*supervise.Part, error) {
	s.mu.Lock()
	sup, ending := s.sup, s.ending
	s.mu.Unlock()
	if sup == nil || ending {
		return nil, fmt.Errorf("%s: the stack does not run", name)
	}
	return sup.Part(name)
}

// Kill sends a signal to a part, which is then started again.
func (s *Stack) Kill(part string, sig os.Signal) error {
	p, err := s.part(part)
	if err != nil {
		return err
	}
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("kill %s: %v is not a signal of this system", part, sig)
	}
	return p.Signal(number)
}

// Start starts a part that was held or stopped. It does not wait until it is ready.
func (s *Stack) Start(part string) error {
	p, err := s.part(part)
	if err != nil {
		return err
	}
	p.Start()
	return nil
}

// Stop stops a part and keeps it down until Start.
func (s *Stack) Stop(part string) error {
	p, err := s.part(part)
	if err != nil {
		return err
	}
	p.Stop()
	return nil
}

// Hurry makes a stop that is under way, or comes, a kill.
func (s *Stack) Hurry() {
	s.mu.Lock()
	sup := s.sup
	s.mu.Unlock()
	if sup != nil {
		sup.Hurry()
	}
}
