package domain

// This file checks the log against itself: columns against leaf, leaf against tree, tree against the signed checkpoints.

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

const (
	// checkBatch is how many entries are read at once: some 2 MB, and a few milliseconds of the database.
	checkBatch = 500
	// checkAhead is how many entries are read to say what happened to a bad one.
	checkAhead = 1000
	// checkEvery is the time between two checks of new entries, and between two full checks.
	checkEvery = time.Minute
	// checkRate bounds a full check to this many entries a second, except the first one: that is a small part of what the
	// database reads. A log of a million entries is read in eight minutes.
	checkRate = 2000
	// checkRetry is the time until a full check that failed, as while the database is away, begins again.
	checkRetry = 5 * time.Second
)

// ErrNotChecked means that the first full check has not ended yet.
var ErrNotChecked = errors.New("the audit log is being checked for the first time since the start")

// Part is a part of the log as it is stored. Nothing in it has been checked.
type Part struct {
	Entries   []auditlog.Entry    // by position; positions may be missing
	Documents []bool              // of each entry: the column event is the event of the leaf
	Hashes    map[int64]tlog.Hash // of the tree, by index: those that the entries of the part added
}

// CheckStore is what a check reads.
type CheckStore interface {
	Size(ctx context.Context) (int64, error)
	// First returns the lowest position, 0 for an empty log.
	First(ctx context.Context) (int64, error)
	// Part reads the positions from inclusive to exclusive.
	Part(ctx context.Context, from, to int64) (Part, error)
	// Kept returns the kept checkpoints whose size is above after and at most upTo, by size.
	Kept(ctx context.Context, after, upTo int64) ([]Kept, error)
}

// Checker checks the log. Its first full check begins at the start. Later it checks new entries every minute and the whole
// log again and again, slowly. It is safe for concurrent use.
type Checker struct {
	store CheckStore
	log   *slog.Logger
	last  func(ctx context.Context) (auditlog.Checkpoint, error) // the last signed checkpoint, or an error if it is not known

	differs prometheus.Gauge
	checked prometheus.Gauge
	passed  prometheus.Gauge

	extending sync.Mutex    // held by the one who extends tree
	first     chan struct{} // closed when the first full check has ended
	mu        sync.Mutex    // guards the rest
	tree      *auditlog.Tree
	bad       *auditlog.Difference
}

// NewChecker returns a checker. last returns the last signed checkpoint.
func NewChecker(store CheckStore, last func(ctx context.Context) (auditlog.Checkpoint, error), log *slog.Logger, reg prometheus.Registerer) *Checker {
	c := &Checker{
		store: store, last: last, log: log, first: make(chan struct{}),
		differs: prometheus.NewGauge(prometheus.GaugeOpts{Name: "audit_log_differs", Help: "1 if the audit log is not what was recorded and signed."}),
		checked: prometheus.NewGauge(prometheus.GaugeOpts{Name: "audit_log_checked_entries", Help: "Entries of the newest full check."}),
		passed:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "audit_log_checked_timestamp_seconds", Help: "When the newest full check without a difference ended; the start of the process before the first one."}),
	}
	c.passed.SetToCurrentTime() // the alert counts from the start until the first check has ended
	reg.MustRegister(c.differs, c.checked, c.passed)
	return c
}

// Run checks until ctx ends. after is called after each check of new entries, to sign them.
func (c *Checker) Run(ctx context.Context, after func(ctx context.Context)) error {
	full := make(chan struct{})
	go func() {
		defer close(full)
		for first := true; ctx.Err() == nil; {
			if !c.Pass(ctx, first) {
				wait(ctx, checkRetry)
				continue
			}
			if first {
				after(ctx)
			}
			first = false
			wait(ctx, checkEvery)
		}
	}()
	for wait(ctx, checkEvery) {
		if _, err := c.UpTo(ctx, -1); err != nil && ctx.Err() == nil && !errors.Is(err, ErrNotChecked) {
			c.log.WarnContext(ctx, "new entries of the audit log were not checked", "error", err.Error())
		}
		c.compareLast(ctx)
		after(ctx)
	}
	<-full
	return nil
}

// wait reports whether d passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Ready returns the difference that was found, nil if there is none.
func (c *Checker) Ready(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bad != nil {
		return c.bad
	}
	return nil
}

