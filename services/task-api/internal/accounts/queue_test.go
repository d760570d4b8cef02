package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// hashing is a queue with one turn, which the test holds until it lets the others go.
type hashing struct {
	*queue
	t     *testing.T
	mu    sync.Mutex
	order []string
	errs  map[string]error
}

func newHashing(t *testing.T) *hashing {
	h := &hashing{queue: newQueue(1, time.Now), t: t, errs: map[string]error{}}
	if _, err := h.acquire(t.Context(), Turn{}); err != nil {
		t.Fatal(err)
	}
	return h
}

// send queues a request and returns when it waits.
func (h *hashing) send(name, address string, known bool) {
	h.t.Helper()
	turn := h.turn(address, known)
	go func() {
		release, err := h.acquire(h.t.Context(), turn)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.errs[name] = err; err == nil {
			h.order = append(h.order, name)
			defer release()
		}
	}()
	synctest.Wait()
}

// run lets all hash and returns the order.
func (h *hashing) run() []string {
	h.release()
	synctest.Wait()
	return h.order
}

func TestTheQueueIsFairByAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHashing(t)
		for i := range 3 {
			h.send(fmt.Sprint("a", i), "a", false)
		}
		h.send("b0", "b", false)
		h.send("b1", "b", false)
		h.send("owner", "c", false)
		if got, want := h.run(), []string{"owner", "b0", "a0", "b1", "a1", "a2"}; !slices.Equal(got, want) {
			t.Errorf("order: got %v, want %v", got, want)
		}
	})
}

func TestAKnownDeviceHashesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHashing(t)
		for range 5 {
			h.turn("home", true) // a busy address
		}
		h.send("home", "home", true)
		h.send("new", "b", false)
		if got, want := h.run(), []string{"home", "new"}; !slices.Equal(got, want) {
			t.Errorf("order: got %v, want %v", got, want)
		}
	})
}

// An address can make itself known by accounts of its own.
func TestAKnownAddressWithManyRequestsWaitsAsOthers(t *testing.T) {
	for before, want := range map[int][]string{maxKnownRank - 1: {"busy", "new"}, maxKnownRank: {"new", "busy"}} {
		synctest.Test(t, func(t *testing.T) {
			h := newHashing(t)
			for range before {
				h.turn("busy", true)
			}
			h.send("busy", "busy", true)
			h.send("new", "b", false)
			if got := h.run(); !slices.Equal(got, want) {
				t.Errorf("after %d requests: got %v, want %v", before, got, want)
			}
		})
	}
}

func TestAnAddressIsForgivenWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(1, time.Now)
		for range 9 {
			q.turn("a", false)
		}
		if got := q.turn("a", false).rank; got != 10 {
			t.Errorf("rank of the tenth request: got %d, want 10", got)
		}
		time.Sleep(10 * recentRequests.Every)
		if got := q.turn("a", false).rank; got != 1 {
			t.Errorf("rank after a pause: got %d, want 1", got)
		}
	})
}

func TestAThousandAddressesDoNotHoldUpTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHashing(t)
		const n = 1000
		for i := range n {
			h.send(fmt.Sprint(i), fmt.Sprint("address", i), false)
		}
		h.send("owner", "new", false)
		h.send("home", "home", true)
		if len(h.waiting) != maxWaiting {
			t.Errorf("waiting: got %d, want %d", len(h.waiting), maxWaiting)
		}
		got := h.run()
		if len(got) != maxWaiting || got[0] != "home" || got[1] != "owner" {
			t.Errorf("got %d hashes that begin with %v, want %d that begin with home and owner", len(got), got[:2], maxWaiting)
		}
		refused := 0
		for name, err := range h.errs {
			if err != nil {
				refused++
			}
			if err != nil && (!errors.Is(err, ErrBusy) || name == "owner" || name == "home") {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if refused != n+2-maxWaiting {
			t.Errorf("refused: got %d, want %d", refused, n+2-maxWaiting)
		}
	})
}

func TestOneAddressCannotFillTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHashing(t)
		for i := range maxWaitingByAddress + 1 {
			h.send(fmt.Sprint(i), "a", false)
		}
		if err := h.errs[fmt.Sprint(maxWaitingByAddress)]; !errors.Is(err, ErrBusy) {
			t.Errorf("request %d of one address: got %v, want ErrBusy", maxWaitingByAddress+1, err)
		}
		h.send("other", "b", false)
		if got := h.run(); len(got) != maxWaitingByAddress+1 || got[0] != "other" {
			t.Errorf("got %d hashes, the first of %s; want %d, the first of other", len(got), got[0], maxWaitingByAddress+1)
		}
	})
}

func TestHashingIsBoundedAndTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2, time.Now)
		var releases []func()
		for range 2 {
			release, err := q.acquire(t.Context(), Turn{})
			if err != nil {
				t.Fatal(err)
			}
			releases = append(releases, release)
		}
		begin := time.Now()
		if _, err := q.acquire(t.Context(), Turn{}); !errors.Is(err, ErrBusy) || time.Since(begin) != maxWait {
			t.Errorf("no turn: got %v after %v, want ErrBusy after %v", err, time.Since(begin), maxWait)
		}
		gone, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := q.acquire(gone, Turn{}); done <- err }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a client that has gone: got %v, want context.Canceled", err)
		}
		for _, release := range releases {
			release()
		}
		if q.free != 2 || len(q.waiting) != 0 {
			t.Errorf("after all: got %d free turns and %d waiting, want 2 and 0", q.free, len(q.waiting))
		}
	})
}

// A turn can come in the moment in which its client goes away. It must then go to the next one.
func TestNoTurnIsLostWhenClientsGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2, time.Now)
		var wg sync.WaitGroup
		for i := range 200 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Millisecond)
			wg.Go(func() {
				defer cancel()
				if release, err := q.acquire(ctx, Turn{address: fmt.Sprint(i)}); err == nil {
					time.Sleep(time.Millisecond)
					release()
				}
			})
		}
		wg.Wait()
		if q.free != 2 || len(q.waiting) != 0 {
			t.Errorf("got %d free turns and %d waiting, want 2 and 0", q.free, len(q.waiting))
		}
	})
}
