package accounts_test

import (
	"errors"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

func TestIssuersUserGetsAnAccountFromTheToken(t *testing.T) {
	r := newRig(t)
	identity := func(sub string, e auth.External) auth.Identity {
		e.Issuer, e.Subject, e.IssuedAt = "https://id.example.com", sub, r.now()
		return auth.Identity{UserID: auth.UserIDOf(e.Issuer, sub), Role: "auditor", External: &e}
	}
	r.register("ada@example.com") // this account with the same e-mail must stay separate
	for sub, c := range map[string]struct{ says, want auth.External }{
		"ada":      {auth.External{Email: "Ada@Example.com", Name: " Ada ", Timezone: "Asia/Tokyo"}, auth.External{Email: "ada@example.com", Name: "Ada", Timezone: "Asia/Tokyo"}},
		"eve":      {auth.External{Email: "ada@example.com"}, auth.External{Email: "ada@example.com", Timezone: "UTC"}},
		"nothing":  {auth.External{}, auth.External{Timezone: "UTC"}},
		"unusable": {auth.External{Email: "no mail", Name: "a\x00b", Timezone: "Mars"}, auth.External{Timezone: "UTC"}},
	} {
		id := identity(sub, c.says)
		for range 2 {
			if err := r.Admit(ctx, id); err != nil {
				t.Fatalf("%s: Admit: %v", sub, err)
			}
		}
		u, err := r.User(ctx, id.UserID)
		if err != nil || u.Email != c.want.Email || u.Name != c.want.Name || u.Timezone != c.want.Timezone {
			t.Errorf("%s: got %+v %v, want %+v", sub, u, err, c.want)
		}
	}
	eve := identity("eve", auth.External{})
	if _, err := r.Login(ctx, "ada@example.com", "correct horse", here); err != nil {
		t.Errorf("our own account with the same e-mail: Login: %v", err)
	}
	if _, err := r.ChangePassword(ctx, eve.UserID, "", "battery staple", here); !errors.Is(err, accounts.ErrNoPassword) {
		t.Errorf("ChangePassword: got %v, want ErrNoPassword", err)
	}
	wantInvalid(t, "Delete with a password", "password", r.Delete(ctx, eve.UserID, "x", here))
	if err := r.Delete(ctx, eve.UserID, "", here); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if err := r.Admit(ctx, eve); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("Admit with a token from before: got %v, want ErrNoUser", err)
	}
}
