// Package audittest has a log with a signer in the process of a test. The signer keeps to the rule of the real one, which is
// tested in services/audit-signer and, with both processes, in e2e.
package audittest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/postgres"
)

// Origin is the name of the log's key.
const Origin = "taskwire-audit"

// Signer is a signer in memory.
type Signer struct {
	Secret, Key string // of the note format
	mu          sync.Mutex
	last        auditlog.Checkpoint
	signed      []byte
	away        error
}

// NewSigner makes a signer with a new key that has signed nothing.
func NewSigner(t testing.TB) *Signer {
	t.Helper()
	secret, key, err := note.GenerateKey(rand.Reader, Origin)
	if err != nil {
		t.Fatal(err)
	}
	return &Signer{Secret: secret, Key: key, last: auditlog.Checkpoint{Root: auditlog.EmptyRoot}}
}

// Away makes every call fail with the error, until it is nil.
func (s *Signer) Away(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

// Last implements domain.Signer.
func (s *Signer) Last(context.Context) ([]byte, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signed, s.Key, s.away
}

// Begin makes the signer begin at a checkpoint that it signed, nil for the empty log, as `audit-signer begin --replace` does.
func (s *Signer) Begin(t testing.TB, signed []byte) {
	t.Helper()
	last := auditlog.Checkpoint{Root: auditlog.EmptyRoot}
	if signed != nil {
		var err error
		if last, err = auditlog.OpenCheckpoint(signed, s.Key); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.signed = last, signed
}

// Rotate gives the signer a new key, with which it begins at the empty log.
func (s *Signer) Rotate(t testing.TB) {
	t.Helper()
	next := NewSigner(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Secret, s.Key, s.last, s.signed = next.Secret, next.Key, next.last, nil
}

// Sign implements domain.Signer.
func (s *Signer) Sign(_ context.Context, r domain.SignRequest) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.away != nil:
		return nil, s.away
	case s.signed != nil && r.Size == s.last.Size && r.Root == s.last.Root:
		return s.signed, nil
	case r.From != s.last.Size:
		return nil, &domain.StaleError{Last: s.signed}
	case r.Size == s.last.Size && r.Root != s.last.Root, r.From > 0 && tlog.CheckTree(r.Proof, r.Size, r.Root, r.From, s.last.Root) != nil:
		return nil, &domain.RefusedError{Reason: "another log"}
	}
	s.last = auditlog.Checkpoint{Origin: Origin, Size: r.Size, Root: r.Root}
	key, err := note.NewSigner(s.Secret)
	if err == nil {
		s.signed, err = s.last.Sign(key)
	}
	return s.signed, err
}

// Log is a log on a database, checked once.
type Log struct {
	*domain.Log
	Checker     *domain.Checker
	Checkpoints *domain.Checkpoints
	Signer      *Signer
	Metrics     *prometheus.Registry
}

// Open opens the log of a store with a signer.
func Open(t testing.TB, store *postgres.Store, signer *Signer, log *slog.Logger) *Log {
	t.Helper()
	l := &Log{Signer: signer, Metrics: prometheus.NewRegistry()}
	l.Checkpoints = domain.NewCheckpoints(store, signer, time.Now, l.Metrics)
	l.Checker = domain.NewChecker(store, l.Checkpoints.Last, log, l.Metrics)
	l.Checkpoints.Use(l.Checker)
	l.Log = domain.NewLog(store, l.Checkpoints)
	if !l.Checker.Pass(context.Background(), true) {
		t.Fatal("the log was not checked")
	}
	return l
}
