package domain

// This file decides which deliveries share a transaction.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/batcher"
)

const (
	// maxBatch is the largest number of entries in one transaction, so that it takes far less than the statement timeout.
	maxBatch = 256
	// appendTimeout bounds one transaction, including its wait for a connection and for the appends of other replicas. It is
	// below the sidecar's time limit for a delivery, so that the sidecar gets an answer in time.
	appendTimeout = 8 * time.Second
)

// Writer stores entries.
type Writer interface {
	// Append adds the entries whose event_id is not in the log yet, in their order, in one transaction. It returns the
	// number of added entries. An error that wraps ErrUnstorable means that at least one entry can never be stored.
	Append(ctx context.Context, entries []*Entry) (added int, err error)
}

// Appender adds concurrent deliveries to the log together. While one transaction commits, the next deliveries wait. Then
// they share one lock, one commit and one flush to disk. Appends must be serial, because each needs the tree of the
// previous one. With shared transactions, twelve partitions can append at the same time.
type Appender struct {
	writer  Writer
	batches *batcher.Batcher[*pending]

	size      prometheus.Histogram
	appended  prometheus.Counter
	duplicate prometheus.Counter
}

// pending is an entry and the outcome of its transaction.
type pending struct {
	entry *Entry
	err   error
}

// NewAppender returns an appender.
func NewAppender(w Writer, reg prometheus.Registerer) *Appender {
	a := &Appender{
		writer: w,
		size: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "audit_append_batch_entries", Help: "Deliveries that shared one transaction.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		appended:  prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_appended_total", Help: "Entries added to the log."}),
		duplicate: prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_duplicates_total", Help: "Deliveries of events that were in the log already."}),
	}
	a.batches = batcher.New(batcher.Config[*pending]{Run: a.appendBatch, MaxBatch: maxBatch, Timeout: appendTimeout})
	reg.MustRegister(a.size, a.appended, a.duplicate)
	return a
}

// Append adds the entry and waits for the commit. The package comment describes the outcomes.
func (a *Appender) Append(ctx context.Context, e *Entry) error {
	p := &pending{entry: e}
	if err := a.batches.Do(ctx, p); err != nil {
		return fmt.Errorf("append event %s: %w", e.EventID, err)
	}
	if p.err != nil {
		return fmt.Errorf("append event %s: %w", e.EventID, p.err)
	}
	return nil
}

// appendBatch stores a batch. If one of its entries can never be stored, it stores each entry alone, so that only that one
// fails.
func (a *Appender) appendBatch(ctx context.Context, batch []*pending) {
	entries := make([]*Entry, len(batch))
	for i, p := range batch {
		entries[i] = p.entry
	}
	added, err := a.writer.Append(ctx, entries)
	if errors.Is(err, ErrUnstorable) && len(batch) > 1 {
		for i := range batch {
			a.appendBatch(ctx, batch[i:i+1])
		}
		return
	}
	if err == nil {
		a.size.Observe(float64(len(batch)))
		a.appended.Add(float64(added))
		a.duplicate.Add(float64(len(batch) - added))
	}
	for _, p := range batch {
		p.err = err
	}
}
