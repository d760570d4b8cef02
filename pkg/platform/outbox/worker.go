package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// worker relays the buckets that leave its number when divided by the number of workers: no two workers ever hold
// events of one key. All its state is its own goroutine's, but for the atomics.
type worker struct {
	relay    *Relay
	mine     uint64
	wake     chan struct{}
	dirty    atomic.Uint64 // buckets to look at
	inFlight atomic.Uint64 // buckets whose events it handles now; they must not be given back
	holds    *holds
	acked    []row     // published and not yet deleted
	trying   bool      // nothing that was sent last has arrived: few rows do for the next try
	lookAt   time.Time // not before: see lookFactor
}

// lookFactor: a look at a table in which a topic rests reads all of it and finds nothing. While a broker is away the table
// grows and every commit asks for a look, so the worker then waits this many times as long as the look took, and no
// longer than maxBackoff: half a hundredth of its time goes into looking, up to a backlog that takes 10 ms to read. Keys
// that rest by themselves are few (maxHolds), and nobody else waits for them.
const lookFactor = 200

func newWorker(r *Relay, n int) *worker {
	w := &worker{relay: r, wake: make(chan struct{}, 1), holds: newHolds(r.cfg.MaxBatch)}
	for b := n; b < buckets; b += r.cfg.Concurrency {
		w.mine |= 1 << b
	}
	return w
}

// poke asks the worker to look at those of the buckets that are its own.
func (w *worker) poke(mask uint64) {
	if mask &= w.mine; mask == 0 {
		return
	}
	w.dirty.Or(mask)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run drains what it is poked at until ctx ends.
func (w *worker) run(ctx context.Context) {
	var database rest
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		pause(ctx, time.Until(w.lookAt))
		which := w.dirty.Swap(0)
		if _, err := w.drain(ctx, which); err != nil && ctx.Err() == nil {
			w.relay.complain(ctx, err)
			database.longer(time.Now())
			pause(ctx, time.Until(database.until))
			w.poke(which)
			continue
		}
		database = rest{}
	}
}

// outcome of a drain.
type outcome struct {
	published, parked int
	failed            error // the first failure of a publish: those events rest
}

// drain relays what is in the given buckets until nothing is left that may go now. An error is one of the database; the
// failures of publishing are in the outcome.
func (w *worker) drain(ctx context.Context, which uint64) (got outcome, err error) {
	defer w.inFlight.Store(0)
	for ctx.Err() == nil {
		which = w.claim(which)
		if which == 0 {
			break
		}
		began := time.Now()
		ask := fetch{mask: which, few: w.trying}
		ask.topics, ask.lines = w.holds.list(began)
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		rows, more, err := w.relay.store.exchange(call, w.acked, ask)
		cancel()
		if err != nil {
			return got, err
		}
		w.acked = w.acked[:0]
		if len(rows) == 0 && len(ask.topics) > 0 {
			w.lookAt = time.Now().Add(min(lookFactor*time.Since(began), maxBackoff))
		}
		before := got.published
		if err := w.sendRows(ctx, rows, &got); err != nil {
			return got, err
		}
		if len(rows) > 0 {
			w.trying = got.failed != nil && got.published == before
		}
		which = more | w.dirty.Swap(0)
	}
	return got, w.flush(ctx)
}

// claim answers those of the buckets that this relay holds and marks them as being handled. The mark comes first: who
// gives buckets back takes them out of held and then looks at the marks.
func (w *worker) claim(which uint64) uint64 {
	var acked uint64
	for _, r := range w.acked {
		acked |= 1 << r.bucket
	}
	w.inFlight.Store(which | acked)
	which &= w.relay.held.Load()
	w.inFlight.Store(which | acked)
	return which
}

// sendRows publishes fetched rows wave by wave. It ends early when ctx does: what was fetched and not sent stays in the
// table. A bulk in flight has a grace to end, so that what is published is also deleted.
func (w *worker) sendRows(ctx context.Context, rows []row, got *outcome) error {
	limit := limits{rows: w.holds.bulkRows, bytes: w.relay.cfg.MaxBatchBytes, alone: w.holds.alone}
	// What failed in one wave is not overtaken by its later rows in the next, even when its rest is over by then.
	behind := map[lineKey]bool{}
	for len(rows) > 0 && ctx.Err() == nil {
		now, held := time.Now(), w.relay.held.Load()
		skip := func(x row) bool {
			return held&(1<<x.bucket) == 0 || w.holds.skip(x, now) || behind[x.line()] || behind[lineKey{topic: x.Topic}]
		}
		var bulks map[string][]row
		bulks, rows = wave(rows, skip, limit)
		if len(bulks) == 0 {
			continue
		}
		call, cancel := graceful(ctx, stopGrace)
		results := w.relay.sendAll(call, bulks)
		cancel()
		for _, s := range results {
			w.settle(ctx, s, got, behind)
			if err := w.park(ctx, s.refused, got); err != nil {
				return err
			}
		}
		if len(rows) > 0 { // a crash repeats one wave, not all of them
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle takes note of what became of a bulk.
func (w *worker) settle(ctx context.Context, s *sent, got *outcome, behind map[lineKey]bool) {
	now := time.Now()
	w.acked = append(w.acked, s.acked...)
	got.published += len(s.acked)
	w.relay.metrics.published.WithLabelValues(s.topic).Add(float64(len(s.acked)))
	for _, row := range s.acked {
		w.holds.lineSent(row.line())
	}
	if s.err != nil {
		err := fmt.Errorf("publish to %s: %w", s.topic, s.err)
		got.failed = errors.Join(got.failed, err)
		w.relay.complain(ctx, err)
	}
	if s.whole {
		behind[lineKey{topic: s.topic}] = true
		w.holds.bulkFailed(s.topic, s.bulk, now)
		return
	}
	w.holds.bulkSent(s.topic)
	for _, row := range s.failed {
		if line := row.line(); !behind[line] { // one failure of a line, however many of its rows
			behind[line] = true
			w.holds.add(line, now)
		}
	}
}

func (w *worker) park(ctx context.Context, refused []refusal, got *outcome) error {
	if len(refused) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := w.relay.store.park(ctx, refused); err != nil {
		return err
	}
	got.parked += len(refused)
	for _, x := range refused {
		w.holds.lineSent(x.line())
		w.relay.metrics.parked.WithLabelValues(x.Topic).Inc()
		w.relay.cfg.Log.ErrorContext(ctx, "the broker refused an event: it is parked in outbox_parked",
			"event_id", x.EventID, "task_id", x.Subject, "user_id", x.Key, "topic", x.Topic, "reason", x.err.Error())
	}
	return nil
}

// flush deletes what was published, also while stopping.
func (w *worker) flush(ctx context.Context) error {
	if len(w.acked) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if _, _, err := w.relay.store.exchange(ctx, w.acked, fetch{}); err != nil {
		return err
	}
	w.acked = w.acked[:0]
	return nil
}

// graceful is ctx, but it ends only d after ctx does.
func graceful(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(d, cancel)
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() { stop(); cancel() }
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
