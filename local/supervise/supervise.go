// Package supervise keeps processes running.
//
// Promises, for each part:
//   - It runs in a process group of its own, so that ending it ends what it started, and a Ctrl-C in the terminal
//     reaches the supervisor alone, which then stops the parts in order.
//   - It does not begin its work before its pid is recorded (Config.Record has returned): a supervisor that dies at
//     any moment leaves no process that the next one does not know.
//   - When it ends by itself it is started again, after a delay that doubles with each quick death and is forgotten
//     after a stable run.
//   - Stop asks it to end, and kills its whole process tree when its grace is over or when Hurry was called.
//
// On Linux the parts are asked to end too when the supervisor dies (Pdeathsig). Nothing depends on that.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/procid"
)

const (
	// firstDelay is the pause before a part that died is started again.
	firstDelay = 200 * time.Millisecond
	// maxDelay bounds it: a person who repaired the cause waits no longer.
	maxDelay = 5 * time.Second
	// stableAfter is how long a part must run for its earlier deaths to be forgotten. A sidecar without its broker
	// lives for 5 s.
	stableAfter = 10 * time.Second
	// fastPoll is how often a part is asked whether it is ready until it is, slowPoll afterwards.
	fastPoll = 25 * time.Millisecond
	slowPoll = 2 * time.Second
	// readyTimeout bounds one such question.
	readyTimeout = 2 * time.Second
	// earlyDeaths in a row, without having been ready, make WaitReady give up.
	earlyDeaths = 5
	// lastLines of a part's output are kept to say why it died.
	lastLines = 12
)

// Delay is the pause before start number failures+1 after that many quick deaths in a row.
func Delay(failures int) time.Duration {
	d := firstDelay
	for range failures - 1 {
		if d *= 2; d >= maxDelay {
			return maxDelay
		}
	}
	return d
}

// Spec describes a part.
type Spec struct {
	Name string
	// Command is what to run; it is asked anew before each start.
	Command func() (Command, error)
	// Ready says whether the part can do its work; nil where running is enough.
	Ready func(ctx context.Context) error
	// Lines gets each line of output without its end. It must not keep the slice.
	Lines func(line []byte)
	// Stop asks the part to end (default SIGTERM); after Grace it is killed.
	Stop  syscall.Signal
	Grace time.Duration
	Port  int // shown in the status
}

// Command is one start of a part.
type Command struct {
	Path string
	Args []string // without the program's name
	Env  []string
	Dir  string
	// Attr holds the credentials where the part runs as another user.
	Attr *syscall.SysProcAttr
	// ExtraFiles become its descriptors 3 and on.
	ExtraFiles []*os.File
}

// Kind is what happened to a part.
type Kind int

// The kinds of events.
const (
	Started Kind = iota + 1
	Ready
	Unready // it was ready before
	Died    // by itself; it is started again after Delay
	Stopped // as it was told
	Killed  // told to stop, but had to be killed
)

// Event is something that happened to a part.
type Event struct {
	Kind  Kind
	Part  string
	PID   int
	Took  time.Duration // Ready: since the start of this process
	Delay time.Duration // Died: until it is started again
	Err   error         // Died, Unready: why
}

// Config is what a Supervisor tells others.
type Config struct {
	// Record puts the state of all parts on disk. A start does not go ahead without it.
	Record func([]Status) error
	// Event is told what happens, from several goroutines.
	Event func(Event)
}

// Status is what is known of a part.
type Status struct {
	Name     string
	ID       procid.ID // PID 0: no process
	Port     int
	Ready    bool
	Restarts int
	Since    time.Time // start of the process, or the end of the last one
	Stop     syscall.Signal
}

// Supervisor keeps a set of parts.
type Supervisor struct {
	cfg     Config
	starter *starter
	hurry   chan struct{}
	hurried sync.Once
	record  sync.Mutex // one Record at a time, in order

	stableAfter time.Duration

	mu    sync.Mutex
	parts []*Part
}

// New returns a supervisor without parts. Close ends it.
func New(cfg Config) *Supervisor {
	return &Supervisor{cfg: cfg, starter: newStarter(), hurry: make(chan struct{}), stableAfter: stableAfter}
}

// Add adds a part; it does not start it.
func (s *Supervisor) Add(spec Spec) *Part {
	if spec.Stop == 0 {
		spec.Stop = syscall.SIGTERM
	}
	p := &Part{s: s, spec: spec, changed: make(chan struct{}), since: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(s.parts, p)
	return p
}

// Part returns the part of that name, or an error.
func (s *Supervisor) Part(name string) (*Part, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		if p.spec.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("there is no part %q", name)
}

// Status lists the parts in the order they were added.
func (s *Supervisor) Status() []Status {
	s.mu.Lock()
	parts := s.parts
	s.mu.Unlock()
	all := make([]Status, len(parts))
	for i, p := range parts {
		all[i] = p.Status()
	}
	return all
}

// Stop stops the named parts at the same time and returns when they have ended.
func (s *Supervisor) Stop(names ...string) {
	var wg sync.WaitGroup
	for _, name := range names {
		if p, err := s.Part(name); err == nil {
			wg.Go(p.Stop)
		}
	}
	wg.Wait()
}

// Hurry makes every stop, running or to come, a kill.
func (s *Supervisor) Hurry() { s.hurried.Do(func() { close(s.hurry) }) }

// Close stops what still runs and ends the supervisor.
func (s *Supervisor) Close() {
	var names []string
	for _, st := range s.Status() {
		names = append(names, st.Name)
	}
	s.Stop(names...)
	s.starter.close()
}

// Save records the parts now, after every record that is under way: so what the recording function knows besides cannot
// be overwritten by what it knew before.
func (s *Supervisor) Save() error {
	s.record.Lock()
	defer s.record.Unlock()
	if s.cfg.Record == nil {
		return nil
	}
	return s.cfg.Record(s.Status())
}

func (s *Supervisor) tell(e Event) {
	if s.cfg.Event != nil {
		s.cfg.Event(e)
	}
}

// DiedError is a part that does not stay up.
type DiedError struct {
	Part   string
	Deaths int
	Err    error
	Lines  []string // the end of its output
}

func (e *DiedError) Error() string {
	return fmt.Sprintf("%s died %d times before it was ready: %v", e.Part, e.Deaths, e.Err)
}

func (e *DiedError) Unwrap() error { return e.Err }

// WaitReady returns when every named part is ready, a *DiedError when one of them dies again and again without having
// been ready, or ctx's error with what is not ready.
func (s *Supervisor) WaitReady(ctx context.Context, names ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, len(names))
	for _, name := range names {
		p, err := s.Part(name)
		if err != nil {
			return err
		}
		go func() { errs <- p.waitReady(ctx) }()
	}
	var first error
	for range names {
		if err := <-errs; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	var died *DiedError
	if first == nil || errors.As(first, &died) {
		return first
	}
	var missing []string
	for _, name := range names {
		if p, err := s.Part(name); err == nil && !p.Status().Ready {
			missing = append(missing, name)
		}
	}
	return fmt.Errorf("not ready: %v: %w", missing, first)
}
