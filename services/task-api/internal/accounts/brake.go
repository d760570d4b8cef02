package accounts

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// slowAfter is the number of wrong passwords that slow nobody down: those of an owner who has forgotten the password.
	slowAfter = 10
	// slowStep is added to the wait for each further one.
	slowStep = 20 * time.Millisecond
	// maxSlow bounds the wait, so that an owner with the right password gets in within two seconds.
	maxSlow = time.Second
	// maxSlowed bounds the requests for one account that wait at the same time. With maxSlow it bounds the guesses to 16 a
	// second, from any number of addresses.
	maxSlowed = 16
)

// wrongPasswords counts the wrong passwords of an account. It forgets one each ten seconds.
var wrongPasswords = Rate{Burst: 100, Every: 10 * time.Second}

// brake slows guesses on one account down, when they come from devices that the account was not used with. It refuses nobody
// because of wrong passwords: the right one gets in after at most maxSlow. Only if more than maxSlowed wait for one account, it
// refuses the request of the busiest address, and of several the oldest. It treats an account that does not exist like one that
// does. Safe for concurrent use.
type brake struct {
	wrong *Limiter // by account

	mu     sync.Mutex
	slowed map[string][]*waiter // by account
	count  uint64
}

func newBrake(now func() time.Time) *brake {
	return &brake{wrong: NewLimiter(wrongPasswords, now), slowed: map[string][]*waiter{}}
}

// failed counts a wrong password.
func (b *brake) failed(account string) { b.wrong.Allow(account) }

// delay returns how long the next guess waits.
func (b *brake) delay(account string) time.Duration {
	return min(maxSlow, slowStep*time.Duration(max(0, b.wrong.Used(account)-slowAfter)))
}

// wait waits as long as a guess must. The error is a *LimitError or the context's.
func (b *brake) wait(ctx context.Context, account string, t Turn) error {
	delay := b.delay(account)
	if delay == 0 {
		return nil
	}
	w := b.join(account, t, delay)
	timer := time.NewTimer(delay)
	defer timer.Stop()
	defer b.leave(account, w)
	select {
	case err := <-w.ready:
		return err
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// join adds a request, and refuses the last one in the order of the queue if there are too many.
func (b *brake) join(account string, t Turn, delay time.Duration) *waiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	w := &waiter{Turn: t, number: b.count, ready: make(chan error, 1)}
	list := b.slowed[account]
	list = append(list, w)
	if len(list) > maxSlowed {
		last := slices.MaxFunc(list, order)
		last.ready <- &LimitError{RetryAfter: delay}
		list = slices.DeleteFunc(list, func(other *waiter) bool { return other == last })
	}
	b.slowed[account] = list
	return w
}

func (b *brake) leave(account string, w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.DeleteFunc(b.slowed[account], func(other *waiter) bool { return other == w })
	if b.slowed[account] = list; len(list) == 0 {
		delete(b.slowed, account)
	}
}
