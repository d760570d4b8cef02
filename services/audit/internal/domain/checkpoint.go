package domain

// This file has the log's checkpoints signed, and keeps them.

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

const (
	// signEvery is the least time between two signatures that this process asks for. A request waits for the next one. It
	// bounds how many checkpoints there are: at most one a second, and none without new entries.
	signEvery = time.Second
	// signTimeout bounds one request for a signature, with the check of new entries before it. After that the newest
	// kept checkpoint is the answer.
	signTimeout = 8 * time.Second
	// signAttempts bounds how often a request is made again because another replica was faster.
	signAttempts = 4
	// newestTried is how many of the newest kept checkpoints are read to find one with a valid signature. The first one has
	// it, unless somebody else wrote into the table; the check reports that.
	newestTried = 16
)

// ErrNoCheckpoint means that no checkpoint was ever signed, and none can be signed now.
var ErrNoCheckpoint = errors.New("the audit log has no signed checkpoint yet")

// Kept is a signed checkpoint in the database.
type Kept struct {
	Size   int64
	Root   tlog.Hash
	Signed []byte
	Key    string // the public key of its signature
}

// open returns the checkpoint, or a *auditlog.Difference if the key did not sign it.
func (k Kept) open() (auditlog.Checkpoint, error) {
	cp, err := auditlog.OpenCheckpoint(k.Signed, k.Key)
	if err != nil || cp.Size != k.Size {
		return auditlog.Checkpoint{}, &auditlog.Difference{Kind: auditlog.KindKey, Position: k.Size, Detail: fmt.Sprintf("the kept checkpoint of size %d", k.Size)}
	}
	return cp, nil
}

// SignRequest asks for the signature of a checkpoint.
type SignRequest struct {
	From  int64 // the size of the newest kept checkpoint of the signer's key
	Size  int64
	Root  tlog.Hash
	Proof []tlog.Hash // of consistency between the two
}

// StaleError is a signer's answer to a request that does not begin at its last checkpoint, which is Last.
type StaleError struct{ Last []byte }

func (e *StaleError) Error() string { return "another checkpoint was signed last" }

// RefusedError is a signer's answer for a log that does not begin with the one that it signed last.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "the signer refused: " + e.Reason }

// Signer signs checkpoints. It keeps the last one that it signed.
type Signer interface {
	// Last returns the last signed checkpoint, nil if there is none, and the public key.
	Last(ctx context.Context) (signed []byte, key string, err error)
	// Sign returns the signed checkpoint, a *StaleError or a *RefusedError.
	Sign(ctx context.Context, r SignRequest) ([]byte, error)
}

// CheckpointStore keeps checkpoints and reads what they need.
type CheckpointStore interface {
	CheckStore
	// Newest returns at most limit kept checkpoints of a key, "" for any, by size, the largest first.
	Newest(ctx context.Context, key string, limit int) ([]Kept, error)
	// Keep adds a checkpoint, unless it is there.
	Keep(ctx context.Context, k Kept) error
	ReadHashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error)
}

// Checkpoints has the head of the log signed. Every checkpoint that the signer signs is kept before the next one is asked
// for, because a request names the newest kept one.
type Checkpoints struct {
	store   CheckpointStore
	signer  Signer
	checker *Checker
	now     func() time.Time

	turn    chan struct{} // one value: who has it may ask the signer
	waiting prometheus.Gauge

	mu      sync.Mutex
	vkey    string    // once known
	asked   time.Time // when the signer was asked last
	missing time.Time // since when there are entries without a signature; zero if there are none
}

