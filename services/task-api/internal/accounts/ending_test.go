package accounts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

func wantInvalid(t *testing.T, what, field string, err error) {
	t.Helper()
	var invalid *domain.Invalid
	if !errors.As(err, &invalid) || len(invalid.Fields) != 1 || invalid.Fields[0].Field != field {
		t.Errorf("%s: got %v, want *Invalid that names %s", what, err, field)
	}
}

func TestAChangedPasswordEndsEveryOtherLogin(t *testing.T) {
	r := newRig(t)
	first := r.register("a@example.com")
	second, err := r.Login(ctx, "a@example.com", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	other := r.register("b@example.com")
	_, err = r.ChangePassword(ctx, first.User.ID, "wrong horse", "battery staple")
	wantInvalid(t, "with a wrong password", "current_password", err)
	_, err = r.ChangePassword(ctx, first.User.ID, "correct horse", "1234567")
	wantInvalid(t, "to one of 7 characters", "new_password", err)
	_, err = r.ChangePassword(ctx, first.User.ID, "correct horse", strings.Repeat("p", 257))
	wantInvalid(t, "to one of 257 characters", "new_password", err)
	if _, err := r.Login(ctx, "a@example.com", "correct horse"); err != nil {
		t.Errorf("after refusals: Login: got %v", err)
	}
	s, err := r.ChangePassword(ctx, first.User.ID, "correct horse", "12345678")
	if err != nil || s.User.ID != first.User.ID || s.AccessToken == "" {
		t.Fatalf("ChangePassword: got %+v %v", s, err)
	}
	r.wantRefused("the log-in that changed it", first.RefreshToken)
	r.wantRefused("another log-in", second.RefreshToken)
	r.refresh(s.RefreshToken)
	r.refresh(other.RefreshToken)
	if _, err := r.Login(ctx, "a@example.com", "correct horse"); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("Login with the old password: got %v, want ErrWrong", err)
	}
	if _, err := r.Login(ctx, "a@example.com", "12345678"); err != nil {
		t.Errorf("Login with the new password: got %v", err)
	}
	if _, err := r.ChangePassword(ctx, "01890a5d-ac96-774b-bcce-b302099a8057", "x", "12345678"); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("of nobody: got %v, want ErrNoUser", err)
	}
}

func TestALoginCheckedAgainstTheOldPasswordDoesNotBeginAfterTheChange(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	old, err := r.store.PasswordHash(ctx, s.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ChangePassword(ctx, s.User.ID, "correct horse", "battery staple"); err != nil {
		t.Fatal(err)
	}
	late := accounts.Login{FamilyID: "01890a5d-ac96-774b-bcce-b302099a8057", UserID: s.User.ID, Password: old, At: r.now(), ExpiresAt: r.now().Add(time.Hour)}
	if err := r.store.StartLogin(ctx, late); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("StartLogin: got %v, want ErrWrong", err)
	}
	if err := r.store.ChangePassword(ctx, old, late); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("ChangePassword: got %v, want ErrWrong", err)
	}
	if err := r.store.DeleteUser(ctx, s.User.ID, old, r.now()); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("DeleteUser: got %v, want ErrWrong", err)
	}
}

func TestADeletedAccountIsGoneAndItsEMailIsFree(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	wantInvalid(t, "with a wrong password", "password", r.Delete(ctx, s.User.ID, "wrong horse"))
	wantInvalid(t, "without a password", "password", r.Delete(ctx, s.User.ID, ""))
	if err := r.Delete(ctx, s.User.ID, "correct horse"); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(ctx, s.User.ID, "correct horse"); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("once more: got %v, want ErrNoUser", err)
	}
	r.wantRefused("its log-in", s.RefreshToken)
	if _, err := r.Login(ctx, "a@example.com", "correct horse"); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("Login: got %v, want ErrWrong", err)
	}
	if err := r.Admit(ctx, auth.Identity{UserID: s.User.ID}); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("Admit: got %v, want ErrNoUser", err)
	}
	if again := r.register("a@example.com"); again.User.ID == s.User.ID {
		t.Error("registering again: got the same id")
	}
}

// TestRefusalsTakeTheSameWork counts the runs of argon2id, which is all of the time that a caller could measure.
func TestRefusalsTakeTheSameWork(t *testing.T) {
	r := newRig(t)
	r.register("a@example.com")
	register := func(email, password string) func() error {
		return func() error {
			_, _, err := r.Register(ctx, accounts.Registration{Email: email, Password: password})
			return err
		}
	}
	login := func(email, password string) func() error {
		return func() error { _, err := r.Login(ctx, email, password); return err }
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
	// What is refused for its form is refused before anybody looks for an account.
	for _, email := range []string{"a@example.com", "x@example.com"} {
		before := r.hasher.Runs()
		err := register(email, "short")()
		wantInvalid(t, "register "+email, "password", err)
		if n := r.hasher.Runs() - before; n != 0 {
			t.Errorf("register %s with a short password: argon2id ran %d times, want not at all", email, n)
		}
	}
}

func TestAnAccountRefreshesAsOftenAsItMayAndTheTokenOutlivesARefusal(t *testing.T) {
	r := newRig(t)
	token := r.register("a@example.com").RefreshToken
	other := r.register("b@example.com").RefreshToken
	var limited *accounts.LimitError
	n := 0
	for ; n < 2*accounts.PerAccountRefresh.Burst; n++ {
		s, err := r.Refresh(ctx, token)
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

func TestAnIssuersUserGetsAnAccountOfWhatTheTokenSays(t *testing.T) {
	r := newRig(t)
	identity := func(sub string, e auth.External) auth.Identity {
		e.Issuer, e.Subject, e.IssuedAt = "https://id.example.com", sub, r.now()
		return auth.Identity{UserID: auth.UserIDOf(e.Issuer, sub), Role: "auditor", External: &e}
	}
	r.register("ada@example.com") // an account of our own with the same e-mail is another one
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
	if _, err := r.Login(ctx, "ada@example.com", "correct horse"); err != nil {
		t.Errorf("our own account beside them: Login: %v", err)
	}
	if _, err := r.ChangePassword(ctx, eve.UserID, "", "battery staple"); !errors.Is(err, accounts.ErrNoPassword) {
		t.Errorf("ChangePassword: got %v, want ErrNoPassword", err)
	}
	wantInvalid(t, "Delete with a password", "password", r.Delete(ctx, eve.UserID, "x"))
	if err := r.Delete(ctx, eve.UserID, ""); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if err := r.Admit(ctx, eve); !errors.Is(err, accounts.ErrNoUser) {
		t.Errorf("Admit with a token from before: got %v, want ErrNoUser", err)
	}
}
