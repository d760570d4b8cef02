package batcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testPatience = 100 * time.Millisecond
	testTimeout  = 10 * time.Second
	testMax      = 32
)

// item is the item of a call. Its order key is the first letter of its id, and its distinct key is the part after a colon.
type item struct {
	id  string
	err error
}

// rig is a batcher whose batches end when the test sends to end. It runs in a synctest bubble.
type rig struct {
	*Batcher[*item]
	mu      sync.Mutex
	batches [][]string // the ids of each batch, in the order of their starts
	end     chan struct{}
}

func newRig(parallel int) *rig {
	r := &rig{end: make(chan struct{})}
	r.Batcher = New(Config[*item]{
		MaxBatch: testMax, Parallel: parallel, Patience: testPatience, Timeout: testTimeout,
		OrderKey: func(i *item) string { return i.id[:1] },
		DistinctKey: func(i *item) string {
			_, key, _ := strings.Cut(i.id, ":")
			return key
		},
		Run: func(ctx context.Context, batch []*item) {
			var ids []string
			for _, i := range batch {
				ids = append(ids, i.id)
			}
			r.mu.Lock()
			r.batches = append(r.batches, ids)
			r.mu.Unlock()
			select {
			case <-r.end:
			case <-ctx.Done():
				for _, i := range batch {
					i.err = ctx.Err()
				}
			}
		},
	})
	return r
}

// do calls Do for each id. It returns when the calls run or wait, with a channel for the outcome of each.
func (r *rig) do(ctx context.Context, ids ...string) []<-chan error {
	var all []<-chan error
	for _, id := range ids {
		out := make(chan error, 1)
		all = append(all, out)
		go func() {
			i := &item{id: id}
			err := r.Do(ctx, i)
			if err == nil {
				err = i.err
			}
			out <- err
		}()
		synctest.Wait()
	}
	return all
}

func (r *rig) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	for _, ids := range r.batches {
		got = append(got, fmt.Sprint(ids))
	}
	if !slices.Equal(got, want) {
		t.Errorf("batches: got %v, want %v", got, want)
	}
}

// idle fails the test when the batcher has a running batch, an order key or a waiting call.
func (r *rig) idle(t *testing.T) {
	t.Helper()
	synctest.Wait()
	r.Batcher.mu.Lock()
	defer r.Batcher.mu.Unlock()
	if len(r.running)+len(r.keys)+len(r.waiting) != 0 {
		t.Errorf("left in the batcher: %d running, keys %v, %d waiting", len(r.running), r.keys, len(r.waiting))
	}
}

func TestCallsRunAloneUpToParallelAndThenTogether(t *testing.T) {
	for parallel, want := range map[int][]string{1: {"[a]", "[b c d e]"}, 2: {"[a]", "[b]", "[c d e]"}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(parallel)
			all := r.do(t.Context(), "a", "b", "c", "d", "e")
			r.want(t, want[:parallel]...)
			r.end <- struct{}{}
			r.want(t, want...)
			close(r.end)
			for _, out := range all {
				if err := <-out; err != nil {
					t.Error(err)
				}
			}
			r.idle(t)
		})
	}
}

func TestASmallerBatchWaitsForARunningOne(t *testing.T) {
	for name, tc := range map[string]struct {
		then func(t *testing.T, r *rig)
		want string
	}{
		"until it is as large":   {func(t *testing.T, r *rig) { r.do(t.Context(), "h") }, "[f g h]"},
		"until the other ends":   {func(_ *testing.T, r *rig) { r.end <- struct{}{} }, "[f g]"},
		"until patience is over": {func(_ *testing.T, _ *rig) { time.Sleep(testPatience) }, "[f g]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(2)
				r.do(t.Context(), "a", "b", "c", "d", "e")
				for range 2 { // a and b
					r.end <- struct{}{}
					synctest.Wait()
				}
				r.do(t.Context(), "f", "g")
				r.want(t, "[a]", "[b]", "[c d e]")
				tc.then(t, r)
				r.want(t, "[a]", "[b]", "[c d e]", tc.want)
				close(r.end)
			})
		})
	}
}

func TestWaitingCallsStartWhenABatchEndsNextToAHungOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(2)
		ctx, cancel := context.WithCancel(t.Context())
		r.do(t.Context(), "a", "b") // b hangs
		r.do(ctx, "c", "d", "e")
		time.Sleep(testPatience)
		r.end <- struct{}{} // a
		r.want(t, "[a]", "[b]", "[c d e]")
		r.do(t.Context(), "f", "g")
		cancel() // c, d and e
		r.want(t, "[a]", "[b]", "[c d e]", "[f g]")
		close(r.end)
	})
}

