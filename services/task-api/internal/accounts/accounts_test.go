package accounts_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

type signer struct{}

func (signer) Sign(userID, role, sessionID string, now time.Time) (string, time.Duration, error) {
	return "access " + userID + " " + role, 15 * time.Minute, nil
}

// rig is the service with a new database and a clock that the test controls.
type rig struct {
	*accounts.Service
	store  *postgres.Store
	db     *pgtest.DB
	hasher *accounts.Hasher
	logged *logged
	t      *testing.T
	mu     sync.Mutex
	at     time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(time.Millisecond)
	return r.at
}

func (r *rig) add(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

// newRig returns a rig with its own database. It makes the test parallel.
func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	db := pgtest.New(t, "tasks", pg.Set{Name: "tasks", FS: postgres.Migrations()}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	log := slog.New(slog.DiscardHandler)
	r := &rig{t: t, db: db, logged: &logged{}, at: time.Now()}
	r.store = postgres.New(db.Gorm, outbox.New(db.Gorm, log), r.now)
	var err error
	if r.hasher, err = accounts.NewHasher(); err != nil {
		t.Fatal(err)
	}
	r.Service = accounts.New(r.store, r.hasher, signer{}, publish.New(log), slog.New(slog.NewJSONHandler(r.logged, nil)), r.now)
	return r
}

var ctx = context.Background()

// here is the client of the requests.
var here = accounts.NewClient(netip.MustParseAddr("2001:db8::1"), "Firefox")

func (r *rig) register(email string) accounts.Session {
	r.t.Helper()
	s, _, err := r.Register(ctx, accounts.Registration{Email: email, Password: "correct horse", Name: " Ada ", Timezone: "Europe/London"}, here)
	if err != nil {
		r.t.Fatalf("Register(%s): %v", email, err)
	}
	return s
}

func (r *rig) refresh(token string) string {
	r.t.Helper()
	s, err := r.Refresh(ctx, token, here)
	if err != nil {
		r.t.Fatalf("Refresh: %v", err)
	}
	return s.RefreshToken
}

func (r *rig) wantRefused(what, token string) {
	r.t.Helper()
	if _, err := r.Refresh(ctx, token, here); !errors.Is(err, accounts.ErrRefused) {
		r.t.Errorf("%s: got %v, want ErrRefused", what, err)
	}
}

func TestRegisterAndLogIn(t *testing.T) {
	r := newRig(t)
	s := r.register(" Ada@Example.com ")
	if s.User.Email != "ada@example.com" || s.User.Name != "Ada" || s.User.Role != "user" || s.ExpiresIn != 900 || s.AccessToken != "access "+s.User.ID+" user" {
		t.Errorf("Register: got %+v", s)
	}
	if _, _, err := r.Register(ctx, accounts.Registration{Email: "ADA@example.com", Password: "something else"}, here); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("Register again with another password: got %v, want ErrWrong", err)
	}
	again, made, err := r.Register(ctx, accounts.Registration{Email: "ADA@example.com", Password: "correct horse", Name: "Bob"}, here)
	if err != nil || made || again.User.ID != s.User.ID || again.User.Name != "Ada" {
		t.Errorf("Register again with the same password: got %+v %v %v, want the account as it is", again, made, err)
	}
	in, err := r.Login(ctx, "ADA@example.com", "correct horse", here)
	if err != nil || in.User.ID != s.User.ID || in.RefreshToken == s.RefreshToken {
		t.Errorf("Login: got %+v %v", in, err)
	}
	for _, c := range [][2]string{{"ada@example.com", "correct horse "}, {"ada@example.com", ""}, {"nobody@example.com", "correct horse"}, {"", ""}, {"no mail", "x"}} {
		if _, err := r.Login(ctx, c[0], c[1], here); !errors.Is(err, accounts.ErrWrong) {
			t.Errorf("Login(%q, %q): got %v, want ErrWrong", c[0], c[1], err)
		}
	}
	name, zone, bad := "Ada L.", "Asia/Tokyo", "Mars"
	u, err := r.Update(ctx, s.User.ID, accounts.Profile{Name: &name})
	if err != nil || u.Name != name || u.Timezone != "Europe/London" {
		t.Errorf("Update name: got %+v %v", u, err)
	}
	u, err = r.Update(ctx, s.User.ID, accounts.Profile{Timezone: &zone})
	if err != nil || u.Name != name || u.Timezone != zone {
		t.Errorf("Update timezone: got %+v %v", u, err)
	}
	var invalid *domain.Invalid
	if _, err := r.Update(ctx, s.User.ID, accounts.Profile{Timezone: &bad}); !errors.As(err, &invalid) {
		t.Errorf("Update with a bad zone: got %v, want *Invalid", err)
	}
}

