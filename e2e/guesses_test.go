package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// This file guesses a password on the whole stack from many of the machine's own addresses.

const ownersPassword = "correct horse battery staple"

// auth sends a request to a route below /auth from an address and returns the status.
func auth(t *testing.T, from *http.Client, route string, body map[string]string) int {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Error(err)
		return 0
	}
	resp, err := from.Post(shared.URL()+"/api/v1/auth/"+route, "application/json", bytes.NewReader(raw))
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestGuessesFromManyAddressesDoNotLockTheOwnerOut(t *testing.T) {
	disturbsShared(t) // it takes all turns for a password: a log-in of another test could be answered with 503
	home := clientFrom(t, "127.0.2.1")
	owner := map[string]string{"email": uuid.NewString() + "@example.com", "password": ownersPassword}
	if got := auth(t, home, "register", owner); got != http.StatusCreated {
		t.Fatalf("register: got %d, want 201", got)
	}
	// Eleven addresses use up their guesses, then each guess comes from an address of its own.
	var strangers []*http.Client
	for i := range 11 {
		strangers = append(strangers, clientFrom(t, fmt.Sprint("127.0.3.", i+1)))
	}
	for i := range 40 {
		strangers = append(strangers, clientFrom(t, fmt.Sprint("127.0.4.", i+1)))
	}
	var mu sync.Mutex
	got := map[int]int{}
	var group sync.WaitGroup
	for i := range 110 + 40 {
		from := strangers[i%11]
		if i >= 110 {
			from = strangers[11+i-110]
		}
		group.Go(func() {
			status := auth(t, from, "login", map[string]string{"email": owner["email"], "password": fmt.Sprint("wrong horse ", i)})
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	group.Wait()
	if n := got[http.StatusUnauthorized] + got[http.StatusTooManyRequests] + got[http.StatusServiceUnavailable]; n != 150 || got[http.StatusUnauthorized] == 0 {
		t.Errorf("150 guesses: got %v, want 401, 429 and 503 only", got)
	}
	if status := auth(t, strangers[0], "login", owner); status != http.StatusTooManyRequests {
		t.Errorf("an address that used up its guesses: got %d, want 429", status)
	}
	if status := auth(t, clientFrom(t, "127.0.5.1"), "login", owner); status != http.StatusOK {
		t.Errorf("the owner from a new address: got %d, want 200", status)
	}
	if status := auth(t, home, "login", owner); status != http.StatusOK {
		t.Errorf("the owner from a known address: got %d, want 200", status)
	}
}

func TestNobodyGetsAPredictablePasswordOrAMisleadingEMail(t *testing.T) {
	usesShared(t)
	from := clientFrom(t, "127.0.2.2")
	for i, password := range []string{"password", "12345678", "qwertyuiop", "aaaaaaaa", "        ", "\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b", "P@ssw0rd1"} {
		body := map[string]string{"email": fmt.Sprintf("guess%d-%s@example.com", i, uuid.NewString()), "password": password}
		if got := auth(t, from, "register", body); got != http.StatusUnprocessableEntity {
			t.Errorf("register with the password %q: got %d, want 422", password, got)
		}
	}
	own := uuid.NewString() + "@example.com"
	if got := auth(t, from, "register", map[string]string{"email": own, "password": own}); got != http.StatusUnprocessableEntity {
		t.Errorf("register with the e-mail as password: got %d, want 422", got)
	}
	for _, email := range []string{"\u0430da@example.com", "ada\u200b@example.com", "\u202eada@example.com", "ada@ex\u0430mple.com"} {
		if got := auth(t, from, "register", map[string]string{"email": email, "password": ownersPassword}); got != http.StatusUnprocessableEntity {
			t.Errorf("register with the e-mail %q: got %d, want 422", email, got)
		}
	}
}
