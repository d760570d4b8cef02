package domain

// This file decides when the engine looks for due reminders, and how long it waits after a failure.

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// batchSize is the largest number of reminders, and of snoozes, in one transaction of the engine. Such a transaction
	// takes far less than the statement timeout, and a backlog of thousands takes seconds.
	batchSize = 200
	// pollInterval is the longest sleep of the engine. The poll finds reminders that another replica claimed before it died.
	// A poll costs one index read.
	pollInterval = time.Second
	// minWait keeps the engine from spinning while another replica has locked the due rows.
	minWait = 50 * time.Millisecond
	// maxBackoff bounds the wait between two attempts while the database is unavailable.
	maxBackoff = 5 * time.Second
	// minBackoff is the wait after the first failure.
	minBackoff = 250 * time.Millisecond
	// backoffJitter spreads the attempts of the replicas.
	backoffJitter = 0.2
)

// Settled counts the results of one transaction of the engine.
type Settled struct {
	Notified int // new notifications
	Known    int // due, but their notification existed already
	Held     int // deferred to the end of the user's quiet hours
	Late     int // of Notified
}

func (s Settled) total() int { return s.Notified + s.Known + s.Held }

// DueStore is the part of the database that the engine uses.
type DueStore interface {
	// Settle claims up to limit reminders and up to limit snoozes that are due at now and that no other replica has
	// claimed. It writes the decision for each, all in one transaction.
	Settle(ctx context.Context, now time.Time, limit int, decide func(Due, Preferences) Decision) (Settled, error)
	// NextDue returns the time at which the next reminder or snooze is due, or false when none is waiting.
	NextDue(ctx context.Context) (time.Time, bool, error)
}

// Engine delivers reminders when they are due. Any number of replicas may run at the same time.
type Engine struct {
	store DueStore
	now   func() time.Time
	log   *slog.Logger
	wake  chan struct{} // buffers one: waking a running engine causes one more round

	notified *prometheus.CounterVec
	held     prometheus.Counter
	failures prometheus.Counter
	lag      prometheus.Gauge
	delay    prometheus.Histogram
}

// NewEngine returns an engine. It does nothing until Run is called.
func NewEngine(store DueStore, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) *Engine {
	e := &Engine{
		store: store, now: now, log: log, wake: make(chan struct{}, 1),
		notified: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notification_reminders_delivered_total", Help: "Reminders that became notifications, by whether they were late."}, []string{"late"}),
		held: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notification_reminders_held_total", Help: "Reminders deferred to the end of quiet hours."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notification_engine_failures_total", Help: "Rounds of the engine that failed and were repeated."}),
	}
	e.lag = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "notification_reminder_lag_seconds", Help: "How long the oldest due reminder has been waiting; 0 when none is due."})
	e.delay = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "notification_reminder_delay_seconds", Help: "From the instant a reminder was due to its notification.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400}})
	reg.MustRegister(e.notified, e.held, e.failures, e.lag, e.delay)
	for _, late := range []string{"true", "false"} {
		e.notified.WithLabelValues(late) // 0 from the start: a rate needs a first point
	}
	return e
}

// Wake starts a round of the engine now. It never blocks.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run delivers reminders until ctx ends. It continues after any failure of the database, and logs once when a failure
// begins and when it ends.
func (e *Engine) Run(ctx context.Context) error {
	failing := false
	retry := &backoff.ExponentialBackOff{InitialInterval: minBackoff, MaxInterval: maxBackoff, Multiplier: 2, RandomizationFactor: backoffJitter}
	for {
		wait, err := e.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the service was stopped
		case err != nil:
			e.failures.Inc()
			if !failing {
				e.log.ErrorContext(ctx, "reminders cannot be delivered; trying until they can", "error", err.Error())
			}
			failing, wait = true, retry.NextBackOff()
		case failing:
			e.log.InfoContext(ctx, "reminders are delivered again")
			failing = false
			retry.Reset()
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

// round delivers all due reminders and returns how long to sleep.
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

// RunOnce delivers all reminders that are due now and returns the number of new notifications.
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
		e.log.ErrorContext(ctx, "reminder cannot be sent as an event; it is only listed", append(line, "error", decision.Delivery.LastError)...)
	case decision.Event != nil:
		e.log.DebugContext(ctx, "reminder is due", append(line, "event_id", decision.Event.EventID, "event_type", decision.Event.EventType)...)
	}
	return decision
}
