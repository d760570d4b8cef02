package batcher

// This file decides which waiting calls form the next batch, when it starts, and in which goroutine it runs.

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Config configures a batcher. Run, MaxBatch and Timeout are required.
type Config[T any] struct {
	// Run does the work of a batch and stores the outcome of each item in the item. It must return soon after ctx ends.
	Run func(ctx context.Context, batch []T)
	// MaxBatch is the largest number of items in one batch.
	MaxBatch int
	// Parallel is the largest number of batches that run at the same time. The default is 1.
	Parallel int
	// Patience is how long a running batch delays a smaller one (see mayStart). It has an effect only with Parallel above 1.
	Patience time.Duration
	// Timeout is the time limit of one batch.
	Timeout time.Duration
	// OrderKey returns the key that only one running batch may contain, such as a user's id. nil: there is no such rule.
	OrderKey func(T) string
	// DistinctKey returns the key that only one item of a batch may have, such as an idempotency key: the second item must
	// see the outcome of the first, so it waits for a later batch. Items with the key "" are not compared.
	DistinctKey func(T) string
}

// Batcher combines calls of Do into batches. It is safe for concurrent use.
type Batcher[T any] struct {
	cfg Config[T]

	mu      sync.Mutex
	running map[*batch[T]]struct{}
	keys    map[string]struct{} // the order keys of the running batches
	waiting []*call[T]
}

// call is one call of Do.
type call[T any] struct {
	ctx   context.Context //nolint:containedctx // the batch inherits its values
	item  T
	batch *batch[T] // nil while the call waits
	done  chan struct{}
}

// batch is a running batch.
type batch[T any] struct {
	calls   []*call[T]
	callers int             // the number of callers that have not given up
	ctx     context.Context //nolint:containedctx // passed to Run
	cancel  context.CancelFunc
	started time.Time
	late    *time.Timer // fires after Patience
	err     error       // a panic of Run; set before done is closed
}

// New returns a batcher.
func New[T any](cfg Config[T]) *Batcher[T] {
	cfg.Parallel = max(cfg.Parallel, 1)
	return &Batcher[T]{cfg: cfg, running: map[*batch[T]]struct{}{}, keys: map[string]struct{}{}}
}

// Do runs the item in a batch and returns when the batch has ended. When ctx ends earlier, Do returns the cause of ctx. If
// the item was still waiting, it never runs. If its batch was running, the outcome is unknown. A batch with only this item
// runs in the caller's goroutine, and Do then returns only when Run returns.
func (b *Batcher[T]) Do(ctx context.Context, item T) error {
	c := &call[T]{ctx: ctx, item: item, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	own := b.start(c)
	b.mu.Unlock()
	if own != nil { // a batch of one call needs no goroutine, which saves two switches
		own.ctx, own.cancel = context.WithTimeout(ctx, b.cfg.Timeout) //nolint:gosec // run calls cancel
		b.run(own)
		return own.err
	}
	select {
	case <-c.done:
		return c.batch.err
	case <-ctx.Done():
		b.giveUp(c)
		return context.Cause(ctx)
	}
}

// giveUp removes a call whose context has ended. It cancels the call's batch when no other caller waits for it.
func (b *Batcher[T]) giveUp(c *call[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.batch == nil {
		b.waiting = slices.DeleteFunc(b.waiting, func(x *call[T]) bool { return x == c })
		return
	}
	if c.batch.callers--; c.batch.callers == 0 {
		c.batch.cancel()
	}
}

// start starts batches of the waiting calls while mayStart allows it. When a batch contains only the call of caller, start
// returns that batch, and the caller sets its context and runs it after it has released mu. The caller holds mu.
func (b *Batcher[T]) start(caller *call[T]) (own *batch[T]) {
	for b.mayStart() {
		calls := b.take()
		if len(calls) == 0 {
			break // the order keys of all waiting calls are in running batches
		}
		next := &batch[T]{calls: calls, callers: len(calls), started: time.Now()}
		for _, c := range calls {
			c.batch = next
			if b.cfg.OrderKey != nil {
				b.keys[b.cfg.OrderKey(c.item)] = struct{}{}
			}
		}
		b.running[next] = struct{}{}
		if len(calls) == 1 && calls[0] == caller {
			own = next
			continue
		}
		next.ctx, next.cancel = context.WithTimeout(context.WithoutCancel(calls[0].ctx), b.cfg.Timeout) //nolint:gosec // run calls cancel
		if b.cfg.Parallel > 1 && len(calls) > 1 {
			next.late = time.AfterFunc(b.cfg.Patience, b.retry) // created after started was set, so Patience is over when it fires
		}
		go b.run(next)
	}
	return own
}

// mayStart reports whether the next batch may start now. A batch that would be smaller than a running one waits for the
// end of that one. Without this rule most batches would be small, and each item would cost more. Patience bounds the wait,
// because a running batch may hang. The caller holds mu.
func (b *Batcher[T]) mayStart() bool {
	if len(b.waiting) == 0 || len(b.running) >= b.cfg.Parallel {
		return false
	}
	for r := range b.running {
		if len(b.waiting) < len(r.calls) && time.Since(r.started) < b.cfg.Patience {
			return false
		}
	}
	return true
}

// retry starts the batches that waited for a batch that takes longer than Patience.
func (b *Batcher[T]) retry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.start(nil)
}

// take removes the calls of the next batch from the waiting calls and returns them in order. The caller holds mu.
func (b *Batcher[T]) take() (calls []*call[T]) {
	distinct := map[string]struct{}{}
	b.waiting = slices.DeleteFunc(b.waiting, func(c *call[T]) bool {
		if len(calls) == b.cfg.MaxBatch {
			return false
		}
		if b.cfg.OrderKey != nil {
			if _, running := b.keys[b.cfg.OrderKey(c.item)]; running {
				return false
			}
		}
		if b.cfg.DistinctKey != nil {
			key := b.cfg.DistinctKey(c.item)
			if _, taken := distinct[key]; taken && key != "" {
				return false
			}
			distinct[key] = struct{}{}
		}
		calls = append(calls, c)
		return true
	})
	return calls
}

// run runs a batch, then starts the next batches and wakes the callers of this one.
func (b *Batcher[T]) run(r *batch[T]) {
	items := make([]T, len(r.calls))
	for i, c := range r.calls {
		items[i] = c.item
	}
	defer func() {
		if p := recover(); p != nil { // without recover, the callers would wait forever
			r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		r.cancel()
		if r.late != nil {
			r.late.Stop()
		}
		b.mu.Lock()
		delete(b.running, r)
		if b.cfg.OrderKey != nil {
			for _, c := range r.calls {
				delete(b.keys, b.cfg.OrderKey(c.item))
			}
		}
		b.start(nil)
		b.mu.Unlock()
		for _, c := range r.calls {
			close(c.done)
		}
	}()
	b.cfg.Run(r.ctx, items)
}