// Pass checks the whole log once, and reports whether it could. fast is without pauses. A difference stays until a later pass finds none: somebody has put the log right then.
func (c *Checker) Pass(ctx context.Context, fast bool) bool {
	tree := &auditlog.Tree{}
	size, err := c.store.Size(ctx)
	var signed auditlog.Checkpoint
	if err == nil {
		signed, err = c.last(ctx)
	}
	if err == nil {
		if signed.Size > size {
			size, err = c.store.Size(ctx) // it was signed after the size was read
		}
	}
	pace := pacer{}
	if !fast {
		pace.rate = checkRate
	}
	if err == nil {
		err = c.extend(ctx, tree, size, signed, pace)
	}
	if err == nil && signed.Size > size {
		err = &auditlog.Difference{Kind: auditlog.KindShort, Position: size, Until: signed.Size}
	}
	if err == nil {
		err = c.above(ctx, size)
	}
	if err == nil {
		err = c.below(ctx)
	}
	var bad *auditlog.Difference
	switch {
	case errors.As(err, &bad):
		c.Report(ctx, bad)
	case err != nil:
		if ctx.Err() == nil {
			c.log.WarnContext(ctx, "the audit log was not checked; trying again", "error", err.Error())
		}
		return false
	default:
		c.passedPass(ctx, tree)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.first:
	default:
		close(c.first)
	}
	return true
}

// passedPass records a pass that found no difference.
func (c *Checker) passedPass(ctx context.Context, tree *auditlog.Tree) {
	c.extending.Lock()
	defer c.extending.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.bad != nil:
		c.log.InfoContext(ctx, "the audit log is as it was signed again", "entries", tree.Size())
		c.bad, c.tree = nil, tree
	case c.tree == nil:
		c.log.InfoContext(ctx, "audit log checked", "entries", tree.Size())
		c.tree = tree
	case c.tree.Size() <= tree.Size():
		c.tree = tree
	}
	c.differs.Set(0)
	c.checked.Set(float64(tree.Size()))
	c.passed.SetToCurrentTime()
}

// Report records a difference. From now on nothing is signed.
func (c *Checker) Report(ctx context.Context, bad *auditlog.Difference) {
	c.mu.Lock()
	again := c.bad != nil && *c.bad == *bad
	c.bad = bad
	c.mu.Unlock()
	c.differs.Set(1)
	if !again {
		c.log.ErrorContext(ctx, "the audit log is not what was recorded and signed: nothing is signed until it is put right (docs/audit.md)",
			"difference", bad.Error(), "kind", string(bad.Kind), "position", bad.Position)
	}
}

