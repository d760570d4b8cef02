// How a server is started, awaited and stopped.

package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	startTimeout = 60 * time.Second // for the crash recovery of a large cluster on a slow disk
	startPoll    = 15 * time.Millisecond
	// portTries bounds the starts: a free port can be taken between its choice and the server's start.
	portTries = 5
	// tailLines of the server's output go into the error when it does not start.
	tailLines = 8
)

// Server is a running server.
type Server struct {
	plan *Plan
	cmd  *exec.Cmd
	tail *tail
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; set before done is closed
}

// Start prepares and runs a server and returns when it answers. The data folder is taken until Stop, also if the server
// ends by itself.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	for try := 1; ; try++ {
		plan, err := Prepare(ctx, cfg)
		if err != nil {
			return nil, err
		}
		s, err := plan.start(ctx, cfg.Log)
		if err == nil {
			return s, nil
		}
		plan.Release()
		if cfg.Port != 0 || try == portTries || !errors.Is(err, errPortTaken) {
			return nil, fmt.Errorf("local postgres in %s: %w", cfg.DataDir, err)
		}
	}
}

var errPortTaken = errors.New("the port is taken")

func (p *Plan) start(ctx context.Context, log io.Writer) (*Server, error) {
	cmd, err := p.Command(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{plan: p, cmd: cmd, tail: &tail{to: log}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = s.tail, s.tail
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = cmd.Wait()
		close(s.done)
	}()
	if err := s.awaitReady(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitPatience)
		defer cancel()
		_ = s.end(stop)
		return nil, err
	}
	return s, nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.plan.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.done:
			text := s.tail.String()
			if strings.Contains(text, "could not bind") || strings.Contains(text, "could not create any TCP/IP sockets") {
				return fmt.Errorf("%w: %s", errPortTaken, text)
			}
			return fmt.Errorf("the server ended (%w), the folder was left as it is: %s", s.err, text)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w: %s", err, s.tail.String())
		case <-time.After(startPoll):
		}
	}
}

// URL returns the superuser's address of database postgres.
func (s *Server) URL() string { return s.plan.URL }

// PID returns the postmaster's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Wait returns when the server has ended. It returns nil if the server was shut down.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Stop ends the server by a fast shutdown: it rolls transactions back, and everything committed is on disk. If ctx ends first,
// the server is killed, and its next start recovers everything committed. Stop gives the data folder back. It may be
// called again.
func (s *Server) Stop(ctx context.Context) error {
	err := s.end(ctx)
	s.plan.Release()
	return err
}

func (s *Server) end(ctx context.Context) error {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		select {
		case <-s.done: // another process may have its pid by now
		default:
			_ = s.cmd.Process.Signal(sig)
		}
		select {
		case <-s.done:
			// A killed postmaster leaves backends, which may not end by themselves.
			return endRemains(context.WithoutCancel(ctx), s.plan.cluster, s.plan.cfg.progress)
		case <-ctx.Done():
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), quitPatience)
			defer cancel()
		}
	}
	<-s.done
	return endRemains(context.WithoutCancel(ctx), s.plan.cluster, s.plan.cfg.progress)
}

// tail passes output on and keeps the last lines.
type tail struct {
	to io.Writer

	mu    sync.Mutex
	lines []string
	part  string
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to != nil {
		_, _ = t.to.Write(b) // a full log disk must not stop the server
	}
	parts := strings.Split(t.part+string(b), "\n")
	t.part = parts[len(parts)-1]
	t.lines = append(t.lines, parts[:len(parts)-1]...)
	if extra := len(t.lines) - tailLines; extra > 0 {
		t.lines = append(t.lines[:0:0], t.lines[extra:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, " | ")
}
