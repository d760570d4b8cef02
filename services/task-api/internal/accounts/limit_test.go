package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiterCountsByKeyAndReturnsTheWait(t *testing.T) {
	now := time.Now()
	l := NewLimiter(Rate{Burst: 3, Every: 10 * time.Second}, func() time.Time { return now })
	for i := range 3 {
		if _, ok := l.Allow("a"); !ok {
			t.Fatalf("attempt %d: got refused", i+1)
		}
	}
	if wait, ok := l.Allow("a"); ok || wait <= 0 || wait > 10*time.Second {
		t.Errorf("attempt 4: got %v %v, want refused for up to 10s", wait, ok)
	}
	if _, ok := l.Allow("b"); !ok {
		t.Error("another key: got refused")
	}
	now = now.Add(10 * time.Second)
	if _, ok := l.Allow("a"); !ok {
		t.Error("ten seconds later: got refused")
	}
}

func TestLimiterIsBoundedInAFlood(t *testing.T) {
	now := time.Now()
	l := NewLimiter(Rate{Burst: 2, Every: time.Hour}, func() time.Time { return now })
	l.Allow("victim")
	l.Allow("victim")
	for i := range 2 * maxKeys {
		l.Allow(fmt.Sprint(i))
	}
	if len(l.keys) > maxKeys {
		t.Errorf("keys: got %d, want at most %d", len(l.keys), maxKeys)
	}
	if _, ok := l.Allow("victim"); ok {
		t.Error("a key that was used up: got allowed after a flood of others")
	}
	if _, ok := l.Allow("newcomer"); ok {
		t.Error("a new key in a flood: got a count of its own, want the shared one, which is used up")
	}
	now = now.Add(2 * time.Hour)
	if _, ok := l.Allow("newcomer"); !ok {
		t.Error("after the flood: got refused")
	}
}

func TestHashingIsBoundedAndTimesOut(t *testing.T) {
	h, err := NewHasher()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		busy := &Hasher{turns: make(chan struct{}, 2), decoy: h.decoy}
		for range cap(busy.turns) {
			if _, err := busy.turn(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		if _, err := busy.Hash(context.Background(), "x"); !errors.Is(err, ErrBusy) || time.Since(begin) != maxWait {
			t.Errorf("no turn: got %v after %v, want ErrBusy after %v", err, time.Since(begin), maxWait)
		}
		gone, cancel := context.WithCancel(context.Background())
		var got atomic.Value
		go func() { _, err := busy.turn(gone); got.Store(err) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if err, _ := got.Load().(error); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that has gone: got %v, want context.Canceled", err)
		}
	})
}

func TestHashIsSaltedAndEmptyHashNeverMatches(t *testing.T) {
	h, err := NewHasher()
	if err != nil {
		t.Fatal(err)
	}
	one, _ := h.Hash(context.Background(), "p")
	two, _ := h.Hash(context.Background(), "p")
	if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash: got %s and %s", one, two)
	}
	if ok, err := h.Check(context.Background(), one, "p"); !ok || err != nil {
		t.Errorf("Check: got %v %v", ok, err)
	}
	if ok, err := h.Check(context.Background(), "", "p"); ok || err != nil {
		t.Errorf("Check of no account: got %v %v, want false", ok, err)
	}
	if _, err := h.Check(context.Background(), "plain", "plain"); err == nil {
		t.Error("Check of a hash of another kind: got no error")
	}
}
