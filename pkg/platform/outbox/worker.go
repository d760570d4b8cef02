package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// worker relays the buckets that leave its number when divided by the number of workers: no two workers ever hold
// events of one key.
type worker struct {
	relay *Relay
	mine  uint64
	wake  chan struct{}
	busy  sync.Mutex // held during a pass: a bucket is given back only between two
}

// result is what a pass did.
type result struct{ published, parked, failed int }

func newWorker(r *Relay, n int) *worker {
	w := &worker{relay: r, wake: make(chan struct{}, 1)}
	for b := n; b < buckets; b += min(r.cfg.Concurrency, buckets) {
		w.mine |= 1 << b
	}
	return w
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run passes over the worker's buckets: over those with commits of this process when woken, over all at each poll,
// and again at once while there is something to send.
func (w *worker) run(ctx context.Context) {
	backoff := firstBackoff
	poll := time.NewTicker(w.relay.cfg.PollInterval)
	defer poll.Stop()
	all := true
	for {
		which := w.mine
		dirty := w.relay.cfg.Outbox.take(w.mine)
		if !all {
			which = dirty
		}
		got, err := w.pass(ctx, which&w.relay.held.Load())
		switch {
		case ctx.Err() != nil:
			return
		case err != nil || (got.failed > 0 && got.published == 0):
			w.relay.complain(ctx, err, got)
			pause(ctx, backoff/2+rand.N(backoff/2))
			backoff, all = min(2*backoff, maxBackoff), true
			continue
		case got.published+got.parked > 0:
			backoff, all = firstBackoff, true
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			all = false
		case <-poll.C:
			all = true
		}
	}
}

// pass relays what is in the given buckets now, at most fetchPerBucket events of each. It goes on for a grace when ctx
// ends in the middle, so that what is published is also deleted.
func (w *worker) pass(ctx context.Context, which uint64) (got result, err error) {
	if which == 0 {
		return got, nil
	}
	w.busy.Lock()
	defer w.busy.Unlock()
	which &= w.relay.held.Load() // a bucket may have been given back meanwhile
	rows, err := w.relay.fetch(ctx, which)
	if err != nil || len(rows) == 0 {
		return got, err
	}
	ctx, cancel := graceful(ctx, stopGrace)
	defer cancel()
	blocked := map[string]bool{}
	for len(rows) > 0 && ctx.Err() == nil {
		var bulks map[string][]row
		bulks, rows = wave(rows, blocked, w.relay.cfg.MaxBatch, w.relay.cfg.MaxBatchBytes)
		sent, err := w.relay.send(ctx, bulks, blocked)
		got.published, got.parked, got.failed = got.published+sent.published, got.parked+sent.parked, got.failed+sent.failed
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

// send publishes one wave, then deletes what the broker acknowledged and parks what it refuses. The key of an event
// that failed is added to blocked. An error is one of the database.
func (r *Relay) send(ctx context.Context, bulks map[string][]row, blocked map[string]bool) (got result, err error) {
	var acked []int64
	var refused []refusal
	for topic, bulk := range bulks {
		failed := r.publish(ctx, topic, bulk)
		for _, row := range bulk {
			switch err := failed[row.EventID]; {
			case err == nil:
				acked = append(acked, row.id)
			case errors.Is(err, ErrRefused):
				refused = append(refused, refusal{row, err})
			default:
				got.failed++
				blocked[row.Key] = true
			}
		}
	}
	if err := r.remove(ctx, acked); err != nil {
		return got, err
	}
	got.published = len(acked)
	if err := r.park(ctx, refused); err != nil {
		return got, err
	}
	got.parked = len(refused)
	return got, nil
}

// publish sends one bulk and returns what failed, by event id. A bulk that is refused as a whole is sent again one by
// one, to find the event that is refused.
func (r *Relay) publish(ctx context.Context, topic string, bulk []row) map[string]error {
	msgs := make([]Message, len(bulk))
	for i, row := range bulk {
		msgs[i] = row.Message
	}
	begin := time.Now()
	call, cancel := context.WithTimeout(ctx, r.cfg.PublishTimeout)
	failed, err := r.cfg.Publisher.PublishBulk(call, topic, msgs)
	cancel()
	r.metrics.publishSeconds.WithLabelValues(topic).Observe(time.Since(begin).Seconds())
	if err == nil {
		r.metrics.published.WithLabelValues(topic).Add(float64(len(msgs) - len(failed)))
		r.firstError(topic, failed)
		return failed
	}
	if errors.Is(err, ErrRefused) && len(bulk) > 1 {
		failed = map[string]error{}
		for i := range bulk {
			for id, err := range r.publish(ctx, topic, bulk[i:i+1]) {
				failed[id] = err
			}
		}
		return failed
	}
	failed = make(map[string]error, len(msgs))
	for _, m := range msgs {
		failed[m.EventID] = err
	}
	r.firstError(topic, failed)
	return failed
}

// firstError remembers why events of this topic failed, for the one line that complain writes.
func (r *Relay) firstError(topic string, failed map[string]error) {
	for _, err := range failed {
		if !errors.Is(err, ErrRefused) {
			r.metrics.lastError.Store(fmt.Sprintf("topic %s: %v", topic, err))
			return
		}
	}
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
