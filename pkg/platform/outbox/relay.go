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
	defaultMaxBatchBytes  = 2 << 20 // half of gRPC's 4 MiB, for what base64 and the envelopes add
	defaultConcurrency    = 4       // bulks in flight, over disjoint keys
)

const (
	balanceInterval = time.Second // between two looks at who shares the work
	reconnectDelay  = 500 * time.Millisecond
	firstBackoff    = 100 * time.Millisecond
	maxBackoff      = 2 * time.Second
	// stopGrace is how long a bulk in flight may go on after the relay was told to stop.
	stopGrace = 5 * time.Second
	// fetchPerBucket bounds what a worker holds in memory: with 64 buckets at most 4,096 events.
	fetchPerBucket = 64
)

// RelayConfig sets up a relay. Zero values take the named defaults.
type RelayConfig struct {
	DB             *gorm.DB
	URL            string // for the relay's own connection, which holds its leases; default: DB's
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
	leases  *leases
	held    atomic.Uint64 // what the workers may touch; a copy of leases.held
	workers []*worker
}

// NewRelay checks the configuration.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if cfg.DB == nil || cfg.Outbox == nil || cfg.Publisher == nil || cfg.Log == nil || cfg.Registerer == nil {
		return nil, errors.New("outbox: a relay needs DB, Outbox, Publisher, Log and Registerer")
	}
	if cfg.URL == "" {
		cfg.URL = postgres.URL(cfg.DB)
	}
	if cfg.Name == "" {
		cfg.Name = "taskwire-relay"
	}
	setDefault(&cfg.PollInterval, defaultPollInterval)
	setDefault(&cfg.PublishTimeout, defaultPublishTimeout)
	setDefault(&cfg.MaxBatch, defaultMaxBatch)
	setDefault(&cfg.MaxBatchBytes, defaultMaxBatchBytes)
	setDefault(&cfg.Concurrency, defaultConcurrency)
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	r := &Relay{cfg: cfg, metrics: m}
	for i := range min(cfg.Concurrency, buckets) {
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
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { r.measure(ctx); return nil })
	group.Go(func() error { r.fanWakes(ctx); return nil })
	group.Go(func() error { r.keepLeases(ctx); return nil })
	for _, w := range r.workers {
		group.Go(func() error { w.run(ctx); return nil })
	}
	err := group.Wait()
	if r.leases != nil { // only now: no worker publishes any more
		r.leases.close()
		r.leases = nil
	}
	return err
}

// RunOnce takes its share of the buckets, relays what is in them until nothing is left or something fails, and gives
// them back. It returns how many events were published.
func (r *Relay) RunOnce(ctx context.Context) (published int, err error) {
	if r.leases, err = openLeases(ctx, r.cfg.URL, r.cfg.Name); err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	defer func() {
		r.leases.close()
		r.leases = nil
		r.held.Store(0)
	}()
	if err := r.leases.balance(ctx, func(int) bool { return true }); err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	r.held.Store(r.leases.held)
	for _, w := range r.workers {
		for {
			got, err := w.pass(ctx, w.mine&r.held.Load())
			published += got.published
			if err != nil {
				return published, err
			}
			if got.published+got.parked == 0 {
				break
			}
		}
	}
	return published, nil
}

// fanWakes hands a wake to the workers whose buckets have commits.
func (r *Relay) fanWakes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.cfg.Outbox.Wake():
			dirty := r.cfg.Outbox.dirty.Load()
			for _, w := range r.workers {
				if dirty&w.mine != 0 {
					w.poke()
				}
			}
		}
	}
}

// keepLeases holds a session and this relay's share of the buckets, and takes both anew when the session is lost.
func (r *Relay) keepLeases(ctx context.Context) {
	lost := false
	for ctx.Err() == nil {
		err := r.balance(ctx)
		if err == nil {
			if lost {
				r.cfg.Log.InfoContext(ctx, "the outbox relay has its database session back")
				lost = false
			}
			pause(ctx, balanceInterval)
			continue
		}
		r.held.Store(0)
		if r.leases != nil {
			r.leases.close()
			r.leases = nil
		}
		if !lost && ctx.Err() == nil {
			r.cfg.Log.WarnContext(ctx, "the outbox relay has no database session; events wait in the outbox", "error", err.Error())
			lost = true
		}
		pause(ctx, reconnectDelay)
	}
}

func (r *Relay) balance(ctx context.Context) (err error) {
	if r.leases == nil {
		if r.leases, err = openLeases(ctx, r.cfg.URL, r.cfg.Name); err != nil {
			return err
		}
	}
	before := r.leases.held
	err = r.leases.balance(ctx, r.withdraw)
	if err != nil {
		return err
	}
	if now := r.leases.held; now != before {
		r.held.Store(now)
		r.cfg.Log.DebugContext(ctx, "outbox buckets balanced", "held", bits.OnesCount64(now))
		for _, w := range r.workers {
			w.poke()
		}
	}
	return nil
}

// withdraw takes a bucket from its worker, if the worker is not in the middle of a pass.
func (r *Relay) withdraw(bucket int) bool {
	w := r.workers[bucket%len(r.workers)]
	if !w.busy.TryLock() {
		return false
	}
	defer w.busy.Unlock()
	r.held.And(^(uint64(1) << bucket))
	return true
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
