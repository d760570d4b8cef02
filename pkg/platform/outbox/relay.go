package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

// Defaults of RelayConfig.
const (
	defaultPollInterval = 100 * time.Millisecond // the longest delay until another replica's commit is seen
	// defaultPublishTimeout ends a publisher that hangs. It is above the time of all attempts of the Dapr client.
	defaultPublishTimeout = 45 * time.Second
	defaultMaxBatch       = 200     // events in a bulk; beyond about 100 a larger one gains little
	defaultMaxBatchBytes  = 2 << 20 // half of gRPC's 4 MiB: the envelopes need room too
	defaultConcurrency    = 4       // workers; each has disjoint keys and one bulk of a topic in flight
)

const (
	balanceInterval = time.Second // between two calls of balance while no buckets move
	// moveInterval is the same while buckets move, so that a bucket is without a relay only for a moment.
	moveInterval   = 50 * time.Millisecond
	reconnectDelay = 500 * time.Millisecond
	// stopGrace is the time that a bulk in flight has to end when the relay stops.
	stopGrace = 5 * time.Second
)

// RelayConfig configures a relay. Zero values take the named defaults.
type RelayConfig struct {
	DB             *gorm.DB
	URL            string // for the relay's own connections; default: the URL that DB was opened with
	Outbox         *Outbox
	Publisher      Publisher
	Log            *slog.Logger
	Registerer     prometheus.Registerer
	Name           string // shown in pg_stat_activity
	PollInterval   time.Duration
	PublishTimeout time.Duration
	MaxBatch       int
	MaxBatchBytes  int
	Concurrency    int
}

// Relay moves committed events to the broker. Only one call of Run or RunOnce may be active at a time.
type Relay struct {
	cfg     RelayConfig
	metrics *metrics
	store   *store
	leases  *leases       // only keepLeases uses it
	held    atomic.Uint64 // the buckets that workers may start on: leases.held without those being released
	workers []*worker
}

// NewRelay validates the configuration. It does not dial.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if cfg.DB == nil || cfg.Outbox == nil || cfg.Publisher == nil || cfg.Log == nil || cfg.Registerer == nil {
		return nil, errors.New("outbox: a relay needs DB, Outbox, Publisher, Log and Registerer")
	}
	if cfg.URL == "" {
		cfg.URL = postgres.URL(cfg.DB)
	}
	if _, err := postgres.ConnConfig(cfg.URL, ""); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	if cfg.Name == "" {
		cfg.Name = "taskwire-relay"
	}
	setDefault(&cfg.PollInterval, defaultPollInterval)
	setDefault(&cfg.PublishTimeout, defaultPublishTimeout)
	setDefault(&cfg.MaxBatch, defaultMaxBatch)
	setDefault(&cfg.MaxBatchBytes, defaultMaxBatchBytes)
	setDefault(&cfg.Concurrency, defaultConcurrency)
	cfg.Concurrency = min(cfg.Concurrency, buckets)
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	r := &Relay{cfg: cfg, metrics: m}
	for i := range cfg.Concurrency {
		r.workers = append(r.workers, newWorker(r, i))
	}
	return r, nil
}

func setDefault[T time.Duration | int](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Run relays until ctx ends; a bulk in flight then has stopGrace to end. It keeps running while publisher or database
// are away, for any time. It returns nil.
func (r *Relay) Run(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	defer r.close() // group.Wait returns first: no worker publishes any more
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { r.keepLeases(ctx); return nil })
	group.Go(func() error { r.dispatchWakes(ctx); return nil })
	group.Go(func() error { r.poll(ctx); return nil })
	group.Go(func() error { r.measure(ctx); return nil })
	group.Go(func() error { r.keepWatermarks(ctx); return nil })
	for _, w := range r.workers {
		group.Go(func() error { w.run(ctx); return nil })
	}
	return group.Wait()
}

// RunOnce acquires its share of the buckets, relays their events until none is left that may be published now, and
// releases the buckets. It returns how many events were published, and the failures of the others.
func (r *Relay) RunOnce(ctx context.Context) (published int, err error) {
	if err := r.open(ctx); err != nil {
		return 0, err
	}
	defer r.close()
	if _, err := r.balance(ctx); err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	for _, w := range r.workers {
		done, failed := w.drain(ctx, w.mine)
		published += done.published
		err = errors.Join(err, failed, done.failed)
	}
	return published, err
}

func (r *Relay) open(ctx context.Context) (err error) {
	// One connection for each worker, and one each for poll, measure and keepWatermarks.
	if r.store, err = openStore(ctx, r.cfg.URL, r.cfg.Name, len(r.workers)+3); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

func (r *Relay) close() {
	r.dropLeases()
	r.store.close()
}

// dispatchWakes notifies the workers of the buckets that this process has committed events to.
func (r *Relay) dispatchWakes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.cfg.Outbox.Wake():
			r.notify(r.cfg.Outbox.dirty.Swap(0) & r.held.Load())
		}
	}
}

func (r *Relay) notify(mask uint64) {
	for _, w := range r.workers {
		w.notify(mask)
	}
}

// poll finds events that no wake announces: commits of other replicas, and events whose backoff is over.
func (r *Relay) poll(ctx context.Context) {
	tick := time.NewTicker(r.cfg.PollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		mask := r.held.Load()
		for _, w := range r.workers {
			mask &^= w.inFlight.Load() | w.dirty.Load() // the worker looks at these in any case
		}
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		with, err := r.store.withRows(call, mask)
		cancel()
		if err != nil && ctx.Err() == nil {
			r.warn(ctx, err)
		}
		r.notify(with)
	}
}

// keepLeases holds a session and this relay's share of the buckets. When the session is lost it makes a new one and
// acquires a share again.
func (r *Relay) keepLeases(ctx context.Context) {
	lost := false
	for ctx.Err() == nil {
		stable, err := r.balance(ctx)
		switch {
		case err == nil && lost:
			r.cfg.Log.InfoContext(ctx, "the outbox relay has its database session back")
			lost = false
		case err != nil && !lost && ctx.Err() == nil:
			r.cfg.Log.WarnContext(ctx, "the outbox relay has no database session; events wait in the outbox", "error", err.Error())
			lost = true
		}
		switch {
		case err != nil:
			sleep(ctx, reconnectDelay)
		case stable:
			sleep(ctx, balanceInterval)
		default:
			sleep(ctx, moveInterval)
		}
	}
}

// balance calls leases.balance once, with a new session when there is none. After an error this relay holds no bucket.
func (r *Relay) balance(ctx context.Context) (stable bool, err error) {
	if r.leases == nil {
		if r.leases, err = openLeases(ctx, r.cfg.URL, r.cfg.Name); err != nil {
			return false, err
		}
		r.store.watermarks.restart.Store(true) // it may be another server
	}
	usable, stable, err := r.leases.balance(ctx, r.quiesce)
	if err != nil {
		r.dropLeases()
		return false, err
	}
	if before := r.held.Swap(usable); before != usable {
		r.cfg.Log.DebugContext(ctx, "outbox buckets moved", "held", bits.OnesCount64(usable))
		r.notify(usable &^ before)
	}
	return stable, nil
}

func (r *Relay) dropLeases() {
	r.held.Store(0)
	if r.leases != nil {
		r.leases.close()
		r.leases = nil
	}
}

// quiesce keeps the workers from starting on the buckets of mask, and returns those that no worker has in flight.
func (r *Relay) quiesce(mask uint64) (idle uint64) {
	r.held.And(^mask)
	idle = mask
	for _, w := range r.workers {
		idle &^= w.inFlight.Load()
	}
	return idle
}
