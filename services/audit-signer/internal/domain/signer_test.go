package domain

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// memory is a Store in memory. fails makes Save fail.
type memory struct {
	state State
	begun bool
	fails error
}

func (m *memory) Load() (State, error) {
	if !m.begun {
		return State{}, ErrNotBegun
	}
	return m.state, nil
}

func (m *memory) Save(s State) error {
	if m.fails == nil {
		m.state = s
	}
	return m.fails
}

// tree is a log whose leaves are texts.
type tree struct{ hashes []tlog.Hash }

func (l *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = l.hashes[index]
	}
	return out, nil
}

func treeOf(t *testing.T, word string, n int) *tree {
	t.Helper()
	l := &tree{}
	for i := range n {
		hashes, err := tlog.StoredHashes(int64(i), fmt.Appendf(nil, "%s %d", word, i), l)
		if err != nil {
			t.Fatal(err)
		}
		l.hashes = append(l.hashes, hashes...)
	}
	return l
}

func (l *tree) request(t *testing.T, from, size int64) Request {
	t.Helper()
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		t.Fatal(err)
	}
	r := Request{From: from, Size: size, Root: root}
	if from > 0 && from < size {
		if r.Proof, err = tlog.ProveTree(size, from, l); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func newSigner(t *testing.T, store Store) *Signer {
	t.Helper()
	skey, _, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(skey, store, func(State) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOnlyALogThatGrowsIsSigned(t *testing.T) {
	genuine, rewritten := treeOf(t, "genuine", 20), treeOf(t, "rewritten", 20)
	store := &memory{begun: true}
	s := newSigner(t, store)
	mustSign := func(r Request) []byte {
		t.Helper()
		signed, err := s.Sign(r)
		if err != nil {
			t.Fatalf("Sign(%d to %d): %v", r.From, r.Size, err)
		}
		c, err := auditlog.OpenCheckpoint(signed, s.VerifierKey())
		if err != nil || c.Size != r.Size || c.Root != r.Root {
			t.Fatalf("Sign(%d to %d): got %+v (%v)", r.From, r.Size, c, err)
		}
		return signed
	}
	mustSign(genuine.request(t, 0, 0)) // the empty log
	mustSign(genuine.request(t, 0, 7))
	at7 := mustSign(genuine.request(t, 0, 7)) // again: the caller may not know of it
	at12 := mustSign(genuine.request(t, 7, 12))

	wrongProof := genuine.request(t, 12, 20)
	wrongProof.Proof[0][0] ^= 1
	noProof := genuine.request(t, 12, 20)
	noProof.Proof = nil
	otherRoot := genuine.request(t, 12, 12)
	otherRoot.Root[0] ^= 1
	for name, r := range map[string]Request{
		"a rewritten log":                rewritten.request(t, 12, 20),
		"a rewritten log of equal size":  {From: 12, Size: 12, Root: rewritten.request(t, 0, 12).Root},
		"another root for the same size": otherRoot,
		"a wrong proof":                  wrongProof,
		"no proof":                       noProof,
		"a negative size":                {From: -1, Size: -1},
		"a size below from":              {From: 12, Size: 11},
	} {
		var refused *RefusedError
		if signed, err := s.Sign(r); !errors.As(err, &refused) {
			t.Errorf("%s: got %q, %v, want a refusal", name, signed, err)
		}
	}
	for name, r := range map[string]Request{
		"a caller who is behind":             genuine.request(t, 7, 20),
		"a shorter log":                      genuine.request(t, 0, 5),
		"a rewritten log, as from the start": rewritten.request(t, 0, 20),
	} {
		var stale *StaleError
		if signed, err := s.Sign(r); !errors.As(err, &stale) || string(stale.Last) != string(at12) {
			t.Errorf("%s: got %q, %v, want the last checkpoint", name, signed, err)
		}
	}
	if string(at7) == string(at12) || string(store.state.Signed) != string(at12) {
		t.Error("a refused request changed the state")
	}
	mustSign(genuine.request(t, 12, 20))
}

func TestASignerThatHasNotBegunSignsNothing(t *testing.T) {
	s := newSigner(t, &memory{})
	if signed, err := s.Sign(treeOf(t, "x", 3).request(t, 0, 3)); !errors.Is(err, ErrNotBegun) {
		t.Errorf("Sign: got %q, %v, want ErrNotBegun", signed, err)
	}
	if err := s.Ready(); !errors.Is(err, ErrNotBegun) {
		t.Errorf("Ready: got %v, want ErrNotBegun", err)
	}
}

func TestWhatIsNotOnDiskIsNotAnswered(t *testing.T) {
	log := treeOf(t, "x", 9)
	store := &memory{begun: true, fails: errors.New("disk full")}
	s := newSigner(t, store)
	if signed, err := s.Sign(log.request(t, 0, 5)); !errors.Is(err, store.fails) {
		t.Fatalf("Sign: got %q, %v, want the disk's error", signed, err)
	}
	store.fails = nil
	if _, err := s.Sign(log.request(t, 0, 4)); err != nil { // the size of the failure was not signed
		t.Error(err)
	}
}

// The process ends after the state is on disk and before the answer. The same request, and one of a caller who was told the
// last checkpoint, are answered.
func TestARepeatedRequestGetsTheSameAnswer(t *testing.T) {
	log := treeOf(t, "x", 9)
	store := &memory{begun: true}
	s := newSigner(t, store)
	broken := errors.New("no space for the history")
	s.keep = func(State) error { return broken }
	store.state = State{}
	if _, err := s.Sign(log.request(t, 0, 5)); !errors.Is(err, broken) {
		t.Fatalf("Sign: got %v, want %v", err, broken)
	}
	var kept []int64
	s.keep = func(s State) error { kept = append(kept, s.Size); return nil }
	store.state = State{Signed: mustSigned(t, s, log.request(t, 0, 5))} // as if the end came after Save
	signed, err := s.Sign(log.request(t, 0, 5))
	if err != nil || string(signed) != string(store.state.Signed) {
		t.Errorf("Sign again: got %q, %v, want the same", signed, err)
	}
	if len(kept) == 0 || kept[0] != 5 {
		t.Errorf("kept: got %v, want the checkpoint that was left out", kept)
	}
}

func mustSigned(t *testing.T, s *Signer, r Request) []byte {
	t.Helper()
	signed, err := auditlog.Checkpoint{Origin: s.key.Name(), Size: r.Size, Root: r.Root}.Sign(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestAStateOfAnotherKeyIsRefused(t *testing.T) {
	log := treeOf(t, "x", 9)
	other := newSigner(t, &memory{begun: true})
	s := newSigner(t, &memory{begun: true, state: State{Signed: mustSigned(t, other, log.request(t, 0, 5))}})
	if signed, err := s.Sign(log.request(t, 5, 9)); err == nil {
		t.Errorf("Sign: got %q on top of a checkpoint that another key signed", signed)
	}
}
