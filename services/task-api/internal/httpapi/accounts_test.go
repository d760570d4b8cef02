package httpapi

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// registered registers an account over HTTP, with the password "correct horse". It returns a client with its access token.
func (r *rig) registered(email string) (*client, accounts.Session) {
	r.t.Helper()
	var s accounts.Session
	(&client{rig: r}).want(http.StatusCreated, &s, "POST", "/api/v1/auth/register", `{"email":"`+email+`","password":"correct horse"}`)
	return &client{r, s.AccessToken, s.User.ID}, s
}

func TestAccountsOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody := &client{rig: r}
	const who = `{"email":"Ada@Example.com","password":"correct horse","name":"Ada","timezone":"Europe/London"}`
	var s accounts.Session
	nobody.want(http.StatusCreated, &s, "POST", "/api/v1/auth/register", who)
	if s.User.ID == "" || s.AccessToken == "" || s.RefreshToken == "" || s.ExpiresIn != 900 || s.User.Email != "ada@example.com" {
		t.Errorf("register: got %+v", s)
	}
	ada := &client{r, s.AccessToken, s.User.ID}
	var me accounts.User
	ada.want(http.StatusOK, &me, "GET", "/api/v1/me", "")
	if me.ID != s.User.ID || me.Timezone != "Europe/London" {
		t.Errorf("me: got %+v", me)
	}
	ada.want(http.StatusOK, &me, "PATCH", "/api/v1/me", `{"timezone":"Asia/Tokyo"}`)
	if task := ada.create(`{"title":"t"}`); me.Name != "Ada" || task.Timezone != "Asia/Tokyo" {
		t.Errorf("patch me: got %+v and a new task in %s, want the name Ada and Asia/Tokyo", me, task.Timezone)
	}
	ada.wantProblem(http.StatusUnprocessableEntity, "timezone", "PATCH", "/api/v1/me", `{"timezone":null}`)
	ada.wantProblem(http.StatusBadRequest, "email", "PATCH", "/api/v1/me", `{"email":"x@example.com"}`)

	nobody.want(http.StatusOK, &s, "POST", "/api/v1/auth/register", who)
	nobody.wantProblem(http.StatusUnprocessableEntity, "password", "POST", "/api/v1/auth/register", `{"email":"b@example.com","password":"short"}`)
	nobody.wantProblem(http.StatusBadRequest, "role", "POST", "/api/v1/auth/register", `{"email":"b@example.com","password":"correct horse","role":"auditor"}`)
	wrong := nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/login", `{"email":"ada@example.com","password":"wrong horse"}`)
	unknown := nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/login", `{"email":"bob@example.com","password":"wrong horse"}`)
	trace := func(a answer) string { before, _, _ := strings.Cut(a.body, `"trace_id"`); return before }
	if trace(wrong) != trace(unknown) {
		t.Errorf("login: got %s for a wrong password and %s for an unknown e-mail, want the same", wrong.body, unknown.body)
	}
	nobody.want(http.StatusOK, &s, "POST", "/api/v1/auth/login", `{"email":"ada@example.com","password":"correct horse"}`)
	old := s.RefreshToken
	nobody.want(http.StatusOK, &s, "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+old+`"}`)
	if s.RefreshToken == old || s.User.Name != "Ada" {
		t.Errorf("refresh: got %+v", s)
	}
	nobody.want(http.StatusNoContent, nil, "POST", "/api/v1/auth/logout", `{"refresh_token":"`+s.RefreshToken+`"}`)
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`)
	if n := r.count(`SELECT count(*) FROM refresh_tokens WHERE encode(hash, 'escape') LIKE ? OR encode(sealed, 'escape') LIKE ?`, "%"+s.RefreshToken+"%", "%"+s.RefreshToken+"%"); n != 0 {
		t.Errorf("refresh_tokens: got %d rows with the token in plain text, want none", n)
	}
}

func TestLoginIsLimitedByAccountAndAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nobody := &client{rig: r}
	login := func(account, address string) answer {
		return nobody.do("POST", "/api/v1/auth/login", `{"email":"`+account+`","password":"guess"}`, "X-Forwarded-For", address)
	}
	for range accounts.PerAccount.Burst {
		if a := login("ada@example.com", "192.0.2.1"); a.status != http.StatusUnauthorized {
			t.Fatalf("login: got %d %s, want 401", a.status, a.body)
		}
	}
	if a := login("ADA@example.com ", "192.0.2.1"); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("login after the burst: got %d with Retry-After %q, want 429 with a Retry-After", a.status, a.header.Get("Retry-After"))
	}
	if a := login("ada@example.com", "192.0.2.2"); a.status != http.StatusUnauthorized {
		t.Errorf("login from another address: got %d, want 401, so that the owner is not locked out", a.status)
	}
	if a := login("bob@example.com", "192.0.2.1"); a.status != http.StatusUnauthorized {
		t.Errorf("login to another account: got %d, want 401", a.status)
	}
}

func TestRegisteringAnExistingEMailAnswersLikeAWrongLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.registered("a@example.com")
	nobody := &client{rig: r}
	trace := func(a answer) string { before, _, _ := strings.Cut(a.body, `"trace_id"`); return before }
	const body = `{"email":"%","password":"wrong horse"}`
	var want answer
	for i, c := range [][2]string{{"login", "a@example.com"}, {"login", "x@example.com"}, {"register", "a@example.com"}} {
		a := nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/"+c[0], strings.ReplaceAll(body, "%", c[1]))
		if i == 0 {
			want = a
		}
		if trace(a) != trace(want) || len(a.header) != len(want.header) {
			t.Errorf("%s %s: got %v %s, want the answer to a wrong password: %v %s", c[0], c[1], a.header, a.body, want.header, want.body)
		}
	}
}

func TestTheNextAccessTokenHasTheNewRole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, s := r.registered("a@example.com")
	role := func(token string) string {
		t.Helper()
		id, err := auth.NewVerifier(r.signer.Keys, slog.New(slog.DiscardHandler)).Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return id.Role
	}
	if got := role(s.AccessToken); got != auth.RoleUser || s.User.Role != auth.RoleUser {
		t.Errorf("registered: got %s, want user", got)
	}
	for _, want := range []string{"auditor", "user"} {
		if err := r.db.Gorm.Exec(`UPDATE users SET role = ?`, want).Error; err != nil { // the same statement as taskwire user role
			t.Fatal(err)
		}
		(&client{rig: r}).want(http.StatusOK, &s, "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`)
		if got := role(s.AccessToken); got != want || s.User.Role != want {
			t.Errorf("refreshed: got %s and %+v, want %s", got, s.User, want)
		}
	}
	(&client{r, s.AccessToken, s.User.ID}).wantProblem(http.StatusBadRequest, "role", "PATCH", "/api/v1/me", `{"role":"auditor"}`)
}
