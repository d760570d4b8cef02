package accounts

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// This file decides whose password is hashed next. A hash takes about 25 ms of a processor, so a flood of log-ins is a queue, and
// the order of the queue decides who gets in. docs/adr/0033 has the reasons and the measured costs.

const (
	// maxWait bounds the time that a request waits for its turn to hash. After that the client should retry later.
	maxWait = 5 * time.Second
	// maxWaiting bounds the requests that wait. Two processors hash no more than about 400 in maxWait.
	maxWaiting = 512
	// maxWaitingByAddress bounds those of one address, which could otherwise fill the queue.
	maxWaitingByAddress = 64
	// maxKnownRank is how many recent requests of an address come first because it is known. Somebody who logs in sends a few. An
	// address that sends more, to accounts of its own, waits as any other does.
	maxKnownRank = 20
)

// recentRequests counts the requests of an address. It forgets one each second.
var recentRequests = Rate{Burst: 1000, Every: time.Second}

// ErrBusy means that too many passwords are being hashed.
var ErrBusy = errors.New("too many log-ins at once")

// Turn is the place of a request in the queue.
type Turn struct {
	address string
	known   bool // whether the account was used from there before, and the rank is at most maxKnownRank
	rank    int  // how many requests the address has sent lately
}

// queue runs a bounded number of hashes at once. The next one is a request from a known device, else the one whose address has
// sent the fewest requests lately, else the newest. So one address waits behind its own requests and not behind those of others,
// and a burst from a thousand addresses does not hold up a request that comes after it. If the queue is full, the last one in
// this order is answered with ErrBusy. Safe for concurrent use.
type queue struct {
	recent *Limiter // by address

	mu      sync.Mutex
	free    int // hashes that may start at once
	waiting []*waiter
	count   uint64
}

type waiter struct {
	Turn
	number uint64     // in the order of arrival
	ready  chan error // nil means that it may hash now
}

func newQueue(turns int, now func() time.Time) *queue {
	return &queue{recent: NewLimiter(recentRequests, now), free: turns}
}

func (q *queue) turn(address string, known bool) Turn {
	q.recent.Allow(address)
	rank := q.recent.Used(address)
	return Turn{address: address, known: known && rank <= maxKnownRank, rank: rank}
}

// acquire waits until the request may hash. The caller calls release afterwards. The error is ErrBusy or the context's.
func (q *queue) acquire(ctx context.Context, t Turn) (release func(), err error) {
	w, err := q.join(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxWait, ErrBusy)
	defer cancel()
	select {
	case err := <-w.ready:
		if err != nil {
			return nil, err
		}
		return q.release, nil
	case <-ctx.Done():
		if !q.leave(w) && <-w.ready == nil { // its turn came at the same time
			q.release()
		}
		return nil, context.Cause(ctx)
	}
}

// join adds a request. If it may hash at once, it is ready already.
func (q *queue) join(t Turn) (*waiter, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count++
	w := &waiter{Turn: t, number: q.count, ready: make(chan error, 1)}
	if q.free > 0 {
		q.free--
		w.ready <- nil
		return w, nil
	}
	same := 0
	for _, other := range q.waiting {
		if other.address == t.address {
			same++
		}
	}
	if same >= maxWaitingByAddress {
		return nil, ErrBusy
	}
	q.waiting = append(q.waiting, w)
	if len(q.waiting) > maxWaiting {
		last := slices.MaxFunc(q.waiting, order)
		q.remove(last)
		last.ready <- ErrBusy
	}
	return w, nil
}

// release ends a hash and lets the next one start.
func (q *queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.free++
		return
	}
	next := slices.MinFunc(q.waiting, order)
	q.remove(next)
	next.ready <- nil
}

// leave removes a request that does not wait any longer. It reports whether the request was still waiting.
func (q *queue) leave(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.remove(w)
}

func (q *queue) remove(w *waiter) bool {
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// order is negative if a comes before b.
func order(a, b *waiter) int {
	switch {
	case a.known != b.known:
		if a.known {
			return -1
		}
		return 1
	case a.rank != b.rank:
		return a.rank - b.rank
	case a.number > b.number:
		return -1
	case a.number < b.number:
		return 1
	}
	return 0
}
