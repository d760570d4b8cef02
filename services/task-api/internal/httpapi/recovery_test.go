package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestARecoveryAnswersTheSameForEveryEMail(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.registered("ada@example.com")
	nobody := &client{rig: r}
	for _, email := range []string{"ada@example.com", "nobody@example.com"} {
		a := nobody.want(http.StatusAccepted, nil, "POST", "/api/v1/auth/recover", `{"email":"`+email+`"}`)
		if a.body != "" {
			t.Errorf("recover %s: got the body %q, want none", email, a.body)
		}
	}
	if n := r.count(`SELECT count(*) FROM mails WHERE kind = 'recover' AND pending`); n != 2 {
		t.Errorf("got %d rows, want one for each e-mail", n)
	}
	nobody.wantProblem(http.StatusUnprocessableEntity, "email", "POST", "/api/v1/auth/recover", `{"email":"ada"}`)
	nobody.wantProblem(http.StatusBadRequest, "email", "POST", "/api/v1/auth/recover", `{}`)
}

func TestALinkThatIsNotValidIs410(t *testing.T) {
	t.Parallel()
	nobody := &client{rig: newRig(t)}
	for _, token := range []string{"x", strings.Repeat("A", 75), strings.Repeat("A", 76)} {
		nobody.wantProblem(http.StatusGone, "", "POST", "/api/v1/auth/verify-email", `{"token":"`+token+`"}`)
		nobody.wantProblem(http.StatusGone, "", "POST", "/api/v1/auth/reset-password", `{"token":"`+token+`","new_password":"another horse"}`)
	}
	nobody.wantProblem(http.StatusBadRequest, "token", "POST", "/api/v1/auth/verify-email", `{}`)
	nobody.wantProblem(http.StatusBadRequest, "new_password", "POST", "/api/v1/auth/reset-password", `{"token":"x"}`)
}

func TestWithoutAMailServerTheRoutesOfMailsAre409(t *testing.T) {
	t.Parallel()
	db := database(t)
	r := newRigOn(t, db, db.Gorm, 0, func(c *Config) { c.Accounts.UseMail(nil) })
	user, nobody := r.user(), &client{rig: r}
	user.wantProblem(http.StatusConflict, "", "POST", "/api/v1/me/verify-email", "")
	for _, route := range []string{"verify-email", "recover", "reset-password"} {
		nobody.wantProblem(http.StatusConflict, "", "POST", "/api/v1/auth/"+route, bodies["POST /api/v1/auth/"+route])
	}
}

func TestAMailToVerifyIsSentAgainOnRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	user := r.user()
	user.want(http.StatusAccepted, nil, "POST", "/api/v1/me/verify-email", "")
	if a := user.wantProblem(http.StatusTooManyRequests, "", "POST", "/api/v1/me/verify-email", ""); a.header.Get("Retry-After") == "" {
		t.Error("while one is waiting: got no Retry-After")
	}
	user.wantProblem(http.StatusBadRequest, "x", "POST", "/api/v1/me/verify-email?x=1", "")
}
