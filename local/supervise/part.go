// When one part is started, called ready, and ended.

package supervise

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/procid"
)

// Part is one supervised part.
type Part struct {
	s    *Supervisor
	spec Spec

	run  sync.Mutex    // held by Start and Stop
	stop chan struct{} // closed to stop; nil while the part should be down
	done chan struct{} // closed when it has stopped

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced with every change
	id       procid.ID
	ready    bool
	restarts int
	deaths   int // in a row, without having been ready
	lastErr  error
	since    time.Time
	tail     []string
}

// Start starts the part and returns at once. It does nothing for a part that is up.
func (p *Part) Start() {
	p.run.Lock()
	defer p.run.Unlock()
	if p.stop != nil {
		return
	}
	p.update(func() { p.deaths, p.lastErr = 0, nil })
	p.stop, p.done = make(chan struct{}), make(chan struct{})
	go p.keep(p.stop, p.done)
}

// Stop stops the part and returns when it is down.
func (p *Part) Stop() {
	p.run.Lock()
	defer p.run.Unlock()
	if p.stop == nil {
		return
	}
	close(p.stop)
	<-p.done
	p.stop, p.done = nil, nil
}

// Signal sends sig to the part's process group.
func (p *Part) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	id := p.id
	p.mu.Unlock()
	if id.PID == 0 {
		return fmt.Errorf("signal %s: it has no running process", p.spec.Name)
	}
	id.Exe = "" // the process may still be the gate and not the program
	return id.SignalGroup(sig)
}

// Status returns the state of the part.
func (p *Part) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Status{Name: p.spec.Name, ID: p.id, Port: p.spec.Port, Ready: p.ready, Restarts: p.restarts, Since: p.since, Stop: p.spec.Stop}
}

// keep runs the part until stop is closed.
func (p *Part) keep(stop <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	for failures := 0; ; {
		began := time.Now()
		err := p.once(stop)
		if err == nil { // it was asked to stop
			return
		}
		if time.Since(began) >= p.s.stableAfter {
			failures = 0
		}
		failures++
		delay := Delay(failures)
		p.update(func() { p.deaths++; p.restarts++; p.lastErr = err })
		_ = p.s.Save() // for the status; a start, which must not be lost, checks it
		p.s.tell(Event{Kind: Died, Part: p.spec.Name, Err: err, Delay: delay})
		select {
		case <-stop:
			p.s.tell(Event{Kind: Stopped, Part: p.spec.Name})
			return
		case <-time.After(delay):
		}
	}
}

// once runs one process of the part. It returns nil if the process ended because stop was closed.
func (p *Part) once(stop <-chan struct{}) error {
	cmd, err := p.spec.Command()
	if err != nil {
		return err
	}
	proc, err := p.s.starter.start(cmd, p.spec.Stop, p.line)
	if err != nil {
		return err
	}
	id, err := procid.Of(proc.PID())
	if err == nil {
		id.Exe = "" // the gate becomes the program later
		p.update(func() { p.id, p.since = id, time.Now() })
		err = p.s.Save()
	}
	if err != nil { // without a record it must not run
		proc.abort()
		<-proc.ended
		p.update(func() { p.id, p.since = procid.ID{}, time.Now() })
		return fmt.Errorf("record its process: %w", err)
	}
	proc.open()
	p.s.tell(Event{Kind: Started, Part: p.spec.Name, PID: id.PID})

	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() { p.watch(ctx, id) })
	defer func() {
		cancel()
		watch.Wait()
		p.update(func() { p.id, p.ready, p.since = procid.ID{}, false, time.Now() })
		_ = p.s.Save() // the next run would recognise an ended process anyway
	}()

	select {
	case <-proc.ended:
		return proc.reason()
	case <-stop:
	}
	cancel() // no readiness questions while it ends
	watch.Wait()
	kind := Stopped
	if !p.end(proc) {
		kind = Killed
	}
	p.s.tell(Event{Kind: kind, Part: p.spec.Name, PID: id.PID})
	return nil
}

// end asks the process to end and kills it when its grace is over. It reports whether asking was enough.
func (p *Part) end(proc *process) bool {
	_ = syscall.Kill(-proc.PID(), p.spec.Stop) // it may have ended meanwhile
	grace := time.NewTimer(p.spec.Grace)
	defer grace.Stop()
	select {
	case <-proc.ended:
		return true
	case <-p.s.hurry:
	case <-grace.C:
	}
	proc.kill()
	<-proc.ended
	return false
}

// watch asks again and again whether the part is ready.
func (p *Part) watch(ctx context.Context, id procid.ID) {
	began, every, known := time.Now(), fastPoll, false
	for {
		var err error
		if p.spec.Ready != nil {
			rctx, cancel := context.WithTimeout(ctx, readyTimeout)
			err = p.spec.Ready(rctx)
			cancel()
		}
		if ctx.Err() != nil {
			return
		}
		if now := err == nil; now != known {
			known = now
			// The event comes before the change, so a caller of WaitReady has seen the event.
			if now {
				every = slowPoll
				p.s.tell(Event{Kind: Ready, Part: p.spec.Name, PID: id.PID, Took: time.Since(began)})
			} else {
				every = fastPoll * 4
				p.s.tell(Event{Kind: Unready, Part: p.spec.Name, PID: id.PID, Err: err})
			}
			p.update(func() {
				p.ready = now
				if now {
					p.deaths = 0
					if full, err := procid.Of(id.PID); err == nil && full.Start == id.Start {
						p.id = full // with its program, which runs now
					}
				}
			})
			_ = p.s.Save() // for the status
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

func (p *Part) line(line []byte) {
	p.mu.Lock()
	if len(p.tail) == lastLines {
		p.tail = append(p.tail[:0], p.tail[1:]...)
	}
	p.tail = append(p.tail, string(line))
	p.mu.Unlock()
	if p.spec.Lines != nil {
		p.spec.Lines(line)
	}
}

func (p *Part) update(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Part) waitReady(ctx context.Context) error {
	for {
		p.mu.Lock()
		ready, deaths, err, changed := p.ready, p.deaths, p.lastErr, p.changed
		tail := append([]string(nil), p.tail...)
		p.mu.Unlock()
		switch {
		case ready:
			return nil
		case deaths >= earlyDeaths:
			return &DiedError{Part: p.spec.Name, Deaths: deaths, Err: err, Lines: tail}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// exitError returns an error that says how a process ended.
func exitError(state *os.ProcessState) error {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return fmt.Errorf("ended by signal %q", ws.Signal())
	}
	return fmt.Errorf("exit code %d", state.ExitCode())
}
