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
	defaultPollInterval = 100 * time.Millisecond // how late another replica's commit is seen at most
	// defaultPublishTimeout is above what the Dapr client takes for all its attempts: it ends a publisher that hangs.
	defaultPublishTimeout = 45 * time.Second
	defaultMaxBatch       = 200     // events a bulk: beyond about 100 a larger one gains little
	defaultMaxBatchBytes  = 2 << 20 // half of gRPC's 4 MiB, for what the envelopes add
	defaultConcurrency    = 4       // workers, over disjoint keys, each with one bulk a topic in flight
)

const (
	balanceInterval = time.Second // between two looks at who shares the work
	// settleInterval is the same while buckets move, so that they are without a relay for a moment only.
	settleInterval = 50 * time.Millisecond
	reconnectDelay = 500 * time.Millisecond
	// stopGrace is how long a bulk in flight may go on after the relay was told to stop.
	stopGrace = 5 * time.Second
)

// RelayConfig sets up a relay. Zero values take the named defaults.
type RelayConfig struct {
	DB             *gorm.DB
	URL            string // for the relay's own connections; default: what DB was opened with
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

// Relay moves committed events to the broker. One Run or RunOnce at a time.
type Relay struct {
	cfg     RelayConfig
	metrics *metrics
	store   *store
	leases  *leases       // keepLeases' own
	held    atomic.Uint64 // the buckets that workers may begin with: leases.held without those being given back
	workers []*worker
}

// NewRelay checks the configuration. It does not dial.
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

// Run relays until ctx ends; a bulk in flight then has a short grace to end. It outlasts a publisher and a database
// that are away for any time, and returns nil.
func (r *Relay) Run(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	defer r.close() // only when no worker publishes any more
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { r.keepLeases(ctx); return nil })
	group.Go(func() error { r.fanWakes(ctx); return nil })
	group.Go(func() error { r.poll(ctx); return nil })
	group.Go(func() error { r.measure(ctx); return nil })
	group.Go(func() error { r.keepFloors(ctx); return nil })
	for _, w := range r.workers {
		group.Go(func() error { w.run(ctx); return nil })
	}
	return group.Wait()
}

// RunOnce takes its share of the buckets, relays what is in them until nothing is left that may go, and gives them back.
// It returns how many events were published, and the failures of those that were not.
func (r *Relay) RunOnce(ctx context.Context) (published int, err error) {
	if err := r.open(ctx); err != nil {
		return 0, err
	}
	defer r.close()
	if _, err := r.balance(ctx); err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	for _, w := range r.workers {
		got, failed := w.drain(ctx, w.mine)
		published += got.published
		err = errors.Join(err, failed, got.failed)
	}
	return published, err
}

func (r *Relay) open(ctx context.Context) (err error) {
	// One connection for each worker, and one each for the polling, the counting and the floors.
	if r.store, err = openStore(ctx, r.cfg.URL, r.cfg.Name, len(r.workers)+3); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

func (r *Relay) close() {
	r.dropLeases()
	r.store.close()
}

// fanWakes hands the news of commits to the workers whose buckets they are in.
func (r *Relay) fanWakes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.cfg.Outbox.Wake():
			r.poke(r.cfg.Outbox.dirty.Swap(0) & r.held.Load())
		}
	}
}

func (r *Relay) poke(mask uint64) {
	for _, w := range r.workers {
		w.poke(mask)
	}
}

// poll finds what nobody here was told of: commits of other replicas, and events whose rest after a failure is over.
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
			mask &^= w.inFlight.Load() | w.dirty.Load() // these are looked at anyway
		}
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		filled, err := r.store.filled(call, mask)
		cancel()
		if err != nil && ctx.Err() == nil {
			r.complain(ctx, err)
		}
		r.poke(filled)
	}
}

// keepLeases holds a session and this relay's share of the buckets, and takes both anew when the session is lost.
func (r *Relay) keepLeases(ctx context.Context) {
	lost := false
	for ctx.Err() == nil {
		settled, err := r.balance(ctx)
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
			pause(ctx, reconnectDelay)
		case settled:
			pause(ctx, balanceInterval)
		default:
			pause(ctx, settleInterval)
		}
	}
}

// balance looks once at who shares the work and moves buckets. After an error this relay holds none.
func (r *Relay) balance(ctx context.Context) (settled bool, err error) {
	if r.leases == nil {
		if r.leases, err = openLeases(ctx, r.cfg.URL, r.cfg.Name); err != nil {
			return false, err
		}
		r.store.floors.restart.Store(true) // it may be another server
	}
	usable, settled, err := r.leases.balance(ctx, r.release)
	if err != nil {
		r.dropLeases()
		return false, err
	}
	if before := r.held.Swap(usable); before != usable {
		r.cfg.Log.DebugContext(ctx, "outbox buckets moved", "held", bits.OnesCount64(usable))
		r.poke(usable &^ before)
	}
	return settled, nil
}

func (r *Relay) dropLeases() {
	r.held.Store(0)
	if r.leases != nil {
		r.leases.close()
		r.leases = nil
	}
}

// release stops the workers from beginning with the buckets of mask, and answers those they are not busy with.
func (r *Relay) release(mask uint64) (idle uint64) {
	r.held.And(^mask)
	idle = mask
	for _, w := range r.workers {
		idle &^= w.inFlight.Load()
	}
	return idle
}
