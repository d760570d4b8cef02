package httpapi

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// The server of a rig trusts the proxy 127.0.0.1, which is every client of these tests.

func TestANetworkOf64BitsIsLimitedAsOneAddress(t *testing.T) {
	if testing.Short() {
		t.Skip("sends hundreds of log-ins")
	}
	t.Parallel()
	nobody := &client{rig: newRig(t)}
	login := func(i int, network string) int {
		body := fmt.Sprintf(`{"email":"nobody%d@example.com","password":""}`, i) // counted, and refused before a password is hashed
		return nobody.do("POST", "/api/v1/auth/login", body, "X-Forwarded-For", fmt.Sprintf("%s::%x", network, i+1)).status
	}
	refused := 0
	for i := range accounts.PerAddress.Burst {
		if got := login(i, "2001:db8:2:2"); got != http.StatusBadRequest {
			t.Fatalf("log-in %d of the burst: got %d, want 400", i+1, got)
		}
	}
	for i := range 60 { // a few are regained meanwhile
		if login(i, "2001:db8:2:2") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("260 log-ins from one /64: got no 429")
	}
	if got := login(0, "2001:db8:2:3"); got != http.StatusBadRequest {
		t.Errorf("a log-in from another /64: got %d, want 400", got)
	}
}

func TestAnAccountIsLimitedWhateverTheHeadersSay(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string]func(i int) []string{
		"addresses of one /64": func(i int) []string { return []string{"X-Forwarded-For", fmt.Sprintf("2001:db8:9:9::%x", i+1)} },
		"IPv4 in both forms": func(i int) []string {
			return []string{"X-Forwarded-For", []string{"192.0.2.77", "::ffff:192.0.2.77"}[i%2]}
		},
		"a zone, and X-Real-IP": func(i int) []string {
			return []string{"X-Forwarded-For", "fe80::1%eth0", "X-Real-IP", fmt.Sprintf("9.9.8.%d", i+1)}
		},
		"no address, and an entry of the client": func(i int) []string {
			return []string{"X-Forwarded-For", fmt.Sprintf("9.9.8.%d, unknown", i+1)}
		},
		"other headers of proxies": func(i int) []string {
			a := fmt.Sprintf("9.9.8.%d", i+1)
			return []string{"X-Real-IP", a, "Forwarded", "for=" + a, "CF-Connecting-IP", a, "True-Client-IP", a, "X-Client-IP", a}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nobody := &client{rig: newRig(t)}
			login := func(i int) int {
				return nobody.do("POST", "/api/v1/auth/login", `{"email":"ada@example.com","password":"guess"}`, headers(i)...).status
			}
			for i := range accounts.PerAccount.Burst {
				if got := login(i); got != http.StatusUnauthorized {
					t.Fatalf("guess %d: got %d, want 401", i+1, got)
				}
			}
			if got := login(accounts.PerAccount.Burst); got != http.StatusTooManyRequests {
				t.Errorf("guess %d: got %d, want 429", accounts.PerAccount.Burst+1, got)
			}
		})
	}
}
