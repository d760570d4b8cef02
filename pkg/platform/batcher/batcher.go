package batcher

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Config says what a batch is. Run, MaxBatch and Timeout are required.
type Config[T any] struct {
	// Run does the work of a batch and leaves the outcome of each item in the item. It must return soon after ctx ends.
	Run func(ctx context.Context, batch []T)
	// MaxBatch is the largest number of items in one batch.
	MaxBatch int
	// Parallel is how many batches may run at the same time. The default is 1.
	Parallel int
	// Patience is how long a running batch delays a smaller one (see mayStart). It matters only with Parallel above 1.
	Patience time.Duration
	// Timeout bounds one batch.
	Timeout time.Duration
	// OrderKey names what only one running batch may work on, such as a user's row. Default: no such rule.
	OrderKey func(T) string
	// DistinctKey keeps two items with the same key out of one batch, where the second has to see the outcome of the
	// first. The second waits for a later batch. Items with the key "" are not compared.
	DistinctKey func(T) string
}

// Batcher gathers the calls of Do into batches. It is safe for concurrent use.
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
	callers int             // those that still wait for it
	ctx     context.Context //nolint:containedctx // the batch's own
	cancel  context.CancelFunc
	started time.Time
	late    *time.Timer // fires when patience with it ends
	err     error       // a panic of Run; set before the calls are done
}

// New returns a batcher.
func New[T any](cfg Config[T]) *Batcher[T] {
	cfg.Parallel = max(cfg.Parallel, 1)
	return &Batcher[T]{cfg: cfg, running: map[*batch[T]]struct{}{}, keys: map[string]struct{}{}}
}

// Do returns when the batch with the item has run. When ctx ends earlier it returns ctx's error: an item that still
// waited is then never run, and of one that was running nobody knows the outcome. A call that has its batch for itself
// runs in the caller's goroutine; Do then returns when Run does.
func (b *Batcher[T]) Do(ctx context.Context, item T) error {
	c := &call[T]{ctx: ctx, item: item, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	own := b.start(c)
	b.mu.Unlock()
	if own != nil { // nobody else waits for it, so it needs no goroutine and two hand-overs less
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

// giveUp removes a call whose caller has gone.
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

// start makes batches of the waiting calls while it may. A batch of the caller's own call alone is returned for the
// caller to run after it has released mu, which it holds here.
func (b *Batcher[T]) start(caller *call[T]) (own *batch[T]) {
	for b.mayStart() {
		calls := b.take()
		if len(calls) == 0 {
			break // all that wait have an order key that is running
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
			next.late = time.AfterFunc(b.cfg.Patience, b.retry) // created after started, so that patience is over when it fires
		}
		go b.run(next)
	}
	return own
}

// mayStart reports whether the next batch may start now. A batch that would be smaller than a running one waits for it:
// otherwise small batches become the rule, and each item costs more. Patience bounds that wait, because a running batch
// may hang.
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

// retry starts what waited for a batch that takes too long.
func (b *Batcher[T]) retry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.start(nil)
}

// take removes the calls of the next batch from the waiting ones, in order. The caller holds mu.
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

// run runs a batch and starts the next ones.
func (b *Batcher[T]) run(r *batch[T]) {
	items := make([]T, len(r.calls))
	for i, c := range r.calls {
		items[i] = c.item
	}
	defer func() {
		if p := recover(); p != nil { // nobody else would recover it, and the callers would wait for ever
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