func TestPasswordFromAnotherKeyboardMatches(t *testing.T) {
	r := newRig(t)
	if _, _, err := r.Register(ctx, accounts.Registration{Email: "a@example.com", Password: "Motörhead rules"}, here); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Login(ctx, "a@example.com", "Moto\u0308rhead rules", here); err != nil {
		t.Errorf("Login with a decomposed ö: got %v", err)
	}
}

func TestRegistrationIsRefusedByField(t *testing.T) {
	r := newRig(t)
	good := accounts.Registration{Email: "a@example.com", Password: "8 of kind", Name: strings.Repeat("n", 200), Timezone: "UTC"}
	for field, bad := range map[string]accounts.Registration{
		"email":    {Email: "a b@example.com", Password: good.Password},
		"password": {Email: good.Email, Password: "1234567"},
		"name":     {Email: good.Email, Password: good.Password, Name: strings.Repeat("n", 201)},
		"timezone": {Email: good.Email, Password: good.Password, Timezone: "Mars"},
	} {
		_, _, err := r.Register(ctx, bad, here)
		var invalid *domain.Invalid
		if !errors.As(err, &invalid) || len(invalid.Fields) != 1 || invalid.Fields[0].Field != field {
			t.Errorf("bad %s: got %v", field, err)
		}
	}
	for _, email := range []string{"", "a", "@example.com", "a@", "Ada <a@example.com>", "a@b@c", "a@example.com\x00", strings.Repeat("a", 250) + "@b.de"} {
		if _, _, err := r.Register(ctx, accounts.Registration{Email: email, Password: good.Password}, here); err == nil {
			t.Errorf("e-mail %q: got no error", email)
		}
	}
	if _, _, err := r.Register(ctx, accounts.Registration{Email: "b@example.com", Password: strings.Repeat("p", 257)}, here); err == nil {
		t.Error("a password of 257: got no error")
	}
	if _, _, err := r.Register(ctx, good, here); err != nil {
		t.Errorf("at the limits: got %v", err)
	}
}

func TestRefreshTokenIsValidForOneUse(t *testing.T) {
	r := newRig(t)
	first := r.register("a@example.com").RefreshToken
	second := r.refresh(first)
	third := r.refresh(second)
	other := r.register("b@example.com").RefreshToken
	r.wantRefused("a used token whose successor was used", first)
	r.wantRefused("its family's newest, after the reuse", third)
	r.refresh(other)
}

func TestLostAnswerDoesNotLockTheUserOut(t *testing.T) {
	r := newRig(t)
	first := r.register("a@example.com").RefreshToken
	lost := r.refresh(first)
	r.add(accounts.GracePeriod / 2)
	again := r.refresh(first)
	if again != lost {
		t.Error("the same token within the grace period: got another successor, want the same: the family must not fork")
	}
	r.refresh(again)
	r.wantRefused("once more, after the successor was used", first)
}

