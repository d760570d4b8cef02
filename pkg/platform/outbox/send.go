package outbox

// This file publishes one batch and sorts its rows by what happened to them.

import (
	"context"
	"errors"
	"sync"
	"time"
)

// result is the outcome of one topic's bulk.
type result struct {
	topic   string
	bulk    []row
	acked   []row
	refused []refusal
	failed  []row // to be tried again
	whole   bool  // the bulk failed as a whole
	err     error // the first failure that is not a refusal
}

// refusal is a row whose event the broker can never take.
type refusal struct {
	row
	err error
}

// sendBatch publishes the bulks of one batch, all topics at the same time.
func (r *Relay) sendBatch(ctx context.Context, bulks map[string][]row) []*result {
	var all []*result
	var wg sync.WaitGroup
	for topic, bulk := range bulks {
		res := &result{topic: topic, bulk: bulk}
		all = append(all, res)
		wg.Go(func() { r.sendBulk(ctx, res) })
	}
	wg.Wait()
	return all
}

func (r *Relay) sendBulk(ctx context.Context, res *result) {
	failed, err := r.publish(ctx, res.topic, res.bulk)
	if err != nil && errors.Is(err, ErrRefused) && len(res.bulk) > 1 {
		r.sendOneByOne(ctx, res) // the error does not say which event was refused
		return
	}
	for _, row := range res.bulk {
		reason := failed[row.EventID]
		if err != nil {
			reason = err
		}
		res.add(row, reason)
	}
	// With several rows, a failure of each is a failure of the whole bulk. With one row, the publisher may have named the
	// row as the cause: then only an error for the bulk counts.
	res.whole = len(res.failed) == len(res.bulk) && (err != nil || len(res.bulk) > 1)
}

// sendOneByOne finds the event for which a bulk was refused.
func (r *Relay) sendOneByOne(ctx context.Context, res *result) {
	for i, row := range res.bulk {
		failed, err := r.publish(ctx, res.topic, res.bulk[i:i+1])
		if err == nil {
			err = failed[row.EventID]
		}
		res.add(row, err)
		if err != nil && !errors.Is(err, ErrRefused) { // the rows after it would fail in the same way
			res.failed = append(res.failed, res.bulk[i+1:]...)
			return
		}
	}
}

func (res *result) add(row row, err error) {
	switch {
	case err == nil:
		res.acked = append(res.acked, row)
	case errors.Is(err, ErrRefused):
		res.refused = append(res.refused, refusal{row, err})
	default:
		res.failed = append(res.failed, row)
		if res.err == nil {
			res.err = err
		}
	}
}

// publish makes one call within the time limit.
func (r *Relay) publish(ctx context.Context, topic string, bulk []row) (map[string]error, error) {
	msgs := make([]Message, len(bulk))
	for i, row := range bulk {
		msgs[i] = row.Message
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.PublishTimeout)
	defer cancel()
	begin := time.Now()
	failed, err := r.cfg.Publisher.PublishBulk(ctx, topic, msgs)
	r.metrics.publishSeconds.WithLabelValues(topic).Observe(time.Since(begin).Seconds())
	return failed, err
}
