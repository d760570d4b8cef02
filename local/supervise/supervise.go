// Package supervise keeps processes running.
//
// Promises, for each part:
//   - It runs in a process group of its own. Its end ends what it started, and a Ctrl-C in the terminal reaches only the
//     supervisor, which stops the parts in order.
//   - It begins its work after its pid was recorded (Config.Record has returned). So a supervisor that dies at any moment
//     leaves no process that the next one does not know.
//   - If it ends by itself, it is started again after a delay. The delay doubles with each quick end and starts over after
//     a stable run.
//   - Stop asks it to end. When its grace is over, or Hurry was called, its whole process tree is killed.
//
// On Linux the kernel also asks the parts to end when the supervisor dies (Pdeathsig). Nothing depends on that.
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
	// maxDelay bounds the pause, for the person who has repaired the cause.
	maxDelay = 5 * time.Second
	// stableAfter is how long a part has to run until its earlier ends no longer count. A sidecar without its broker runs for
	// 5 s.
	stableAfter = 10 * time.Second
	// fastPoll is the time between two readiness questions until a part is ready, slowPoll afterwards.
	fastPoll = 25 * time.Millisecond
	slowPoll = 2 * time.Second
	// readyTimeout bounds one such question.
	readyTimeout = 2 * time.Second
	// earlyDeaths in a row, without having been ready, make WaitReady give up.
	earlyDeaths = 5
	// lastLines of a part's output are kept, to show why it ended.
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
	// Command returns what to run. It is called before each start.
	Command func() (Command, error)
	// Ready returns nil if the part can do its work. Without it, a part that runs is ready.
	Ready func(ctx context.Context) error
	// Lines gets each line of output without its line end. It must not keep the slice.
	Lines func(line []byte)
	// Stop is the signal that asks the part to end (default SIGTERM). After Grace it is killed.
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
	// ExtraFiles become its file descriptors from 3 on.
	ExtraFiles []*os.File
}

// Kind is what happened to a part.
type Kind int

// The kinds of events.
const (
	Started Kind = iota + 1
	Ready
	Unready // it was ready before
	Died    // it ended by itself; it starts again after Delay
	Stopped // it ended when it was asked
	Killed  // it did not end in time when it was asked
)

// Event is something that happened to a part.
type Event struct {
	Kind  Kind
	Part  string
	PID   int
	Took  time.Duration // Ready: since the start of this process
	Delay time.Duration // Died: until the next start
	Err   error         // Died, Unready: the reason
}

// Config holds the functions that a Supervisor calls. Both may be nil.
type Config struct {
	// Record writes the state of all parts to disk. If it fails, a part does not start.
	Record func([]Status) error
	// Event gets what happens, from several goroutines.
	Event func(Event)
}

// Status is the state of a part.
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

// Add adds a part without starting it.
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

// Hurry turns every running or later stop into a kill.
func (s *Supervisor) Hurry() { s.hurried.Do(func() { close(s.hurry) }) }

// Close stops the parts that still run and ends the supervisor.
func (s *Supervisor) Close() {
	var names []string
	for _, st := range s.Status() {
		names = append(names, st.Name)
	}
	s.Stop(names...)
	s.starter.close()
}

// Save records the parts now. It waits for a record that is being written, so an older record never replaces a newer one.
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

// DiedError says that a part ends again and again.
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

// WaitReady returns nil when every named part is ready. It returns a *DiedError when one of them ends again and again without
// having been ready, and an error that wraps ctx's and names the missing parts when ctx is done.
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
