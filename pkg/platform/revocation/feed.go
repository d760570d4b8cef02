package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/platform/auth"
)

// This file has the loads: when the source is asked, and for what.

const (
	// PollEvery is the time between two loads. With loadTimeout and againEvery it keeps an end within the 5 s that are promised,
	// even when one load fails.
	PollEvery = 2 * time.Second
	// againEvery is the pause after a load that has failed. Before the first load the service answers 503 meanwhile.
	againEvery = 500 * time.Millisecond
	// loadTimeout bounds the wait for one page.
	loadTimeout = 2 * time.Second
	// overlap is how far a load reaches back before the newest entry that is known. A transaction that took longer than others
	// commits its entry after theirs, though the entry's time is before; none takes nearly as long as this.
	overlap = time.Minute
	// history is how far the first load reaches back: longer than any entry is kept, and than clocks differ.
	history = 25 * time.Hour
	// pageSize is how many entries one page has: about 200 kB, and one page for all but the busiest installations.
	pageSize = 1000
	// maxPages ends a load whose source never comes to an end. More entries than this the set does not keep.
	maxPages = 1000
)

// Page is one answer of a Source.
type Page struct {
	Items []auth.Revocation `json:"items"`
	Next  string            `json:"next"`     // where the next page begins
	More  bool              `json:"has_more"` // there is a next page
}

// Source returns the entries that it got at or after since, in pages of at most limit. after is Next of the page before, and
// "" for the first.
type Source interface {
	Revocations(ctx context.Context, since time.Time, after string, limit int) (Page, error)
}

// Feed loads a set of revocations. Run and Subscribe bring what is new.
type Feed struct {
	set    *auth.Revocations
	source Source
	log    *slog.Logger
	now    func() time.Time

	newest   time.Time    // when the source got its newest entry, by its clock; used by Run only
	loaded   atomic.Int64 // when the last load succeeded, and before that when New was called; in Unix nanoseconds
	failures prometheus.Counter
}

// New returns a feed of set. It registers the metrics of both.
func New(set *auth.Revocations, source Source, log *slog.Logger, reg prometheus.Registerer, now func() time.Time) *Feed {
	f := &Feed{set: set, source: source, log: log, now: now}
	f.loaded.Store(now().UnixNano())
	f.register(reg)
	return f
}

// Run loads at once and then every PollEvery, and sooner after a load that has failed, until ctx ends. It returns nil. It logs
// the first of the loads in a row that fail.
func (f *Feed) Run(ctx context.Context) error {
	failing, first := false, true
	for {
		err := f.load(ctx)
		if done(ctx) {
			return nil // the load was interrupted
		}
		switch {
		case err != nil && !failing:
			f.log.WarnContext(ctx, "the ended sessions cannot be read; what is known of them stays", "loaded", !first, "error", err.Error())
		case err == nil && first:
			f.log.InfoContext(ctx, "the ended sessions are known")
		case err == nil && failing:
			f.log.InfoContext(ctx, "the ended sessions can be read again")
		}
		failing = err != nil
		first = first && err != nil
		pause := PollEvery
		if failing {
			pause = againEvery
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
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

// load reads what the source has since the newest known entry. A load that fails is repeated from its beginning.
func (f *Feed) load(ctx context.Context) error {
	since := f.now().Add(-history)
	if !f.newest.IsZero() {
		since = f.newest.Add(-overlap)
	}
	newest, after := f.newest, ""
	for range maxPages {
		page, err := f.page(ctx, since, after)
		if err != nil {
			f.failures.Inc()
			return err
		}
		for _, e := range page.Items {
			f.apply(ctx, e)
			if got := e.AddedAt; got.After(newest) { // by the source's clock, as since is
				newest = got
			}
		}
		if !page.More {
			f.finish(newest)
			return nil
		}
		after = page.Next
	}
	f.failures.Inc()
	return fmt.Errorf("read revocations: more than %d pages", maxPages)
}

// finish records a load that is complete.
func (f *Feed) finish(newest time.Time) {
	f.newest = newest
	f.set.Loaded()
	f.loaded.Store(f.now().UnixNano())
}

func (f *Feed) page(ctx context.Context, since time.Time, after string) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	page, err := f.source.Revocations(ctx, since, after, pageSize)
	switch {
	case err != nil:
		return Page{}, fmt.Errorf("read revocations: %w", err)
	case page.More && (page.Next == "" || page.Next == after):
		return Page{}, errors.New("read revocations: a page says that there is a next one, and not where")
	}
	return page, nil
}

// apply adds an entry to the set, and logs one that cannot be used.
func (f *Feed) apply(ctx context.Context, e auth.Revocation) {
	if err := f.set.Apply(e); err != nil {
		f.log.ErrorContext(ctx, "a revocation cannot be used", "user_id", e.UserID, "error", err.Error())
	}
}