func TestUsedTokenAfterTheGracePeriodEndsTheLogin(t *testing.T) {
	r := newRig(t)
	first := r.register("a@example.com").RefreshToken
	second := r.refresh(first)
	r.add(accounts.GracePeriod + time.Second)
	r.wantRefused("the used token", first)
	r.wantRefused("its successor", second)
	if _, err := r.Login(ctx, "a@example.com", "correct horse", here); err != nil {
		t.Errorf("Login: got %v, want a new family", err)
	}
}

func TestConcurrentRefreshesGetTheSameSuccessor(t *testing.T) {
	r := newRig(t)
	first := r.register("a@example.com").RefreshToken
	got := make([]string, 20)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			s, err := r.Refresh(ctx, first, here)
			if err != nil {
				t.Errorf("Refresh: %v", err)
			}
			got[i] = s.RefreshToken
		})
	}
	wg.Wait()
	for _, token := range got {
		if token != got[0] {
			t.Fatal("got different successors, want one")
		}
	}
	r.refresh(got[0])
}

func TestLogoutAndExpiryEndTheLogin(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	second := r.refresh(s.RefreshToken)
	for range 2 {
		if err := r.Logout(ctx, s.RefreshToken, here); err != nil {
			t.Errorf("Logout: %v", err)
		}
	}
	r.wantRefused("after logging out", second)
	for _, token := range []string{"", "x", strings.Repeat("A", 43)} {
		if err := r.Logout(ctx, token, here); err != nil {
			t.Errorf("Logout(%q): %v", token, err)
		}
		r.wantRefused("no token", token)
	}
	in, err := r.Login(ctx, "a@example.com", "correct horse", here)
	if err != nil {
		t.Fatal(err)
	}
	r.add(accounts.RefreshLifetime - time.Minute)
	token := r.refresh(in.RefreshToken)
	r.add(accounts.RefreshLifetime + time.Minute)
	r.wantRefused("after its life", token)
	if err := tasks.New(r.store, publish.New(slog.New(slog.DiscardHandler)), r.now, 0).Prune(ctx); err != nil {
		t.Fatal(err)
	}
	r.wantRefused("after the clean-up", token)
}

func TestSpellingsOfAnEMailAreOneAccount(t *testing.T) {
	r := newRig(t)
	s := r.register("jose\u0301@bücher.example")
	for _, email := range []string{"josé@bücher.example", "JOSÉ@BÜCHER.example", " jose\u0301@xn--bcher-kva.example", "josé@bücher。example"} {
		again, made, err := r.Register(ctx, accounts.Registration{Email: email, Password: "correct horse"}, here)
		if err != nil || made || again.User.ID != s.User.ID {
			t.Errorf("Register(%q): got a new account %v %v, want the first one", email, made, err)
		}
		in, err := r.Login(ctx, email, "correct horse", here)
		if err != nil || in.User.ID != s.User.ID {
			t.Errorf("Login(%q): got %s %v, want %s", email, in.User.ID, err, s.User.ID)
		}
	}
}

// An account from before the rules keeps its e-mail and its password.
func TestAnAccountFromBeforeTheRulesLogsIn(t *testing.T) {
	r := newRig(t)
	for i, email := range []string{"аda@example.com", "ada@xn--bcher-kva.example", "a\u200bda@example.com"} {
		hash, err := r.hasher.Hash(ctx, accounts.Turn{}, "12345678")
		if err != nil {
			t.Fatal(err)
		}
		id := uuid.NewString()
		u := accounts.User{ID: id, Email: email, Timezone: "UTC", Role: "user", CreatedAt: r.now()}
		login := accounts.Login{FamilyID: uuid.NewString(), UserID: id, Hash: [32]byte{byte(i)}, At: r.now(), ExpiresAt: r.now().Add(time.Hour)}
		if err := r.store.CreateUser(ctx, u, hash, login, func(publish.Tx, string, []string) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if in, err := r.Login(ctx, email, "12345678", here); err != nil || in.User.ID != id {
			t.Errorf("Login(%q): got %s %v, want %s", email, in.User.ID, err, id)
		}
	}
}
