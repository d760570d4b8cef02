package domain

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// batchSize bounds one transaction of the engine: far below the statement timeout, and large enough that a backlog
	// of thousands is a matter of seconds.
	batchSize = 200
	// pollInterval bounds the sleep of the engine. A reminder that another replica took and left behind, because it
	// died, is found by this poll; it costs one look at an index.
	pollInterval = time.Second
	// minWait keeps the engine from spinning while another replica holds the rows that are due.
	minWait = 50 * time.Millisecond
	// maxBackoff bounds the wait while the database is away: it is back for seconds at most before the engine notices.
	maxBackoff = 5 * time.Second
	// minBackoff is the wait after the first failure.
	minBackoff = 250 * time.Millisecond
)

// Settled counts what one transaction of the engine did.
type Settled struct {
	Notified int // new notifications
	Known    int // due, but notified before
	Held     int // put off to the end of the user's quiet hours
	Late     int // of Notified
}

func (s Settled) total() int { return s.Notified + s.Known + s.Held }

// DueStore is the engine's part of the database.
type DueStore interface {
	// Settle claims up to limit reminders and as many snoozes that are due at now and not claimed by another replica, and
	// writes what decide says of each, all in one transaction.
	Settle(ctx context.Context, now time.Time, limit int, decide func(Due, Preferences) Decision) (Settled, error)
	// NextDue is when the next one is due; false when none is waiting.
	NextDue(ctx context.Context) (time.Time, bool, error)
}

// Engine delivers reminders when they are due. Any number of replicas may run at the same time.
type Engine struct {
	store DueStore
	now   func() time.Time
	log   *slog.Logger
	wake  chan struct{} // holds one: waking an engine that is awake makes it look once more

	notified *prometheus.CounterVec
	held     prometheus.Counter
	failures prometheus.Counter
	lag      prometheus.Gauge
	delay    prometheus.Histogram
}

// NewEngine makes an engine; Run does its work.
func NewEngine(store DueStore, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) *Engine {
	e := &Engine{
		store: store, now: now, log: log, wake: make(chan struct{}, 1),
		notified: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notification_reminders_delivered_total", Help: "Reminders that became notifications, by whether they were late."}, []string{"late"}),
		held: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notification_reminders_held_total", Help: "Reminders put off to the end of quiet hours."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notification_engine_failures_total", Help: "Rounds of the engine that failed and were repeated."}),
	}
	e.lag = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "notification_reminder_lag_seconds", Help: "How long the reminder that is due longest has been waiting; 0 when none is."})
	e.delay = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "notification_reminder_delay_seconds", Help: "From the instant a reminder was due to its notification.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400}})
	reg.MustRegister(e.notified, e.held, e.failures, e.lag, e.delay)
	for _, late := range []string{"true", "false"} {
		e.notified.WithLabelValues(late) // 0 from the start: a rate needs a first point
	}
	return e
}

// Wake makes the engine look for due reminders now. It never blocks.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx is done. It outlasts any failure of the database and logs once when one begins and ends.
func (e *Engine) Run(ctx context.Context) error {
	backoff := time.Duration(0)
	for {
		wait, err := e.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to stop
		case err != nil:
			e.failures.Inc()
			if backoff == 0 {
				e.log.ErrorContext(ctx, "reminders cannot be delivered, trying again until they can", "error", err.Error())
			}
			backoff = min(max(2*backoff, minBackoff), maxBackoff)
			wait = backoff
		case backoff > 0:
			e.log.InfoContext(ctx, "reminders are delivered again")
			backoff = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		case <-e.wake:
			timer.Stop()
		}
	}
}

// round delivers all that is due and says how long to sleep.
func (e *Engine) round(ctx context.Context) (time.Duration, error) {
	if _, err := e.RunOnce(ctx); err != nil {
		return 0, err
	}
	next, ok, err := e.store.NextDue(ctx)
	if err != nil {
		return 0, err
	}
	if !ok {
		e.lag.Set(0)
		return pollInterval, nil
	}
	e.lag.Set(max(0, e.now().Sub(next).Seconds()))
	return min(max(next.Sub(e.now()), minWait), pollInterval), nil
}

// RunOnce delivers all that is due now and returns how many notifications it made.
func (e *Engine) RunOnce(ctx context.Context) (notified int, err error) {
	for {
		now := e.now()
		var delays []time.Duration
		s, err := e.store.Settle(ctx, now, batchSize, func(d Due, p Preferences) Decision {
			decision := e.decide(ctx, d, p, now)
			if decision.HoldUntil.IsZero() {
				delays = append(delays, now.Sub(d.DeliverAt))
			}
			return decision
		})
		if err != nil {
			return notified, err
		}
		for _, d := range delays {
			e.delay.Observe(max(0, d.Seconds()))
		}
		notified += s.Notified
		e.notified.WithLabelValues("true").Add(float64(s.Late))
		e.notified.WithLabelValues("false").Add(float64(s.Notified - s.Late))
		e.held.Add(float64(s.Held))
		if s.total() > 0 {
			e.log.InfoContext(ctx, "reminders settled", "notified", s.Notified, "late", s.Late, "held", s.Held, "known", s.Known)
		}
		if s.total() < batchSize {
			return notified, nil
		}
	}
}

func (e *Engine) decide(ctx context.Context, d Due, p Preferences, now time.Time) Decision {
	decision := Decide(d, p, now)
	line := []any{"task_id", d.TaskID, "user_id", d.UserID, "notification_id", decision.Notification.ID}
	switch {
	case !decision.HoldUntil.IsZero():
		e.log.DebugContext(ctx, "reminder is due in quiet hours", append(line, "until", decision.HoldUntil)...)
	case decision.Delivery != nil && decision.Delivery.State == DeliveryFailed:
		e.log.ErrorContext(ctx, "reminder cannot be sent as an event, it is only listed", append(line, "error", decision.Delivery.LastError)...)
	case decision.Event != nil:
		e.log.DebugContext(ctx, "reminder is due", append(line, "event_id", decision.Event.EventID)...)
	}
	return decision
}
