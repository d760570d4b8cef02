package accounts

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestWrongPasswordsSlowDownMoreAndMoreButNotForEver(t *testing.T) {
	now := time.Now()
	b := newBrake(func() time.Time { return now })
	for n, want := range map[int]time.Duration{0: 0, slowAfter: 0, slowAfter + 1: slowStep, slowAfter + 10: 10 * slowStep, slowAfter + 50: maxSlow, 99: maxSlow, 10_000: maxSlow} {
		account := fmt.Sprint(n)
		for range n {
			b.failed(account)
		}
		if got := b.delay(account); got != want {
			t.Errorf("after %d wrong passwords: got %v, want %v", n, got, want)
		}
	}
	now = now.Add(100 * wrongPasswords.Every)
	if got := b.delay("10000"); got != 0 {
		t.Errorf("after a pause: got %v, want 0", got)
	}
}

func TestTheBrakeRefusesNobodyForWrongPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrake(time.Now)
		for i := range 70 { // one guess a second from ever new addresses
			if err := b.wait(t.Context(), "owner", Turn{address: fmt.Sprint(i)}); err != nil {
				t.Fatalf("guess %d: got %v", i+1, err)
			}
			b.failed("owner")
			time.Sleep(time.Second)
		}
		begin := time.Now()
		if err := b.wait(t.Context(), "owner", Turn{address: "new", rank: 1}); err != nil || time.Since(begin) > maxSlow {
			t.Errorf("the owner: got %v after %v, want no error after at most %v", err, time.Since(begin), maxSlow)
		}
		begin = time.Now()
		if err := b.wait(t.Context(), "another", Turn{}); err != nil || time.Since(begin) != 0 {
			t.Errorf("another account: got %v after %v, want no wait", err, time.Since(begin))
		}
	})
}

func TestOfTooManyGuessesTheBusiestAddressIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrake(time.Now)
		for range 100 {
			b.failed("owner")
		}
		errs := map[string]chan error{}
		send := func(name string, rank int) {
			out := make(chan error, 1)
			errs[name] = out
			go func() { out <- b.wait(t.Context(), "owner", Turn{address: name, rank: rank}) }()
			synctest.Wait()
		}
		send("busy", 2)
		for i := range maxSlowed - 1 {
			send(fmt.Sprint(i), 1)
		}
		send("owner", 1)
		var limited *LimitError
		select {
		case err := <-errs["busy"]:
			if !errors.As(err, &limited) || limited.RetryAfter != maxSlow {
				t.Errorf("the busiest address: got %v, want a *LimitError for %v", err, maxSlow)
			}
		default:
			t.Error("the busiest address: still waits, want it refused")
		}
		send("later", 1)
		if err := <-errs["0"]; !errors.As(err, &limited) {
			t.Errorf("the oldest of equal ones: got %v, want a *LimitError", err)
		}
		for _, name := range []string{"1", "owner", "later"} {
			if err := <-errs[name]; err != nil {
				t.Errorf("%s: got %v, want no error", name, err)
			}
		}
		synctest.Wait()
		if len(b.slowed) != 0 {
			t.Errorf("after all: got %d accounts with waiting requests, want 0", len(b.slowed))
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.wait(gone, "owner", Turn{}); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that has gone: got %v, want context.Canceled", err)
		}
	})
}
