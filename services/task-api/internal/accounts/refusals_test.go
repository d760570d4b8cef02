package accounts_test

import (
	"errors"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// TestRefusalsTakeTheSameWork counts the runs of argon2id, because they take all of the time that a caller could measure.
func TestRefusalsTakeTheSameWork(t *testing.T) {
	r := newRig(t)
	r.register("a@example.com")
	register := func(email, password string) func() error {
		return func() error {
			_, _, err := r.Register(ctx, accounts.Registration{Email: email, Password: password}, here)
			return err
		}
	}
	login := func(email, password string) func() error {
		return func() error { _, err := r.Login(ctx, email, password, here); return err }
	}
	for name, do := range map[string]func() error{
		"log in, wrong password":       login("a@example.com", "wrong horse"),
		"log in, unknown e-mail":       login("x@example.com", "wrong horse"),
		"log in, no e-mail":            login("nobody", "wrong horse"),
		"register, e-mail that exists": register("a@example.com", "wrong horse"),
	} {
		before := r.hasher.Runs()
		if err := do(); !errors.Is(err, accounts.ErrWrong) || err.Error() != accounts.ErrWrong.Error() {
			t.Errorf("%s: got %v, want ErrWrong alone", name, err)
		}
		if n := r.hasher.Runs() - before; n != 1 {
			t.Errorf("%s: argon2id ran %d times, want once", name, n)
		}
	}
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"log in", login("a@example.com", "correct horse")}, {"register", register("b@example.com", "correct horse")},
		{"register again", register("b@example.com", "correct horse")},
	} {
		before := r.hasher.Runs()
		if err := c.do(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := r.hasher.Runs() - before; n != 1 {
			t.Errorf("%s: argon2id ran %d times, want once as for a refusal", c.name, n)
		}
	}
	// An invalid request is refused before the account is looked up.
	for _, email := range []string{"a@example.com", "x@example.com"} {
		before := r.hasher.Runs()
		err := register(email, "short")()
		wantInvalid(t, "register "+email, "password", err)
		if n := r.hasher.Runs() - before; n != 0 {
			t.Errorf("register %s with a short password: argon2id ran %d times, want not at all", email, n)
		}
	}
}

func TestRefreshLimitKeepsTheTokenValid(t *testing.T) {
	r := newRig(t)
	token := r.register("a@example.com").RefreshToken
	other := r.register("b@example.com").RefreshToken
	var limited *accounts.LimitError
	n := 0
	for ; n < 2*accounts.PerAccountRefresh.Burst; n++ {
		s, err := r.Refresh(ctx, token, here)
		if errors.As(err, &limited) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		token = s.RefreshToken
	}
	if n != accounts.PerAccountRefresh.Burst || limited == nil || limited.RetryAfter <= 0 || limited.RetryAfter > accounts.PerAccountRefresh.Every {
		t.Fatalf("got %d refreshes and then %v, want %d and a time below %s", n, limited, accounts.PerAccountRefresh.Burst, accounts.PerAccountRefresh.Every)
	}
	r.refresh(other)
	r.add(accounts.PerAccountRefresh.Every)
	r.refresh(token)
}
