package build

import (
	"fmt"
	"sync/atomic"
	"time"
)

// progress shows how far a job is: on a terminal one line that changes, elsewhere a line now and then. A job that is
// done within quiet says nothing.
type progress struct {
	cfg         Config
	what        string
	going, gone string // the verbs
	total       int    // packages to compile; 0: unknown
	begin       time.Time
	done        atomic.Int64
}

// show starts to show and returns what ends it.
func (p *progress) show() (stop func(ok bool)) {
	ended, shown := make(chan bool), make(chan struct{})
	go func() {
		defer close(shown)
		timer := time.NewTimer(quiet)
		defer timer.Stop()
		spoke := false
		for {
			select {
			case ok := <-ended:
				if spoke && ok {
					p.print(p.gone, true)
				} else if spoke && p.cfg.TTY {
					fmt.Fprintln(p.cfg.Out)
				}
				return
			case <-timer.C:
				p.print(p.going, false)
				spoke = true
				if p.cfg.TTY {
					timer.Reset(200 * time.Millisecond)
				} else {
					timer.Reset(lineInterval)
				}
			}
		}
	}()
	return func(ok bool) { ended <- ok; <-shown }
}

func (p *progress) print(verb string, last bool) {
	count := ""
	if p.total > 0 {
		count = fmt.Sprintf(" %d/%d packages,", min(int(p.done.Load()), p.total), p.total)
	}
	start, end := "", "\n"
	if p.cfg.TTY {
		start = "\r\x1b[K"
		if !last {
			end = ""
		}
	}
	fmt.Fprintf(p.cfg.Out, "%s%s %s:%s %s%s", start, verb, p.what, count, time.Since(p.begin).Round(time.Second), end)
}
