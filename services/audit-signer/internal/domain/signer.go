package domain

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// ErrNotBegun means that the signer has no last checkpoint and was not told where to begin.
var ErrNotBegun = errors.New("the signer does not know the last checkpoint that it signed")

// StaleError means that the caller does not know the last checkpoint, which is Last.
type StaleError struct{ Last []byte }

func (e *StaleError) Error() string { return "the caller does not know the last signed checkpoint" }

// RefusedError means that the log of the request is not the one that was signed, or that its proof is wrong. Reason is a
// text for the log.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "not signed: " + e.Reason }

// Request asks for the signature of a checkpoint.
type Request struct {
	From  int64 // the size of the last checkpoint that the caller knows; 0 if it knows none
	Size  int64
	Root  tlog.Hash
	Proof []tlog.Hash // of consistency between From and Size; empty if From is 0 or Size
}

// State is the last checkpoint that was signed.
type State struct {
	Size   int64
	Root   tlog.Hash
	Signed []byte // nil before the first one; the tree is then empty
}

// Store keeps the state.
type Store interface {
	// Load returns ErrNotBegun if there is no state, or an order to begin that cannot be carried out.
	Load() (State, error)
	// Save puts the state on disk. The state of before stays if it returns an error.
	Save(s State) error
}

// Signer signs checkpoints. It is safe for concurrent use.
type Signer struct {
	key   note.Signer
	vkey  string
	store Store
	keep  func(State) error

	mu sync.Mutex // one request at a time: each needs the state of the one before
}

// New makes a signer. skey is in the signer form of x/mod/sumdb/note; its name is the log's origin. keep adds a signed
// checkpoint to the history, and does nothing for the last one there.
func New(skey string, store Store, keep func(State) error) (*Signer, error) {
	key, err := note.NewSigner(skey)
	if err != nil {
		return nil, errors.New("the checkpoint signing key is not a signer key of the note format") // the error could quote it
	}
	vkey, err := auditlog.VerifierKey(skey)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint signing key: %w", err)
	}
	return &Signer{key: key, vkey: vkey, store: store, keep: keep}, nil
}

// VerifierKey returns the public key.
func (s *Signer) VerifierKey() string { return s.vkey }

// Last returns the last signed checkpoint, nil before the first one.
func (s *Signer) Last() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, err := s.load()
	return state.Signed, err
}

// Ready reports whether the signer knows its last checkpoint.
func (s *Signer) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.load()
	return err
}

// Sign returns the signed checkpoint of the request. The same request again gets the same answer.
func (s *Signer) Sign(r Request) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.load()
	if err != nil {
		return nil, err
	}
	if err := s.keep(last); err != nil { // which a failure after its signature left out
		return nil, fmt.Errorf("keep the checkpoint of size %d: %w", last.Size, err)
	}
	if r.Size == last.Size && r.Root == last.Root && last.Signed != nil {
		return last.Signed, nil // again, or another replica asks for the same one
	}
	if err := check(last, r); err != nil {
		return nil, err
	}
	signed, err := auditlog.Checkpoint{Origin: s.key.Name(), Size: r.Size, Root: r.Root}.Sign(s.key)
	if err != nil {
		return nil, err
	}
	next := State{Size: r.Size, Root: r.Root, Signed: signed}
	if err := s.store.Save(next); err != nil {
		return nil, fmt.Errorf("keep the checkpoint of size %d: %w", r.Size, err)
	}
	if err := s.keep(next); err != nil {
		return nil, fmt.Errorf("keep the checkpoint of size %d: %w", r.Size, err)
	}
	return signed, nil
}

// check returns nil if the log of the request begins with the log of the last checkpoint.
func check(last State, r Request) error {
	switch {
	case r.Size < 0 || r.From < 0 || r.From > r.Size:
		return &RefusedError{"the sizes are not those of a growing log"}
	case r.From != last.Size:
		return &StaleError{last.Signed}
	case r.Size == last.Size && r.Root != last.Root:
		return &RefusedError{fmt.Sprintf("another root than the one that was signed for size %d", last.Size)}
	case last.Size == 0 || r.Size == last.Size:
		return nil // every log begins with the empty one
	}
	if err := tlog.CheckTree(r.Proof, r.Size, r.Root, last.Size, last.Root); err != nil {
		return &RefusedError{fmt.Sprintf("the log of %d entries does not begin with the signed log of %d", r.Size, last.Size)}
	}
	return nil
}

// load returns the state after a check of its signature, so that nobody who can only write the file chooses the next log.
func (s *Signer) load() (State, error) {
	state, err := s.store.Load()
	if err != nil {
		return State{}, err
	}
	if state.Signed == nil {
		return State{Root: auditlog.EmptyRoot}, nil
	}
	c, err := auditlog.OpenCheckpoint(state.Signed, s.vkey)
	if err != nil {
		return State{}, fmt.Errorf("the kept checkpoint is not one of this key: %w", err)
	}
	return State{Size: c.Size, Root: c.Root, Signed: state.Signed}, nil
}
