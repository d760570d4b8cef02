// Package publish sends every signed checkpoint to a second place, so that a rewrite of the log has to reach that place too.
//
// Promises: checkpoints are sent in the order in which they were signed; each is sent at least once, also when the process
// ends in between (the position is recorded after the sending); a place that is away is tried again without end and holds
// no signature up.
package publish

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// batch is how many checkpoints are read at once. The position is recorded after each batch.
	batch = 100
	// firstWait and maxWait bound the time between two attempts.
	firstWait = time.Second
	maxWait   = time.Minute
	// sendTimeout bounds one attempt to send one checkpoint.
	sendTimeout = 15 * time.Second
)

// Target is a second place. Send returns nil when the place has the line.
type Target interface {
	Send(ctx context.Context, line []byte) error
}

// History is what was signed and how much of it was sent.
type History interface {
	Unpublished(limit int) (lines [][]byte, ends []int64, err error)
	Published(position int64) error
	Added() <-chan struct{}
}

// Publisher sends the history to a target.
type Publisher struct {
	history History
	target  Target
	log     *slog.Logger
	sent    prometheus.Counter
	failed  prometheus.Counter
}

// New makes a publisher. Without a target it sends nothing: the history itself is the second place then. Its metrics exist, so
// that an alert sees a zero and not nothing.
func New(h History, t Target, log *slog.Logger, reg prometheus.Registerer) *Publisher {
	p := &Publisher{
		history: h, target: t, log: log,
		sent:   prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_checkpoints_published_total", Help: "Signed checkpoints that the second place has."}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_checkpoints_publish_failures_total", Help: "Failed attempts to send a signed checkpoint."}),
	}
	reg.MustRegister(p.sent, p.failed)
	return p
}

// Run sends until ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	if p.target == nil {
		return nil
	}
	wait := firstWait
	for {
		more, err := p.runOnce(ctx)
		if done(ctx) {
			return nil // the attempt was interrupted
		}
		switch {
		case err != nil:
			p.failed.Inc()
			p.log.WarnContext(ctx, "a checkpoint was not published; trying again", "error", err.Error(), "delay", wait.String())
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
			wait = min(2*wait, maxWait)
			continue
		case more:
			continue
		}
		wait = firstWait
		select {
		case <-ctx.Done():
			return nil
		case <-p.history.Added():
		}
	}
}

func done(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// runOnce sends one batch and reports whether there may be more. What was sent before an error is recorded.
func (p *Publisher) runOnce(ctx context.Context) (more bool, err error) {
	lines, ends, err := p.history.Unpublished(batch)
	if err != nil || len(lines) == 0 {
		return false, err
	}
	done := 0
	for _, line := range lines {
		if err = p.send(ctx, line); err != nil {
			break
		}
		done++
		p.sent.Inc()
	}
	if done > 0 {
		if recorded := p.history.Published(ends[done-1]); recorded != nil {
			return false, recorded
		}
	}
	return done == batch, err
}

func (p *Publisher) send(ctx context.Context, line []byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return p.target.Send(ctx, line)
}
