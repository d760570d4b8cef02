package domain

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// queueLength bounds the deliveries that wait for a transaction. The sidecar has one in flight per partition (12), so
	// this is room for several replicas' worth; a delivery that finds the queue full waits in its own handler.
	queueLength = 256
	// maxBatch bounds one transaction, so that it stays far below the statement timeout.
	maxBatch = 256
)

// ErrStopped is returned for a delivery that the appender can no longer take: it will be delivered again.
var ErrStopped = fmt.Errorf("audit log is shutting down: %w", context.Canceled) // nothing is wrong with the event

// Writer stores entries.
type Writer interface {
	// Append adds the entries whose event_id is not in the log yet, in their order, in one transaction, and returns how
	// many it added. An error that wraps ErrUnstorable says that at least one entry can never be stored.
	Append(ctx context.Context, entries []*Entry) (added int, err error)
}

// Appender puts concurrent deliveries into the log together: while one transaction commits, the next ones gather, and
// then they share one lock, one commit and one flush to disk. Appends are serial by nature (each needs the tree before
// it), so this is what lets twelve partitions append at the speed of one.
type Appender struct {
	writer Writer
	queue  chan *pending
	ended  chan struct{}

	batches   prometheus.Histogram
	appended  prometheus.Counter
	duplicate prometheus.Counter
}

type pending struct {
	entry *Entry
	done  chan error // buffered: the appender never waits for a delivery that gave up
}

// NewAppender makes an appender; Run does its work.
func NewAppender(w Writer, reg prometheus.Registerer) *Appender {
	a := &Appender{
		writer: w, queue: make(chan *pending, queueLength), ended: make(chan struct{}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "audit_append_batch_entries", Help: "Deliveries that shared one transaction.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		appended:  prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_appended_total", Help: "Entries added to the log."}),
		duplicate: prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_duplicates_total", Help: "Deliveries of events that were in the log already."}),
	}
	reg.MustRegister(a.batches, a.appended, a.duplicate)
	return a
}

// Append adds the entry and waits for the commit. See the package comment for what its outcomes mean.
func (a *Appender) Append(ctx context.Context, e *Entry) error {
	p := &pending{entry: e, done: make(chan error, 1)}
	select {
	case a.queue <- p:
	case <-a.ended:
		return ErrStopped
	case <-ctx.Done():
		return fmt.Errorf("append event %s: wait for the queue: %w", e.EventID, ctx.Err())
	}
	select {
	case err := <-p.done:
		return err
	case <-a.ended:
		select {
		case err := <-p.done: // its batch was the last
			return err
		default:
			return ErrStopped
		}
	case <-ctx.Done():
		return fmt.Errorf("append event %s: wait for the commit: %w", e.EventID, ctx.Err())
	}
}

// Run appends until ctx is done. What waits then is answered with ErrStopped.
func (a *Appender) Run(ctx context.Context) error {
	defer close(a.ended)
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-a.queue:
			a.appendBatch(ctx, a.gather(first))
		}
	}
}

// gather takes what waits, without waiting for more: an idle log adds no delay to a single event.
func (a *Appender) gather(first *pending) []*pending {
	batch := []*pending{first}
	for len(batch) < maxBatch {
		select {
		case p := <-a.queue:
			batch = append(batch, p)
		default:
			return batch
		}
	}
	return batch
}

func (a *Appender) appendBatch(ctx context.Context, batch []*pending) {
	entries := make([]*Entry, len(batch))
	for i, p := range batch {
		entries[i] = p.entry
	}
	added, err := a.writer.Append(ctx, entries)
	if errors.Is(err, ErrUnstorable) && len(batch) > 1 {
		for i := range batch { // one event must not keep the others out
			a.appendBatch(ctx, batch[i:i+1])
		}
		return
	}
	if err == nil {
		a.batches.Observe(float64(len(batch)))
		a.appended.Add(float64(added))
		a.duplicate.Add(float64(len(batch) - added))
	}
	for _, p := range batch {
		if err != nil {
			p.done <- fmt.Errorf("append event %s: %w", p.entry.EventID, err)
			continue
		}
		p.done <- nil
	}
}