// UpTo checks the entries up to size, -1 for all, and returns the root of the checked log of that size. It returns the
// difference if there is one. It waits for the first full check; ErrNotChecked means that ctx ended before.
func (c *Checker) UpTo(ctx context.Context, size int64) (auditlog.Checkpoint, error) {
	select {
	case <-c.first:
	case <-ctx.Done():
		return auditlog.Checkpoint{}, ErrNotChecked
	}
	c.extending.Lock()
	defer c.extending.Unlock()
	c.mu.Lock()
	tree, bad := c.tree, c.bad
	c.mu.Unlock()
	switch {
	case bad != nil:
		return auditlog.Checkpoint{}, bad
	case tree == nil:
		return auditlog.Checkpoint{}, ErrNotChecked
	}
	if size < 0 {
		var err error
		if size, err = c.store.Size(ctx); err != nil {
			return auditlog.Checkpoint{}, err
		}
	}
	next := tree.Clone()
	var err error
	if size < tree.Size() {
		err = &auditlog.Difference{Kind: auditlog.KindShort, Position: size, Until: tree.Size()}
	} else {
		err = c.extend(ctx, next, size, auditlog.Checkpoint{}, pacer{})
	}
	if err == nil {
		err = c.above(ctx, size)
	}
	var found *auditlog.Difference
	if errors.As(err, &found) {
		c.Report(ctx, found)
	}
	if err != nil {
		return auditlog.Checkpoint{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tree = next
	return auditlog.Checkpoint{Size: size, Root: next.Root()}, nil
}

// compareLast compares the tree as it is stored with the last checkpoint that the signer signed.
func (c *Checker) compareLast(ctx context.Context) {
	last, err := c.last(ctx)
	if err != nil || last.Size == 0 {
		return // the signer is away, or has signed nothing
	}
	size, err := c.store.Size(ctx)
	if err != nil {
		return // the next check of the entries reports it
	}
	if size < last.Size {
		c.Report(ctx, &auditlog.Difference{Kind: auditlog.KindShort, Position: size, Until: last.Size})
	}
}

// pacer bounds how fast entries are read.
type pacer struct{ rate int }

func (p pacer) pause(ctx context.Context, entries int, took time.Duration) {
	if p.rate > 0 {
		wait(ctx, time.Duration(entries)*time.Second/time.Duration(p.rate)-took)
	}
}

// extend checks the entries from the tree's size up to size and adds them to the tree. signed is a checkpoint to compare
// besides the kept ones; size 0 is none.
func (c *Checker) extend(ctx context.Context, tree *auditlog.Tree, size int64, signed auditlog.Checkpoint, pace pacer) error {
	good := tree.Size() // of the last checkpoint that was met
	for tree.Size() < size {
		began, from := time.Now(), tree.Size()
		to := min(from+checkBatch, size)
		part, err := c.store.Part(ctx, from, to)
		if err != nil {
			return err
		}
		kept, err := c.store.Kept(ctx, from, to)
		if err != nil {
			return err
		}
		marks := map[int64]tlog.Hash{}
		for _, k := range kept {
			cp, err := k.open()
			if err != nil {
				return err
			}
			if other, twice := marks[cp.Size]; twice && other != cp.Root {
				return &auditlog.Difference{Kind: auditlog.KindFork, Position: good, Until: cp.Size, Detail: "two roots were signed for this size"}
			}
			marks[cp.Size] = cp.Root
		}
		if signed.Size > from && signed.Size <= to {
			marks[signed.Size] = signed.Root
		}
		if good, err = c.checkPart(ctx, tree, to, part, marks, good); err != nil {
			return err
		}
		pace.pause(ctx, int(to-from), time.Since(began))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// above checks the kept checkpoints that are larger than the checked log of size. They are of entries that were recorded
// meanwhile, or of entries that are gone.
func (c *Checker) above(ctx context.Context, size int64) error {
	kept, err := c.store.Kept(ctx, size, math.MaxInt64)
	if err != nil || len(kept) == 0 {
		return err
	}
	for _, k := range kept {
		if _, err := k.open(); err != nil {
			return err
		}
	}
	now, err := c.store.Size(ctx)
	if largest := kept[len(kept)-1].Size; err == nil && largest > now {
		return &auditlog.Difference{Kind: auditlog.KindShort, Position: now, Until: largest}
	}
	return err
}

// below checks that no entry stands before the first one of the tree.
func (c *Checker) below(ctx context.Context) error {
	first, err := c.store.First(ctx)
	if err == nil && first < 0 {
		return &auditlog.Difference{Kind: auditlog.KindUntreed, Position: first}
	}
	return err
}

// checkPart checks one part. It returns the size of the last checkpoint that was met.
func (c *Checker) checkPart(ctx context.Context, tree *auditlog.Tree, to int64, part Part, marks map[int64]tlog.Hash, good int64) (int64, error) {
	for i := range part.Entries {
		e, at := &part.Entries[i], tree.Size()
		if e.Position != at {
			return good, &auditlog.Difference{Kind: auditlog.KindMissing, Position: at}
		}
		if err := e.Check(part.Entries[i:]); err != nil {
			return good, c.name(ctx, e, err)
		}
		if !part.Documents[i] {
			return good, &auditlog.Difference{Kind: auditlog.KindColumn, Position: at, Detail: "event"}
		}
		first := tlog.StoredHashCount(at)
		for k, hash := range tree.Append(tlog.RecordHash(e.Leaf)) {
			if part.Hashes[first+int64(k)] != hash {
				return good, &auditlog.Difference{Kind: auditlog.KindNode, Position: at}
			}
		}
		if root, ok := marks[tree.Size()]; ok {
			if root != tree.Root() {
				return good, &auditlog.Difference{Kind: auditlog.KindRoot, Position: good, Until: tree.Size()}
			}
			good = tree.Size()
		}
	}
	if tree.Size() < to {
		return good, &auditlog.Difference{Kind: auditlog.KindMissing, Position: tree.Size()}
	}
	return good, nil
}

// name says what happened to a bad entry, with more of the entries after it than its part has.
func (c *Checker) name(ctx context.Context, e *auditlog.Entry, found error) error {
	part, err := c.store.Part(ctx, e.Position, e.Position+checkAhead)
	if err != nil || len(part.Entries) == 0 {
		return found
	}
	if err := part.Entries[0].Check(part.Entries); err != nil {
		return err
	}
	return found
}
