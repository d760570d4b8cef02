package accounts_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// refused returns the events of refused log-ins.
func (r *rig) refusedLogins(userID string) (list []events.AccountEvent) {
	r.t.Helper()
	for _, e := range r.events(userID) {
		if e.EventType == events.AccountLoginRefused {
			list = append(list, e)
		}
	}
	return list
}

func (r *rig) guess(email string, by accounts.Client) {
	r.t.Helper()
	if _, err := r.Login(ctx, email, "wrong horse", by); !errors.Is(err, accounts.ErrWrong) {
		r.t.Errorf("Login with a wrong password: got %v, want ErrWrong", err)
	}
}

func TestRefusedLoginsAreRecordedOnceAMinute(t *testing.T) {
	r := newRig(t)
	id := r.register("a@example.com").User.ID
	other := accounts.NewClient(netip.MustParseAddr("192.0.2.9"), "curl")
	for range 3 {
		r.guess("a@example.com", here)
	}
	r.guess("a@example.com", other)
	r.guess("nobody@example.com", here)
	r.WriteRefusals()
	got := r.refusedLogins(id)
	if len(got) != 2 || max(got[0].Count, got[1].Count) != 3 || got[0].Reason != "wrong password" || got[0].Actor != "" {
		t.Fatalf("after the first guesses: got %+v, want one event for each address", got)
	}
	r.guess("a@example.com", here)
	r.guess("a@example.com", here)
	r.WriteRefusals()
	if got := r.refusedLogins(id); len(got) != 2 {
		t.Errorf("within the minute: got %d events, want no more", len(got))
	}
	r.add(time.Minute)
	r.WriteRefusals()
	if got := r.refusedLogins(id); len(got) != 3 || got[2].Count != 2 || got[2].Address != "2001:db8::1" {
		t.Errorf("after the minute: got %+v, want one more with both guesses", got)
	}
	r.add(time.Minute)
	r.WriteRefusals()
	r.guess("a@example.com", here)
	r.WriteRefusals()
	if got := r.refusedLogins(id); len(got) != 4 || got[3].Count != 0 {
		t.Errorf("after a quiet minute: got %+v, want a single one at once", got)
	}
}

// What was counted is written when the service stops, and not lost while the database is away.
func TestCountedRefusalsAreWrittenLater(t *testing.T) {
	r := newRig(t)
	id := r.register("a@example.com").User.ID
	r.guess("a@example.com", here)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	r.WriteRefusalsWith(cancelled)
	if got := r.refusedLogins(id); len(got) != 0 {
		t.Fatalf("without the database: got %+v", got)
	}
	r.guess("a@example.com", here)
	if err := r.RunRefusals(cancelled); err != nil { // it ends at once, and writes what there is
		t.Fatal(err)
	}
	if got := r.refusedLogins(id); len(got) != 1 || got[0].Count != 2 {
		t.Errorf("at the end: got %+v, want one event with both", got)
	}
}

func TestTheLogNamesAccountsAndAddressesButNoSecret(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	in := r.login("a@example.com", here)
	r.guess("a@example.com", here)
	r.guess("my password in the wrong field@example.com", here)
	fresh, err := r.Refresh(ctx, in.RefreshToken, here)
	if err != nil {
		t.Fatal(err)
	}
	r.Limited(ctx, "/api/v1/auth/login", "", here)
	r.Limited(ctx, "/api/v1/auth/login", "", here)
	if err := r.Logout(ctx, fresh.RefreshToken, here); err != nil {
		t.Fatal(err)
	}
	changed, err := r.ChangePassword(ctx, s.User.ID, "correct horse", "battery staple", here)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(ctx, s.User.ID, "battery staple", here); err != nil {
		t.Fatal(err)
	}
	log := r.logged.String()
	for _, line := range []string{"registered", "logged in", "refused a log-in: wrong password", "logged out", "changed the password", "deleted the account"} {
		if !strings.Contains(log, `"msg":"`+line+`","user_id":"`+s.User.ID+`"`) {
			t.Errorf("the log has no line %q with the account", line)
		}
	}
	if n := strings.Count(log, "refused too many requests"); n != 1 {
		t.Errorf("lines about a limit: got %d, want 1 in a minute", n)
	}
	if lines, addresses := strings.Count(log, "\n"), strings.Count(log, `"address":"2001:db8::1"`); lines != addresses {
		t.Errorf("got %d lines, %d with the address:\n%s", lines, addresses, log)
	}
	for _, secret := range []string{
		"correct horse", "wrong horse", "battery staple", "wrong field", "@example.com", s.RefreshToken, in.RefreshToken, fresh.RefreshToken, changed.RefreshToken,
		s.AccessToken, in.AccessToken, changed.AccessToken, "argon2id",
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
}
