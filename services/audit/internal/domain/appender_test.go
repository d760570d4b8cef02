package domain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// scripted is a Writer whose transactions the test ends. Package postgres tests the real one.
type scripted struct {
	mu      sync.Mutex
	batches [][]string
	hold    chan struct{} // if not nil, each transaction waits for one receive
	fail    func(entries []*Entry) error
}

func (s *scripted) Append(ctx context.Context, entries []*Entry) (int, error) {
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.EventID)
	}
	s.mu.Lock()
	s.batches = append(s.batches, ids)
	s.mu.Unlock()
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if s.fail != nil {
		if err := s.fail(entries); err != nil {
			return 0, err
		}
	}
	return len(entries), nil
}

func TestDeliveriesDuringACommitShareTheNextTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &scripted{hold: make(chan struct{})}
		a := NewAppender(w, prometheus.NewRegistry())
		errs := make(chan error)
		go func() { errs <- a.Append(context.Background(), newEntry(t, 0)) }()
		synctest.Wait() // the first transaction is open
		for i := range 11 {
			go func() { errs <- a.Append(context.Background(), newEntry(t, i+1)) }()
		}
		synctest.Wait()
		for _, want := range []int{1, 11} {
			w.hold <- struct{}{}
			for range want {
				if err := <-errs; err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		}
		if len(w.batches) != 2 || len(w.batches[0]) != 1 || len(w.batches[1]) != 11 {
			t.Errorf("transactions: got %v, want one of 1 and one of 11", w.batches)
		}
		if got := testutil.ToFloat64(a.appended); got != 12 {
			t.Errorf("audit_appended_total: got %v, want 12", got)
		}
	})
}

func TestNoDeliveryIsAcknowledgedBeforeItsCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &scripted{hold: make(chan struct{})}
		a := NewAppender(w, prometheus.NewRegistry())
		acknowledged := false
		go func() {
			if err := a.Append(context.Background(), newEntry(t, 0)); err != nil {
				t.Errorf("Append: %v", err)
			}
			acknowledged = true
		}()
		synctest.Wait()
		if acknowledged {
			t.Fatal("acknowledged while its transaction is open")
		}
		w.hold <- struct{}{}
		synctest.Wait()
		if !acknowledged {
			t.Fatal("not acknowledged after its commit")
		}
	})
}

func TestAnUnstorableEventDoesNotBlockOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := newEntry(t, 3)
		w := &scripted{hold: make(chan struct{}), fail: func(entries []*Entry) error {
			for _, e := range entries {
				if e == bad {
					return fmt.Errorf("insert: %w", ErrUnstorable)
				}
			}
			return nil
		}}
		a := NewAppender(w, prometheus.NewRegistry())
		errs := make(chan error, 8)
		add := func(e *Entry) {
			go func() {
				err := a.Append(context.Background(), e)
				if (e == bad) != errors.Is(err, ErrUnstorable) {
					t.Errorf("Append, unstorable entry: %v: got %v", e == bad, err)
				}
				errs <- err
			}()
		}
		add(newEntry(t, 0))
		synctest.Wait()
		for i := range 5 {
			add(newEntry(t, i+10))
		}
		add(bad)
		synctest.Wait()
		close(w.hold)
		for range 7 {
			<-errs
		}
	})
}

func TestAFailedTransactionFailsEachOfItsDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("connection refused")
		w := &scripted{fail: func([]*Entry) error { return down }}
		a := NewAppender(w, prometheus.NewRegistry())
		if err := a.Append(context.Background(), newEntry(t, 0)); !errors.Is(err, down) {
			t.Errorf("Append: got %v, want %v", err, down)
		}
		w.fail = nil
		if err := a.Append(context.Background(), newEntry(t, 0)); err != nil {
			t.Errorf("Append after the database is back: %v", err)
		}
	})
}

func TestAHungTransactionEndsAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &scripted{hold: make(chan struct{})}
		a := NewAppender(w, prometheus.NewRegistry())
		errs := make(chan error, 2)
		begin := time.Now()
		for i := range 2 { // the second waits for the first
			go func() { errs <- a.Append(context.Background(), newEntry(t, i)) }()
			synctest.Wait()
		}
		for n := range 2 {
			if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Append: got %v for an event that was not stored, want context.DeadlineExceeded", err)
			}
			if took, want := time.Since(begin), time.Duration(n+1)*appendTimeout; took != want {
				t.Errorf("delivery %d: Append returned after %s, want %s", n, took, want)
			}
		}
		close(w.hold)
		if err := a.Append(context.Background(), newEntry(t, 2)); err != nil {
			t.Errorf("Append after the hang: %v", err)
		}
	})
}

func TestAnAbandonedDeliveryDoesNotBlockTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &scripted{hold: make(chan struct{})}
		a := NewAppender(w, prometheus.NewRegistry())
		ctx, cancel := context.WithCancel(context.Background())
		errs := make(chan error, 1)
		go func() { errs <- a.Append(ctx, newEntry(t, 0)) }()
		synctest.Wait()
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("Append: got %v, want context.Canceled", err)
		}
		close(w.hold)
		if err := a.Append(context.Background(), newEntry(t, 1)); err != nil {
			t.Errorf("the next Append: %v", err)
		}
	})
}