func TestAnOrderKeyIsInOneRunningBatchInTheOrderOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(2)
		r.do(t.Context(), "a1", "a2", "b1", "a3")
		r.want(t, "[a1]", "[b1]")
		for range 2 {
			r.end <- struct{}{}
		}
		r.want(t, "[a1]", "[b1]", "[a2 a3]")
		close(r.end)
	})
}

func TestCallsWithOneDistinctKeyAreInSeparateBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(1)
		r.do(t.Context(), "a", "b1:k", "b2:k", "c:l", "d", "e")
		r.end <- struct{}{}
		r.want(t, "[a]", "[b1:k c:l d e]")
		r.end <- struct{}{}
		r.want(t, "[a]", "[b1:k c:l d e]", "[b2:k]")
		close(r.end)
	})
}

func TestABatchIsBounded(t *testing.T) {
	for _, n := range []int{testMax, testMax + 1} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(1)
			r.do(t.Context(), "a")
			for i := range n {
				r.do(t.Context(), fmt.Sprintf("a%d", i))
			}
			r.end <- struct{}{}
			synctest.Wait()
			if got := len(r.batches[1]); got != testMax || len(r.waiting) != n-testMax {
				t.Errorf("%d calls: got a batch of %d, %d waiting; want %d, %d", n, got, len(r.waiting), testMax, n-testMax)
			}
			close(r.end)
		})
	}
}

func TestACallGivenUpWhileWaitingIsInNoBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(1)
		ctx, cancel := context.WithCancel(t.Context())
		first := r.do(t.Context(), "a1")[0]
		second := r.do(ctx, "a2")[0]
		third := r.do(t.Context(), "a3")[0]
		cancel()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Errorf("call that was given up: got %v, want context.Canceled", err)
		}
		r.end <- struct{}{}
		r.want(t, "[a1]", "[a3]")
		close(r.end)
		if err := errors.Join(<-first, <-third); err != nil {
			t.Error(err)
		}
		r.idle(t)
	})
}

func TestABatchContinuesWhileACallerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(1)
		r.do(t.Context(), "x")
		first, giveUpFirst := context.WithCancel(t.Context())
		second, giveUpSecond := context.WithCancel(t.Context())
		a, b := r.do(first, "a")[0], r.do(second, "b")[0]
		r.end <- struct{}{} // x
		r.want(t, "[x]", "[a b]")
		giveUpFirst()
		if err := <-a; !errors.Is(err, context.Canceled) {
			t.Errorf("call that was given up: got %v, want context.Canceled", err)
		}
		synctest.Wait()
		if len(r.running) != 1 {
			t.Errorf("one caller still waits: got %d batches running, want 1", len(r.running))
		}
		giveUpSecond()
		if err := <-b; !errors.Is(err, context.Canceled) {
			t.Errorf("call that was given up: got %v, want context.Canceled", err)
		}
		r.idle(t)
	})
}

func TestAHungBatchEndsAfterTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(1)
		if err := <-r.do(t.Context(), "a")[0]; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do: got %v, want context.DeadlineExceeded", err)
		}
	})
}

func TestAPanicIsAnErrorOfEachCallOfTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config[int]{MaxBatch: 1, Timeout: testTimeout, Run: func(context.Context, []int) { panic("broken") }})
		for range 3 { // a panic does not use up the limit of running batches
			if err := b.Do(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "broken") {
				t.Errorf("Do: got %v, want an error with the panic", err)
			}
		}
	})
}

func TestABatchKeepsItsCallersValuesNotTheirDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var deadlines []time.Duration
		end := make(chan struct{})
		b := New(Config[int]{MaxBatch: 2, Timeout: testTimeout, Run: func(ctx context.Context, _ []int) {
			at, _ := ctx.Deadline()
			deadlines = append(deadlines, time.Until(at))
			if ctx.Value(key{}) != "v" {
				t.Error("the values of the caller's context are lost")
			}
			<-end
		}})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), time.Minute)
		defer cancel()
		short, cancelShort := context.WithTimeout(ctx, time.Second)
		defer cancelShort()
		for _, ctx := range []context.Context{short, short, ctx} {
			go func() { _ = b.Do(ctx, 1) }()
			synctest.Wait()
		}
		end <- struct{}{}
		synctest.Wait()
		close(end)
		if want := []time.Duration{time.Second, testTimeout}; !slices.Equal(deadlines, want) {
			t.Errorf("time left: got %v, want the caller's deadline for a call alone, then Timeout: %v", deadlines, want)
		}
	})
}
