package httpapi

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// These tests attack an account over HTTP. They assert nothing about seconds: the tests of package accounts show the bounds of
// each wait with a clock of their own.

// attack sends wrong log-ins at the same time and returns how many had each status.
func (c *client) attack(email string, n int, from func(i int) string) map[int]int {
	c.t.Helper()
	var mu sync.Mutex
	got := map[int]int{}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			a := c.do("POST", "/api/v1/auth/login", fmt.Sprintf(`{"email":%q,"password":"wrong horse %d"}`, email, i), "X-Forwarded-For", from(i))
			mu.Lock()
			defer mu.Unlock()
			got[a.status]++
		})
	}
	wg.Wait()
	return got
}

func (c *client) wantOwnerIn(email string) {
	c.t.Helper()
	body := fmt.Sprintf(`{"email":%q,"password":%q}`, email, password)
	for name, from := range map[string]string{"a fresh address": "203.0.113.77", "a known address": "192.0.2.1"} {
		if a := c.do("POST", "/api/v1/auth/login", body, "X-Forwarded-For", from); a.status != http.StatusOK {
			c.t.Errorf("the owner from %s: got %d %s, want 200", name, a.status, a.body)
		}
	}
}

func (c *client) owner(email string) {
	c.t.Helper()
	c.want(http.StatusCreated, nil, "POST", "/api/v1/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password), "X-Forwarded-For", "192.0.2.1")
}

func TestStrangersWithWrongPasswordsDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	nobody := &client{rig: newRig(t)}
	nobody.owner("owner@example.com")
	// Eleven addresses use up their guesses. While they come at once, some of them may find the queue full or too slow.
	got := nobody.attack("owner@example.com", 110, func(i int) string { return fmt.Sprint("198.51.100.", i%11) })
	if n := got[http.StatusUnauthorized] + got[http.StatusTooManyRequests] + got[http.StatusServiceUnavailable]; n != 110 || got[http.StatusUnauthorized] == 0 {
		t.Errorf("110 guesses: got %v, want 401, 429 and 503 only", got)
	}
	nobody.wantOwnerIn("owner@example.com")
	for i := range 11 {
		a := nobody.do("POST", "/api/v1/auth/login", `{"email":"owner@example.com","password":"wrong horse"}`, "X-Forwarded-For", fmt.Sprint("198.51.100.", i))
		if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
			t.Errorf("the next guess of stranger %d: got %d, want 429 with a Retry-After", i, a.status)
		}
	}
}

func TestGuessesFromEverNewAddressesDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	nobody := &client{rig: newRig(t)}
	nobody.owner("owner@example.com")
	for round := range 5 {
		nobody.attack("owner@example.com", 14, func(i int) string { return fmt.Sprintf("2001:db8:%x:%x::1", round, i) })
	}
	nobody.wantOwnerIn("owner@example.com")
	nobody.owner("other@example.com")
}
