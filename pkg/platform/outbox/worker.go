package outbox

// This file decides the order of one worker's steps: fetch, publish, park, delete.

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// worker relays the buckets whose number has the worker's remainder when divided by the number of workers. So no two
// workers ever hold events of one key. Only its own goroutine uses its state, except for the atomics.
type worker struct {
	relay    *Relay
	mine     uint64
	wake     chan struct{}
	dirty    atomic.Uint64 // buckets to look at
	inFlight atomic.Uint64 // buckets whose events it handles now; they must not be released
	backoffs *backoffs
	acked    []row     // published and not yet deleted
	probing  bool      // no event of the last batches was published: the next fetch reads few rows
	lookAt   time.Time // not before: see lookFactor
}

// lookFactor bounds the share of its time that a worker spends on fetches that find nothing. While a topic backs off, a
// fetch reads all of its rows and returns none; the table grows, and every commit asks for another fetch. So the worker
// then waits this many times as long as the fetch took, and at most maxBackoff: it spends half a percent of its time on
// such fetches while the backlog takes up to 10 ms to read. Order keys that back off one by one are few (maxKeys), so
// other events do not wait for them.
const lookFactor = 200

func newWorker(r *Relay, n int) *worker {
	w := &worker{relay: r, wake: make(chan struct{}, 1), backoffs: newBackoffs(r.cfg.MaxBatch)}
	for b := n; b < buckets; b += r.cfg.Concurrency {
		w.mine |= 1 << b
	}
	return w
}

// notify asks the worker to look at those of the buckets that are its own.
func (w *worker) notify(mask uint64) {
	if mask &= w.mine; mask == 0 {
		return
	}
	w.dirty.Or(mask)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run drains the buckets that it is notified of until ctx ends.
func (w *worker) run(ctx context.Context) {
	delays := newDelays() // while the database fails
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		sleep(ctx, time.Until(w.lookAt))
		mask := w.dirty.Swap(0)
		if _, err := w.drain(ctx, mask); err != nil && ctx.Err() == nil {
			w.relay.warn(ctx, err)
			sleep(ctx, delays.NextBackOff())
			w.notify(mask)
			continue
		}
		delays.Reset()
	}
}

// drained is what a drain did.
type drained struct {
	published, parked int
	failed            error // the failures to publish, joined; those events back off
}

// drain relays the rows of the given buckets until none is left that may be published now. err is a failure of the
// database. Failures to publish are in the result.
func (w *worker) drain(ctx context.Context, mask uint64) (done drained, err error) {
	defer w.inFlight.Store(0)
	for ctx.Err() == nil {
		mask = w.claim(mask)
		if mask == 0 {
			break
		}
		began := time.Now()
		ask := fetch{mask: mask, probe: w.probing}
		ask.skipTopics, ask.skipKeys = w.backoffs.list(began)
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		rows, more, err := w.relay.store.deleteAndFetch(call, w.acked, ask)
		cancel()
		if err != nil {
			return done, err
		}
		w.acked = w.acked[:0]
		if len(rows) == 0 && len(ask.skipTopics) > 0 {
			w.lookAt = time.Now().Add(min(lookFactor*time.Since(began), maxBackoff))
		}
		before := done.published
		if err := w.sendRows(ctx, rows, &done); err != nil {
			return done, err
		}
		if len(rows) > 0 {
			w.probing = done.failed != nil && done.published == before
		}
		mask = more | w.dirty.Swap(0)
	}
	return done, w.flush(ctx)
}

// claim returns those of the buckets that this relay holds, and marks them as in flight. The mark comes first, because
// Relay.quiesce takes buckets out of held and then reads the marks.
func (w *worker) claim(mask uint64) uint64 {
	var acked uint64
	for _, r := range w.acked {
		acked |= 1 << r.bucket
	}
	w.inFlight.Store(mask | acked)
	mask &= w.relay.held.Load()
	w.inFlight.Store(mask | acked)
	return mask
}

// sendRows publishes fetched rows batch by batch. It returns early when ctx ends: rows that were not sent stay in the
// table. A bulk in flight gets stopGrace to end, so that a published row is also deleted.
func (w *worker) sendRows(ctx context.Context, rows []row, done *drained) error {
	limit := limits{rows: w.backoffs.bulkRows, bytes: w.relay.cfg.MaxBatchBytes, alone: w.backoffs.alone}
	// Order keys and topics that failed in an earlier batch: their later rows must not overtake, even when the backoff
	// ends meanwhile.
	failed := map[orderKey]bool{}
	for len(rows) > 0 && ctx.Err() == nil {
		now, held := time.Now(), w.relay.held.Load()
		skip := func(x row) bool {
			return held&(1<<x.bucket) == 0 || w.backoffs.mustWait(x, now) || failed[x.orderKey()] || failed[orderKey{topic: x.Topic}]
		}
		var bulks map[string][]row
		bulks, rows = nextBatch(rows, skip, limit)
		if len(bulks) == 0 {
			continue
		}
		call, cancel := withGrace(ctx, stopGrace)
		results := w.relay.sendBatch(call, bulks)
		cancel()
		for _, res := range results {
			w.record(ctx, res, done, failed)
			if err := w.park(ctx, res.refused, done); err != nil {
				return err
			}
		}
		if len(rows) > 0 { // so that a crash repeats one batch and not all of them
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// record updates done, failed and the backoffs with the result of a bulk.
func (w *worker) record(ctx context.Context, res *result, done *drained, failed map[orderKey]bool) {
	now := time.Now()
	w.acked = append(w.acked, res.acked...)
	done.published += len(res.acked)
	w.relay.metrics.published.WithLabelValues(res.topic).Add(float64(len(res.acked)))
	for _, row := range res.acked {
		w.backoffs.succeeded(row.orderKey())
	}
	if res.err != nil {
		err := fmt.Errorf("publish to %s: %w", res.topic, res.err)
		done.failed = errors.Join(done.failed, err)
		w.relay.warn(ctx, err)
	}
	if res.whole {
		failed[orderKey{topic: res.topic}] = true
		w.backoffs.bulkFailed(res.topic, res.bulk, now)
		return
	}
	w.backoffs.bulkSucceeded(res.topic)
	for _, row := range res.failed {
		if key := row.orderKey(); !failed[key] { // one failure of a key, however many of its rows failed
			failed[key] = true
			w.backoffs.failed(key, now)
		}
	}
}

func (w *worker) park(ctx context.Context, refused []refusal, done *drained) error {
	if len(refused) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := w.relay.store.park(ctx, refused); err != nil {
		return err
	}
	done.parked += len(refused)
	for _, x := range refused {
		w.backoffs.succeeded(x.orderKey())
		w.relay.metrics.parked.WithLabelValues(x.Topic).Inc()
		w.relay.cfg.Log.ErrorContext(ctx, "the broker refused an event: it is parked in outbox_parked",
			"event_id", x.EventID, "task_id", x.Subject, "user_id", x.Key, "topic", x.Topic, "reason", x.err.Error())
	}
	return nil
}

// flush deletes the published rows, also while the relay stops.
func (w *worker) flush(ctx context.Context) error {
	if len(w.acked) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if _, _, err := w.relay.store.deleteAndFetch(ctx, w.acked, fetch{}); err != nil {
		return err
	}
	w.acked = w.acked[:0]
	return nil
}

// withGrace returns a context that ends d after ctx does.
func withGrace(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(d, cancel)
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() { stop(); cancel() }
}

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
