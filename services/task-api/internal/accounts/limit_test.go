package accounts

import (
	"context"
	"fmt"
	"strings"
	"testing"
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
		if _, ok := l.Allow(fmt.Sprint(i)); !ok {
			t.Fatalf("key %d of a flood: got refused, want a count of its own", i)
		}
	}
	if len(l.keys) > maxKeys {
		t.Errorf("keys: got %d, want at most %d", len(l.keys), maxKeys)
	}
	if _, ok := l.Allow("victim"); ok {
		t.Error("a key that was used up: got allowed after a flood of others")
	}
	if got := l.Used("victim"); got != 2 {
		t.Errorf("Used of a key that is used up: got %d, want 2", got)
	}
	if got := l.Used("nobody"); got != 0 {
		t.Errorf("Used of a new key: got %d, want 0", got)
	}
}

func TestHashIsSaltedAndEmptyHashNeverMatches(t *testing.T) {
	h, err := NewHasher()
	if err != nil {
		t.Fatal(err)
	}
	one, _ := h.Hash(context.Background(), Turn{}, "p")
	two, _ := h.Hash(context.Background(), Turn{}, "p")
	if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash: got %s and %s", one, two)
	}
	if ok, err := h.Check(context.Background(), Turn{}, one, "p"); !ok || err != nil {
		t.Errorf("Check: got %v %v", ok, err)
	}
	if ok, err := h.Check(context.Background(), Turn{}, "", "p"); ok || err != nil {
		t.Errorf("Check of no account: got %v %v, want false", ok, err)
	}
	if _, err := h.Check(context.Background(), Turn{}, "plain", "plain"); err == nil {
		t.Error("Check of a hash of another kind: got no error")
	}
}
