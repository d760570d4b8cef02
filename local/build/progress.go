// What a person sees of a long build.

package build

import (
	"fmt"
	"sync/atomic"
	"time"
)

// progress shows how far a job is: on a terminal in one line that changes, elsewhere in a line every lineInterval. A job
// that ends within quiet shows nothing.
type progress struct {
	cfg         Config
	what        string
	doing, done string // the verbs
	total       int    // packages to compile; 0 where it is not known
	begin       time.Time
	built       atomic.Int64
}

// show starts to show progress. stop ends it; ok says whether the job succeeded.
func (p *progress) show() (stop func(ok bool)) {
	ended, shown := make(chan bool), make(chan struct{})
	go func() {
		defer close(shown)
		timer := time.NewTimer(quiet)
		defer timer.Stop()
		shownOnce := false
		for {
			select {
			case ok := <-ended:
				if shownOnce && ok {
					p.print(p.done, true)
				} else if shownOnce && p.cfg.TTY {
					fmt.Fprintln(p.cfg.Out)
				}
				return
			case <-timer.C:
				p.print(p.doing, false)
				shownOnce = true
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
		count = fmt.Sprintf(" %d/%d packages,", min(int(p.built.Load()), p.total), p.total)
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
