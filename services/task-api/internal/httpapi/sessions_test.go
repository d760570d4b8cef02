package httpapi

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// sessions returns the live sessions of a user.
func (c *client) sessions() []accounts.LiveSession {
	c.t.Helper()
	var list struct{ Items []accounts.LiveSession }
	c.want(http.StatusOK, &list, "GET", "/api/v1/me/sessions", "")
	return list.Items
}

// loggedIn logs in and returns a client with the access token.
func (r *rig) loggedIn(email string, headers ...string) (*client, accounts.Session) {
	r.t.Helper()
	var s accounts.Session
	(&client{rig: r}).want(http.StatusOK, &s, "POST", "/api/v1/auth/login", `{"email":"`+email+`","password":"correct horse"}`, headers...)
	return &client{r, s.AccessToken, s.User.ID}, s
}

func TestAUserSeesAndEndsSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ada, first := r.registered("a@example.com")
	_, second := r.loggedIn("a@example.com", "User-Agent", "Phone", "X-Forwarded-For", "192.0.2.8")
	_, third := r.loggedIn("a@example.com")
	eve, foreign := r.registered("eve@example.com")

	list := ada.sessions()
	if len(list) != 3 || list[0].ID != third.SessionID || list[1].Device != "Phone" || list[1].Address != "192.0.2.8" || list[0].Current || !list[2].Current {
		t.Errorf("sessions: got %+v, want three, the newest first and the first one current", list)
	}
	for name, id := range map[string]string{"another user's": foreign.SessionID, "unknown": uuid.NewString()} {
		a := ada.wantProblem(http.StatusNotFound, "", "DELETE", "/api/v1/me/sessions/"+id, "")
		if a.status != http.StatusNotFound {
			t.Errorf("end a session that is %s: got %d", name, a.status)
		}
	}
	ada.wantProblem(http.StatusBadRequest, "id", "DELETE", "/api/v1/me/sessions/x", "")
	ada.wantProblem(http.StatusBadRequest, "all", "DELETE", "/api/v1/me/sessions?all=perhaps", "")
	ada.wantProblem(http.StatusBadRequest, "force", "DELETE", "/api/v1/me/sessions?force=true", "")
	if got := len(eve.sessions()); got != 1 {
		t.Errorf("the other user's sessions: got %d, want 1", got)
	}

	nobody := &client{rig: r}
	ada.want(http.StatusNoContent, nil, "DELETE", "/api/v1/me/sessions/"+second.SessionID, "")
	ada.wantProblem(http.StatusNotFound, "", "DELETE", "/api/v1/me/sessions/"+second.SessionID, "")
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+second.RefreshToken+`"}`)
	ada.want(http.StatusNoContent, nil, "DELETE", "/api/v1/me/sessions", "")
	if list = ada.sessions(); len(list) != 1 || list[0].ID != first.SessionID {
		t.Errorf("after all others ended: got %+v, want the current one", list)
	}
	ada.want(http.StatusNoContent, nil, "DELETE", "/api/v1/me/sessions?all=true", "")
	nobody.wantProblem(http.StatusUnauthorized, "", "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+first.RefreshToken+`"}`)
}

func TestTheAccessTokenNamesItsSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, s := r.registered("a@example.com")
	verifier := auth.NewVerifier(r.signer.Keys, nil)
	check := func(what, token string) {
		t.Helper()
		if id, err := verifier.Verify(t.Context(), token); err != nil || id.SessionID != s.SessionID || id.IssuedAt.IsZero() {
			t.Errorf("%s: got %+v %v, want session %s", what, id, err, s.SessionID)
		}
	}
	check("registered", s.AccessToken)
	var next accounts.Session
	(&client{rig: r}).want(http.StatusOK, &next, "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+s.RefreshToken+`"}`)
	check("refreshed", next.AccessToken)
}

func TestAnIssuersUsersHaveNoSessionsHere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	issuer := newRigOn(t, r.db, r.db.Gorm, 0, func(c *Config) { c.Issuer = "https://issuer.example" })
	nobody := &client{rig: issuer}
	nobody.wantProblem(http.StatusConflict, "", "GET", "/api/v1/me/sessions", "")
	nobody.wantProblem(http.StatusConflict, "", "DELETE", "/api/v1/me/sessions", "")
	nobody.wantProblem(http.StatusConflict, "", "DELETE", "/api/v1/me/sessions/"+uuid.NewString(), "")
}
