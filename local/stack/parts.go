// What tests and commands do with a running stack's parts: look at them, signal, stop and start them.

package stack

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/procid"
	"github.com/taskwire/taskwire/local/supervise"
)

// PartStatus is the state of a part.
type PartStatus struct {
	Name     string    `json:"part"`
	PID      int       `json:"pid"` // 0: it does not run now
	Port     int       `json:"port"`
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts"`
	RSSBytes int64     `json:"rss_bytes"` // with its child processes
	Since    time.Time `json:"since"`
}

// Status returns the state of each part, nothing before Run.
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

// Kill sends a signal to a part. A part that ends by it is started again.
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

// Start starts a part that was held or stopped. It does not wait until the part is ready.
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

// Hurry turns a running or later stop into a kill.
func (s *Stack) Hurry() {
	s.mu.Lock()
	sup := s.sup
	s.mu.Unlock()
	if sup != nil {
		sup.Hurry()
	}
}
