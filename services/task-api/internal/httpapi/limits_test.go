package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// Sends requests that are refused after the limiter counted them and before a password is hashed. So the test
// uses up a limit fast, and the limiter gives back few requests.
func TestEachRateLimitAllowsItsBurstAndNoMore(t *testing.T) {
	if testing.Short() {
		t.Skip("sends thousands of requests")
	}
	t.Parallel()
	const short = `{"email":"%s","password":"x"}`
	for name, c := range map[string]struct {
		rate         accounts.Rate
		method, path string
		allowed      int
		body         func(i int) string
	}{
		"register, by address":                    {accounts.PerAddress, "POST", "/api/v1/auth/register", 400, nil},
		"log in, by address":                      {accounts.PerAddress, "POST", "/api/v1/auth/login", 400, nil},
		"refresh, by address":                     {accounts.PerAddressRefresh, "POST", "/api/v1/auth/refresh", 400, nil},
		"log out, by address":                     {accounts.PerAddressRefresh, "POST", "/api/v1/auth/logout", 400, nil},
		"change password, by address":             {accounts.PerAddress, "POST", "/api/v1/me/password", 400, nil},
		"delete account, by address":              {accounts.PerAddress, "DELETE", "/api/v1/me", 400, nil},
		"register, by account and address":        {accounts.PerAccount, "POST", "/api/v1/auth/register", 422, func(int) string { return fmt.Sprintf(short, "a@example.com") }},
		"change password, by account and address": {accounts.PerAccount, "POST", "/api/v1/me/password", 422, func(int) string { return `{"new_password":"x"}` }},
	} {
		t.Run(name, func(t *testing.T) {
			user := newRig(t).user()
			own := fmt.Sprint("192.0.2.", len(name))
			send := func(i int) answer {
				body := "no JSON"
				if c.body != nil {
					body = c.body(i)
				}
				return user.do(c.method, c.path, body, "X-Forwarded-For", own)
			}
			begin := time.Now()
			for i := range c.rate.Burst {
				if a := send(i); a.status != c.allowed {
					t.Fatalf("request %d: got %d %s, want %d", i+1, a.status, a.body, c.allowed)
				}
			}
			sent := c.rate.Burst
			a := send(sent)
			for sent++; a.status != http.StatusTooManyRequests; sent++ {
				if back := int(time.Since(begin) / c.rate.Every); sent > c.rate.Burst+back {
					t.Fatalf("after the burst of %d and %d regained requests: got %d, want 429", c.rate.Burst, back, a.status)
				}
				a = send(sent)
			}
			wait, err := strconv.Atoi(a.header.Get("Retry-After"))
			if err != nil || wait < 1 || wait > int(c.rate.Every/time.Second)+1 {
				t.Errorf("after %d requests: got Retry-After %q, want 1 to %d seconds", sent, a.header.Get("Retry-After"), int(c.rate.Every/time.Second)+1)
			}
		})
	}
}

func TestAStolenTokenCannotGuessThePassword(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.user()
	// The guesses alternate between the two routes that check the password: one limit counts both.
	for i := range accounts.PerAccount.Burst {
		path, body := [2]string{"POST", "/api/v1/me/password"}, `{"current_password":"guess","new_password":"8 of kind"}`
		if i%2 == 1 {
			path, body = [2]string{"DELETE", "/api/v1/me"}, `{"password":"guess"}`
		}
		if a := c.do(path[0], path[1], body); a.status == http.StatusTooManyRequests {
			t.Fatalf("guess %d: got 429", i+1)
		}
	}
	c.wantProblem(http.StatusTooManyRequests, "", "POST", "/api/v1/me/password", `{"current_password":"guess","new_password":"8 of kind"}`)
	c.wantProblem(http.StatusTooManyRequests, "", "DELETE", "/api/v1/me", `{"password":"guess"}`)
}
