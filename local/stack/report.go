// What a stack reports: the state file, the terminal and the log files.

package stack

import (
	"errors"
	"strings"

	"github.com/taskwire/taskwire/local/console"
	"github.com/taskwire/taskwire/local/logfile"
	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/runstate"
	"github.com/taskwire/taskwire/local/supervise"
)

// record writes the state of the parts to disk. A part starts only after that.
func (s *Stack) record(parts []supervise.Status) error {
	self, err := procid.Self()
	if err != nil {
		return err
	}
	s.mu.Lock()
	ready := s.isReady
	s.mu.Unlock()
	state := runstate.State{Supervisor: self, URL: s.URL(), Started: s.started, Ready: ready}
	for _, p := range parts {
		state.Parts = append(state.Parts, runstate.Part{
			Name: p.Name, ID: p.ID, Port: p.Port, Ready: p.Ready, Restarts: p.Restarts, Since: p.Since, Stop: p.Stop,
		})
	}
	return runstate.Save(s.cfg.Data, state)
}

// event shows a person what happened to a part.
func (s *Stack) event(e supervise.Event) {
	s.mu.Lock()
	running, ending, again := s.isReady, s.ending, s.seen[e.Part]
	if e.Kind == supervise.Ready {
		s.seen[e.Part] = true
	}
	s.mu.Unlock()
	switch e.Kind {
	case supervise.Ready:
		if again {
			s.out.Done(e.Part+" ready again", e.Took)
		} else {
			s.out.Done(e.Part+" ready", e.Took)
		}
	case supervise.Unready:
		if running && !ending {
			s.out.Warn("%s is not ready: %v", e.Part, e.Err)
		}
	case supervise.Died:
		if !ending {
			s.out.Fail("%s ended (%v); it starts again in %s", e.Part, e.Err, e.Delay)
			s.log.Warn("part ended", "part", e.Part, "error", e.Err, "delay", e.Delay)
		}
	case supervise.Stopped:
		if ending {
			s.out.Step("%s stopped", e.Part)
		}
	case supervise.Killed:
		s.out.Warn("%s did not stop in time and was killed", e.Part)
	case supervise.Started:
	}
}

// lines returns the receiver of a part's output: all of it goes to the part's file, what matters to the terminal.
func (s *Stack) lines(part string) func([]byte) {
	file := s.logs[part]
	least := console.Info
	switch {
	case s.cfg.Verbose:
		least = console.Debug
	case part == Postgres || part == Sentry || strings.HasSuffix(part, "-daprd"):
		least = console.Warn // each start writes a hundred lines of no importance
	}
	failing := false // one part's lines come from one goroutine at a time
	return func(line []byte) {
		if err := file.WriteLine(line); (err != nil) != failing {
			if failing = err != nil; failing {
				s.out.Fail("cannot write the log of %s: %v", part, err)
			}
		}
		s.out.Log(part, line, least)
	}
}

func (s *Stack) openLogs() error {
	s.logs = map[string]*logfile.File{}
	for _, part := range s.parts() {
		f, err := logfile.Open(s.LogPath(part))
		if err != nil {
			s.closeLogs()
			return err
		}
		s.logs[part] = f
	}
	return nil
}

func (s *Stack) closeLogs() {
	var errs []error
	for _, f := range s.logs {
		errs = append(errs, f.Close())
	}
	if err := errors.Join(errs...); err != nil {
		s.out.Warn("close the logs: %v", err)
	}
}
