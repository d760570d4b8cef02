// How a process is started behind its gate, and how its output is read.

package supervise

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/taskwire/taskwire/local/procid"
)

const (
	// maxLine is where a line of output is cut. The rest becomes the next line.
	maxLine = 64 << 10
	// drainTime is how long output is read after a process has ended. A descendant that left its group may hold the pipe
	// open for ever.
	drainTime = 500 * time.Millisecond
	// gateScript waits for a line on its input before it becomes the program. It ends if the other end of the input is closed.
	gateScript = `read -r go || exit 1; exec "$@" </dev/null`
)

// starter starts processes from one thread that lives as long as the supervisor, because Pdeathsig fires when the thread that
// forked ends, not when its process ends.
type starter struct {
	work  chan func()
	ended chan struct{}
}

func newStarter() *starter {
	s := &starter{work: make(chan func()), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for fn := range s.work {
			fn()
		}
	}()
	return s
}

func (s *starter) close() {
	close(s.work)
	<-s.ended
}

// process is one started process. It waits at its gate until open is called.
type process struct {
	cmd   *exec.Cmd
	gate  *os.File      // written to once
	ended chan struct{} // closed when it has ended and its output was read
	state *os.ProcessState
}

// PID is also the id of its process group.
func (p *process) PID() int { return p.cmd.Process.Pid }

func (s *starter) start(c Command, deathSignal syscall.Signal, line func([]byte)) (*process, error) {
	info, err := os.Stat(c.Path)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("start: %s is not a program", c.Path)
	}
	out, outW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	gateR, gateW, err := os.Pipe()
	if err != nil {
		out.Close()
		outW.Close()
		return nil, fmt.Errorf("start: %w", err)
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", gateScript, "gate", c.Path}, c.Args...)...) //nolint:noctx // Stop ends it, with its whole tree
	cmd.Env, cmd.Dir = c.Env, c.Dir
	cmd.Stdout, cmd.Stderr = outW, outW
	cmd.Stdin, cmd.ExtraFiles = gateR, c.ExtraFiles
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if c.Attr != nil {
		attr := *c.Attr
		cmd.SysProcAttr = &attr
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pgid = true, 0
	setDeathSignal(cmd.SysProcAttr, deathSignal)

	started := make(chan error, 1)
	s.work <- func() { started <- cmd.Start() }
	err = <-started
	outW.Close()
	gateR.Close()
	if err != nil {
		out.Close()
		gateW.Close()
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &process{cmd: cmd, gate: gateW, ended: make(chan struct{})}
	var read sync.WaitGroup
	read.Go(func() { readLines(out, line) })
	go func() {
		_ = cmd.Wait() // the state says how it ended
		p.state = cmd.ProcessState
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the rest of its group
		_ = out.SetReadDeadline(time.Now().Add(drainTime))
		read.Wait()
		out.Close()
		gateW.Close()
		close(p.ended)
	}()
	return p, nil
}

// open lets the process become its program.
func (p *process) open() {
	_, _ = p.gate.WriteString("go\n") // it fails if the process has ended, which ended shows
	p.gate.Close()
}

// abort ends a process that waits at its gate.
func (p *process) abort() {
	p.gate.Close()
	p.kill()
}

func (p *process) kill() {
	id, err := procid.Of(p.PID())
	if err != nil {
		return // ended
	}
	_ = id.KillTree() // it fails if the process has ended
}

// reason returns an error that says how the process ended. Call it after ended is closed.
func (p *process) reason() error { return exitError(p.state) }

// readLines calls fn with each line until the pipe is closed or its deadline is over.
func readLines(r io.Reader, fn func([]byte)) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := br.ReadSlice('\n')
		if len(line) > 0 {
			fn(bytes.TrimRight(line, "\r\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