// NewCheckpoints returns the checkpoints of a log. Use must follow.
func NewCheckpoints(store CheckpointStore, signer Signer, now func() time.Time, reg prometheus.Registerer) *Checkpoints {
	c := &Checkpoints{store: store, signer: signer, now: now, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	c.waiting = prometheus.NewGauge(prometheus.GaugeOpts{Name: "audit_unsigned_seconds", Help: "How long the oldest entries without a signed checkpoint wait for one."})
	reg.MustRegister(c.waiting)
	return c
}

// Use sets the checker, which was made with Last. It is called once, before the first request.
func (c *Checkpoints) Use(checker *Checker) { c.checker = checker }

// Last returns the last checkpoint that was signed. Its size is 0 if there is none. While the signer is away, it is the
// newest kept one.
func (c *Checkpoints) Last(ctx context.Context) (auditlog.Checkpoint, error) {
	signed, key, err := c.signer.Last(ctx)
	if err != nil {
		newest, err := c.newest(ctx, c.known())
		if err != nil && !errors.Is(err, ErrNoCheckpoint) {
			return auditlog.Checkpoint{}, err
		}
		signed, key = newest.Signed, newest.Key
	} else {
		c.learn(key)
	}
	if signed == nil {
		return auditlog.Checkpoint{Root: auditlog.EmptyRoot}, nil
	}
	last, err := auditlog.OpenCheckpoint(signed, key)
	if err != nil {
		return auditlog.Checkpoint{}, &auditlog.Difference{Kind: auditlog.KindKey, Detail: "the last checkpoint"}
	}
	return last, nil
}

func (c *Checkpoints) learn(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vkey = key
}

// known returns the signer's key, "" while it is not known.
func (c *Checkpoints) known() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.vkey
}

// newest returns the newest kept checkpoint that the key signed, or that its own key signed if key is "". It returns
// ErrNoCheckpoint if there is none.
func (c *Checkpoints) newest(ctx context.Context, key string) (Kept, error) {
	found, err := c.store.Newest(ctx, key, newestTried)
	if err != nil {
		return Kept{}, err
	}
	for _, k := range found {
		if cp, err := k.open(); err == nil {
			k.Root = cp.Root
			return k, nil
		}
	}
	return Kept{}, ErrNoCheckpoint
}

// Key returns the public key that verifies checkpoints, in note format.
func (c *Checkpoints) Key(ctx context.Context) (string, error) {
	if known := c.known(); known != "" {
		return known, nil
	}
	_, key, err := c.signer.Last(ctx)
	if err == nil {
		c.learn(key)
		return key, nil
	}
	newest, kept := c.newest(ctx, "")
	if kept == nil {
		return newest.Key, nil
	}
	return "", fmt.Errorf("%w: %w", ErrNoCheckpoint, err)
}

// Head returns the signed checkpoint of the current log. If it cannot be signed now, because the signer is away or the log
// is not what was signed, the newest kept one is returned, of an earlier key if the signer's has signed none; ErrNoCheckpoint
// if there is none at all.
func (c *Checkpoints) Head(ctx context.Context) (Kept, error) {
	size, err := c.store.Size(ctx)
	if err != nil {
		return Kept{}, fmt.Errorf("checkpoint: %w", err)
	}
	newest, err := c.newest(ctx, c.known())
	if err != nil && !errors.Is(err, ErrNoCheckpoint) {
		return Kept{}, fmt.Errorf("checkpoint: %w", err)
	}
	none := err != nil
	if !none && newest.Size == size && c.checker.Ready(ctx) == nil {
		c.signedUpTo(size, size)
		return newest, nil
	}
	signing, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	signed, err := c.sign(signing, size)
	switch {
	case err == nil:
		return signed, nil
	case ctx.Err() != nil:
		return Kept{}, ctx.Err()
	}
	c.signedUpTo(newest.Size, size)
	if none {
		earlier, other := c.newest(ctx, "")
		if other != nil {
			return Kept{}, fmt.Errorf("%w: %w", ErrNoCheckpoint, err)
		}
		return earlier, nil
	}
	return newest, nil
}

// SignNew has new entries signed. The log and the metric say when that fails.
func (c *Checkpoints) SignNew(ctx context.Context) {
	_, _ = c.Head(ctx) // nothing else waits for it, and the next call tries again
}

// signedUpTo records whether entries wait for a signature.
func (c *Checkpoints) signedUpTo(signed, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case signed >= size:
		c.missing = time.Time{}
		c.waiting.Set(0)
	case c.missing.IsZero():
		c.missing = c.now()
	default:
		c.waiting.Set(c.now().Sub(c.missing).Seconds())
	}
}

