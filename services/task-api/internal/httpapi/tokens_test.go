package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/tokens"
)

// newToken makes an API token and returns a client that uses it.
func (c *client) newToken(scopes string) (script *client, made tokens.Made) {
	c.t.Helper()
	c.want(http.StatusCreated, &made, "POST", tokensRoute, fmt.Sprintf(`{"name":"t%d","scopes":%s}`, c.count(`SELECT count(*) FROM api_tokens`), scopes))
	return &client{c.rig, made.Text, c.id}, made
}

func exec(r *rig, sql string, args ...any) {
	r.t.Helper()
	if err := r.db.Gorm.Exec(sql, args...).Error; err != nil {
		r.t.Fatal(err)
	}
}

func TestAnAPITokenReadsOrWrites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.user()
	task := u.create(`{"title":"mine"}`)
	reads, _ := u.newToken(`["read"]`)
	writes, made := u.newToken(`["write"]`)
	if got := strings.Join(made.Scopes, " "); got != "read write" {
		t.Errorf("scopes of write: got %s, want read write", got)
	}
	for _, script := range []*client{reads, writes} {
		script.want(http.StatusOK, nil, "GET", "/api/v1/tasks/"+task.ID, "")
		script.want(http.StatusOK, nil, "HEAD", "/api/v1/tasks/"+task.ID, "")
		script.want(http.StatusOK, nil, "GET", "/api/v1/me", "")
	}
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/api/v1/tasks", `{"title":"t"}`}, {"PATCH", "/api/v1/tasks/" + task.ID, `{"title":"t"}`}, {"DELETE", "/api/v1/tasks/" + task.ID, ""},
		{"PATCH", "/api/v1/me", `{"name":"x"}`}, {"POST", "/api/v1/import?format=jsonl", `{"title":"t"}`},
	} {
		a := reads.wantProblem(http.StatusForbidden, "", r.method, r.path, r.body)
		if got := a.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="insufficient_scope"`) {
			t.Errorf("%s %s: got WWW-Authenticate %q, want insufficient_scope", r.method, r.path, got)
		}
	}
	writes.create(`{"title":"by a script"}`)
	writes.want(http.StatusNoContent, nil, "DELETE", "/api/v1/tasks/"+task.ID, "")
}

// A token that leaks must not become another token, another password or the end of the account.
func TestAnAPITokenDoesNotReachTheAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.user()
	script, made := u.newToken(`["read","write"]`)
	checked := 0
	for _, route := range routes {
		if route.access != login {
			continue
		}
		checked++
		path := strings.ReplaceAll(address(route.path), ":id", made.ID)
		script.wantProblem(http.StatusForbidden, "", route.method, path, map[string]string{"POST": `{"name":"x","scopes":["read"]}`}[route.method])
	}
	if checked < 9 {
		t.Errorf("got %d routes that need a log-in, want at least 9", checked)
	}
	u.want(http.StatusOK, nil, "GET", "/api/v1/me", "")
}

func TestARevokedAPITokenWorksNoMore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u, other := r.user(), r.user()
	first, one := u.newToken(`["read"]`)
	second, _ := u.newToken(`["read"]`)
	first.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "") // it is remembered now
	other.wantProblem(http.StatusNotFound, "", "DELETE", tokensRoute+"/"+one.ID, "")
	first.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "")
	u.want(http.StatusNoContent, nil, "DELETE", tokensRoute+"/"+one.ID, "")
	first.wantProblem(http.StatusUnauthorized, "", "GET", "/api/v1/tasks", "")
	u.wantProblem(http.StatusNotFound, "", "DELETE", tokensRoute+"/"+one.ID, "")
	second.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "")
	u.want(http.StatusNoContent, nil, "DELETE", tokensRoute, "")
	second.wantProblem(http.StatusUnauthorized, "", "GET", "/api/v1/tasks", "")
	for kind, want := range map[string]int64{"token_created": 2, "token_revoked": 2} {
		if got := r.count(`SELECT count(*) FROM outbox WHERE topic = 'account-events' AND convert_from(data, 'UTF8')::jsonb->>'event_type' = ?`, kind); got != want {
			t.Errorf("events %s: got %d, want %d", kind, got, want)
		}
	}
	if got := r.count(`SELECT count(*) FROM revocations WHERE kind = 'token' AND user_id = ?`, u.id); got != 2 {
		t.Errorf("got %d revocations, want 2", got)
	}
}

func TestAnAPITokenIsShownOnceAndStoredAsAHash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u, other := r.user(), r.user()
	script, made := u.newToken(`["read"]`)
	var list struct{ Items []map[string]any }
	a := u.want(http.StatusOK, &list, "GET", tokensRoute, "")
	if len(list.Items) != 1 || strings.Contains(a.body, made.Text) || list.Items[0]["last_used_at"] != nil {
		t.Errorf("got %s, want one unused token without its text", a.body)
	}
	if a := other.want(http.StatusOK, nil, "GET", tokensRoute, ""); strings.Contains(a.body, made.ID) {
		t.Errorf("another user sees the token: %s", a.body)
	}
	script.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "")
	if a := u.want(http.StatusOK, &list, "GET", tokensRoute, ""); list.Items[0]["last_used_at"] == nil {
		t.Errorf("after its use: got %s, want a time of it", a.body)
	}
	hash := auth.HashOf(made.Text)
	if got := r.count(`SELECT count(*) FROM api_tokens WHERE hash = ?`, hash[:]); got != 1 {
		t.Errorf("got %d rows with the hash of the token, want 1", got)
	}
	if got := r.count(`SELECT count(*) FROM outbox WHERE position(convert_to(?, 'UTF8') IN data) > 0`, made.Text); got != 0 {
		t.Errorf("%d events have the text of the token", got)
	}
}

func TestAnAPITokenOfNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.user()
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for field, bodies := range map[string][]string{
		"name":       {`{"scopes":["read"]}`, `{"name":"","scopes":["read"]}`, `{"name":"` + strings.Repeat("x", tokens.MaxName+1) + `","scopes":["read"]}`, `{"name":"\u200b","scopes":["read"]}`},
		"scopes":     {`{"name":"n"}`, `{"name":"n","scopes":[]}`, `{"name":"n","scopes":["admin"]}`, `{"name":"n","scopes":["read","all"]}`},
		"expires_at": {`{"name":"n","scopes":["read"],"expires_at":"` + in(-time.Second) + `"}`, `{"name":"n","scopes":["read"],"expires_at":"` + in(tokens.MaxLife+time.Hour) + `"}`, `{"name":"n","scopes":["read"],"expires_at":"soon"}`},
	} {
		for _, body := range bodies {
			status := http.StatusUnprocessableEntity
			if field == "name" && (strings.HasPrefix(body, `{"scopes`) || strings.HasPrefix(body, `{"name":""`)) {
				status = http.StatusBadRequest // a missing member, as in the other routes
			}
			u.wantProblem(status, field, "POST", tokensRoute, body)
		}
	}
	u.wantProblem(http.StatusBadRequest, "Idempotency-Key", "POST", tokensRoute, `{"name":"n","scopes":["read"]}`, "Idempotency-Key", "k")
	u.want(http.StatusCreated, nil, "POST", tokensRoute, `{"name":"`+strings.Repeat("x", tokens.MaxName)+`","scopes":["read"],"expires_at":"`+in(tokens.MaxLife-time.Hour)+`"}`)
	u.wantProblem(http.StatusConflict, "name", "POST", tokensRoute, `{"name":"`+strings.Repeat("x", tokens.MaxName)+`","scopes":["read"]}`)
}

