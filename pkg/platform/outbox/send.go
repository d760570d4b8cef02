package outbox

import (
	"context"
	"errors"
	"sync"
	"time"
)

// sent is what became of one topic's bulk.
type sent struct {
	topic   string
	bulk    []row
	acked   []row
	refused []refusal
	failed  []row // to be tried again
	whole   bool  // the bulk failed as a whole
	err     error // the first failure that is not a refusal
}

// sendAll publishes the bulks of one wave, each topic on its own.
func (r *Relay) sendAll(ctx context.Context, bulks map[string][]row) []*sent {
	var all []*sent
	var wg sync.WaitGroup
	for topic, bulk := range bulks {
		s := &sent{topic: topic, bulk: bulk}
		all = append(all, s)
		wg.Go(func() { r.send(ctx, s) })
	}
	wg.Wait()
	return all
}

func (r *Relay) send(ctx context.Context, s *sent) {
	failed, err := r.publish(ctx, s.topic, s.bulk)
	if err != nil && errors.Is(err, ErrRefused) && len(s.bulk) > 1 {
		r.sendSingly(ctx, s) // it does not say which event it means
		return
	}
	for _, row := range s.bulk {
		why := failed[row.EventID]
		if err != nil {
			why = err
		}
		s.sort(row, why)
	}
	// A bulk of which each event failed says no more than that. Of one alone the publisher may know why.
	s.whole = len(s.failed) == len(s.bulk) && (err != nil || len(s.bulk) > 1)
}

// sendSingly finds the event for which a bulk was refused.
func (r *Relay) sendSingly(ctx context.Context, s *sent) {
	for i, row := range s.bulk {
		failed, err := r.publish(ctx, s.topic, s.bulk[i:i+1])
		if err == nil {
			err = failed[row.EventID]
		}
		s.sort(row, err)
		if err != nil && !errors.Is(err, ErrRefused) { // the rest would only wait as long for the same
			s.failed = append(s.failed, s.bulk[i+1:]...)
			return
		}
	}
}

func (s *sent) sort(row row, err error) {
	switch {
	case err == nil:
		s.acked = append(s.acked, row)
	case errors.Is(err, ErrRefused):
		s.refused = append(s.refused, refusal{row, err})
	default:
		s.failed = append(s.failed, row)
		if s.err == nil {
			s.err = err
		}
	}
}

// publish makes one call, bounded in time.
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