// sign has a log of at least size signed. Concurrent calls share a signature.
func (c *Checkpoints) sign(ctx context.Context, size int64) (Kept, error) {
	select {
	case <-ctx.Done():
		return Kept{}, ctx.Err()
	case <-c.turn:
	}
	defer func() { c.turn <- struct{}{} }()
	if newest, err := c.newest(ctx, c.known()); err == nil && newest.Size >= size && c.checker.Ready(ctx) == nil {
		return newest, nil // the one before had it signed
	}
	c.mu.Lock()
	pause := signEvery - c.now().Sub(c.asked)
	c.mu.Unlock()
	if pause > 0 && !wait(ctx, pause) {
		return Kept{}, ctx.Err()
	}
	c.mu.Lock()
	c.asked = c.now()
	c.mu.Unlock()
	var err error
	for range signAttempts {
		var signed Kept
		if signed, err = c.signOnce(ctx); err == nil {
			c.signedUpTo(signed.Size, signed.Size)
			return signed, nil
		}
		var stale *StaleError
		if !errors.As(err, &stale) {
			break
		}
		if err = c.catchUp(ctx, stale.Last); err != nil {
			break
		}
		err = stale
	}
	var refused *RefusedError
	if errors.As(err, &refused) {
		c.checker.Report(ctx, &auditlog.Difference{Kind: auditlog.KindRoot, Until: size})
	}
	return Kept{}, err
}

// signOnce checks the new entries and asks the signer once.
func (c *Checkpoints) signOnce(ctx context.Context) (Kept, error) {
	head, err := c.checker.UpTo(ctx, -1)
	if err != nil {
		return Kept{}, err
	}
	key, err := c.Key(ctx)
	if err != nil {
		return Kept{}, err
	}
	newest, err := c.newest(ctx, key)
	switch {
	case errors.Is(err, ErrNoCheckpoint): // of this key: it begins at the empty log
		newest = Kept{Root: auditlog.EmptyRoot}
	case err != nil:
		return Kept{}, err
	case newest.Size > head.Size: // another replica was faster
		return newest, nil
	}
	r := SignRequest{From: newest.Size, Size: head.Size, Root: head.Root}
	if r.From > 0 && r.From < r.Size {
		if r.Proof, err = tlog.ProveTree(r.Size, r.From, hashReader(ctx, c.store)); err != nil {
			return Kept{}, fmt.Errorf("prove size %d in size %d: %w", r.From, r.Size, err)
		}
	}
	signed, err := c.signer.Sign(ctx, r)
	if err != nil {
		return Kept{}, err
	}
	return c.keep(ctx, signed)
}

// keep checks and keeps a checkpoint of the signer. One of a larger log than the database has is a difference, and is not kept:
// nobody but the owner of the database could delete it when the signer is told where to begin.
func (c *Checkpoints) keep(ctx context.Context, signed []byte) (Kept, error) {
	key, err := c.Key(ctx)
	if err != nil {
		return Kept{}, err
	}
	cp, err := auditlog.OpenCheckpoint(signed, key)
	if err != nil {
		return Kept{}, fmt.Errorf("the signer's answer: %w", err)
	}
	size, err := c.store.Size(ctx)
	if err != nil {
		return Kept{}, fmt.Errorf("the signer's answer: %w", err)
	}
	if size < cp.Size {
		bad := &auditlog.Difference{Kind: auditlog.KindShort, Position: size, Until: cp.Size}
		c.checker.Report(ctx, bad)
		return Kept{}, bad
	}
	k := Kept{Size: cp.Size, Root: cp.Root, Signed: signed, Key: key}
	return k, c.store.Keep(ctx, k)
}

// catchUp keeps the signer's last checkpoint, which this database did not know: another replica asked for it, or a crash
// came before it was kept.
func (c *Checkpoints) catchUp(ctx context.Context, last []byte) error {
	if last == nil {
		return errors.New("the signer has signed nothing, and a checkpoint is kept: tell the signer where to begin (docs/audit.md)")
	}
	_, err := c.keep(ctx, last)
	return err
}