func TestAnAccountHasABoundedNumberOfAPITokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.user()
	var wg sync.WaitGroup
	answers := make([]int, tokens.MaxTokens+5)
	for i := range answers {
		wg.Go(func() {
			answers[i] = u.do("POST", tokensRoute, fmt.Sprintf(`{"name":"n%d","scopes":["read"]}`, i)).status
		})
	}
	wg.Wait()
	counts := map[int]int{}
	for _, status := range answers {
		counts[status]++
	}
	if counts[http.StatusCreated] != tokens.MaxTokens || counts[http.StatusForbidden] != 5 {
		t.Errorf("got the answers %v, want %d times 201 and 5 times 403", counts, tokens.MaxTokens)
	}
	// One that has expired frees its place and its name.
	exec(r, `UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = (SELECT id FROM api_tokens LIMIT 1)`)
	u.want(http.StatusCreated, nil, "POST", tokensRoute, `{"name":"one more","scopes":["read"]}`)
}

func TestAnAPITokenEndsWithItsTimeAndItsAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	u := r.user()
	script, made := u.newToken(`["read"]`)
	exec(r, `UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = ?`, made.ID)
	script.wantProblem(http.StatusUnauthorized, "", "GET", "/api/v1/tasks", "")
	second, _ := u.newToken(`["read"]`)
	second.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "")
	u.want(http.StatusNoContent, nil, "DELETE", "/api/v1/me", `{"password":"`+password+`"}`)
	second.wantProblem(http.StatusUnauthorized, "", "GET", "/api/v1/tasks", "")
}
