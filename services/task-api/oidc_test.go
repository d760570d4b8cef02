package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// issuer is zitadel's OpenID provider, with keys that the test rotates. Its tokens come by client credentials, for the
// subject that the test says.
type issuer struct {
	*storage.Storage
	t   *testing.T
	url string

	mu       sync.Mutex
	keys     []signingKey // the first signs, all are published
	subject  string
	audience string
	claims   map[string]any
}

type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) ID() string                                  { return k.id }

type publicKey struct{ signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.key.PublicKey }

func newKey(t *testing.T, id string) signingKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey{id, key}
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	i := &issuer{Storage: storage.NewStorage(storage.NewUserStore(server.URL)), t: t, url: server.URL, audience: "taskwire", subject: "ada"}
	i.keys = []signingKey{newKey(t, "one")}
	provider, err := op.NewProvider(&op.Config{CryptoKey: [32]byte{1}}, i, op.StaticIssuer(server.URL), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	handler = provider
	return i
}

// SigningKey implements op.Storage.
func (i *issuer) SigningKey(context.Context) (op.SigningKey, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[0], nil
}

// KeySet implements op.Storage.
func (i *issuer) KeySet(context.Context) ([]op.Key, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []op.Key
	for _, k := range i.keys {
		all = append(all, publicKey{k})
	}
	return all, nil
}

func (i *issuer) rotate(keys ...signingKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// jwtClient gets tokens that are JWTs.
type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// ClientCredentials implements op.ClientCredentialsStorage.
func (i *issuer) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	c, err := i.Storage.ClientCredentials(ctx, id, secret)
	return jwtClient{c}, err
}

// ClientCredentialsTokenRequest implements op.ClientCredentialsStorage.
func (i *issuer) ClientCredentialsTokenRequest(_ context.Context, _ string, scopes []string) (op.TokenRequest, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return &oidc.JWTTokenRequest{Subject: i.subject, Audience: []string{i.audience}, Scopes: scopes}, nil
}

// GetPrivateClaimsFromScopes implements op.Storage.
func (i *issuer) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.claims, nil
}

// token gets an access token of a subject, for an audience, with more claims.
func (i *issuer) token(subject, audience string, claims map[string]any) string {
	i.t.Helper()
	i.mu.Lock()
	i.subject, i.audience, i.claims = subject, audience, claims
	i.mu.Unlock()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}}
	req, err := http.NewRequest(http.MethodPost, i.url+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		i.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("sid1", "verysecret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || strings.Count(answer.AccessToken, ".") != 2 {
		i.t.Fatalf("token of %s: got %d %+v %v", subject, resp.StatusCode, answer, err)
	}
	return "Bearer " + answer.AccessToken
}

func TestAnOIDCIssuersTokensAreAcceptedInsteadOfOurOwn(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	s := start(t, false, func(cfg *settings) {
		cfg.AuthIssuer, cfg.AuthAudience, cfg.AuthRoleClaim = i.url, "taskwire", "groups"
	})
	s.service.Await(s.public+"/readyz", http.StatusServiceUnavailable, `"sessions":"ok"`) // it never is ready: it has no sidecar
	type me struct{ ID, Email, Name, Timezone, Role string }
	get := func(token string) (int, me) {
		var m me
		status, _, body := s.call("GET", s.public+"/api/v1/me", "", "Authorization", token)
		_ = json.Unmarshal([]byte(body), &m)
		return status, m
	}
	want := func(what, token string, status int) {
		t.Helper()
		if got, _ := get(token); got != status {
			t.Errorf("%s: got %d, want %d", what, got, status)
		}
	}

	ada := i.token("ada", "taskwire", map[string]any{"email": "ada@example.com", "name": "Ada", "zoneinfo": "Asia/Tokyo", "groups": []string{"auditor"}})
	// The first request of all is a write: the account is made for it.
	if status, _, body := s.call("POST", s.public+"/api/v1/tasks", `{"title":"t"}`, "Authorization", ada); status != http.StatusCreated || !strings.Contains(body, `"timezone":"Asia/Tokyo"`) {
		t.Fatalf("create: got %d %s, want 201 in the zone of the token", status, body)
	}
	if status, m := get(ada); status != http.StatusOK || m != (me{auth.UserIDOf(i.url, "ada"), "ada@example.com", "Ada", "Asia/Tokyo", "auditor"}) {
		t.Errorf("me: got %d %+v", status, m)
	}
	bob := i.token("bob", "taskwire", nil)
	if status, m := get(bob); status != http.StatusOK || m != (me{auth.UserIDOf(i.url, "bob"), "", "", "UTC", "user"}) {
		t.Errorf("me of a token that says nothing: got %d %+v", status, m)
	}
	if status, _, body := s.call("GET", s.public+"/api/v1/tasks", "", "Authorization", bob); status != http.StatusOK || strings.Contains(body, `"title"`) {
		t.Errorf("list of another user: got %d %s", status, body)
	}
	want("for another audience", i.token("ada", "another", nil), http.StatusUnauthorized)
	for _, path := range []string{"/auth/register", "/auth/login", "/auth/refresh", "/auth/logout", "/auth/verify-email", "/auth/recover", "/auth/reset-password", "/me/verify-email", "/me/password"} {
		if status, _, body := s.call("POST", s.public+"/api/v1"+path, `{}`, "Authorization", ada); status != http.StatusConflict || !strings.Contains(body, i.url) {
			t.Errorf("POST %s: got %d %s, want 409 that names the issuer", path, status, body)
		}
	}

	// Rotation in the middle: the new key signs, then the old one is taken out.
	one, two := i.keys[0], newKey(t, "two")
	i.rotate(two, one)
	rotated := i.token("ada", "taskwire", nil)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		status, m := get(rotated)
		if status == http.StatusOK && m.ID == auth.UserIDOf(i.url, "ada") {
			break
		}
		if status != http.StatusUnauthorized || time.Now().After(deadline) {
			t.Fatalf("with the new key: got %d %+v, want the same user once the keys are fetched again", status, m)
		}
	}
	want("with the old key, which is still published", ada, http.StatusOK)
	i.rotate(two)
	stolen := signingKey{"made up", one.key}
	i.rotate(stolen)
	forged := i.token("ada", "taskwire", nil)
	i.rotate(two)
	want("with a key that is not published", forged, http.StatusUnauthorized)

	// An ID token of the same user for the same audience, and a log-in that is too old.
	want("a token for the client", i.token("ada", "taskwire", map[string]any{"nonce": "n"}), http.StatusUnauthorized)
	old := i.token("ada", "taskwire", map[string]any{"auth_time": time.Now().Add(-6 * time.Minute).Unix()})
	want("of a log-in that is some minutes old", old, http.StatusOK)
	status, header, body := s.call("DELETE", s.public+"/api/v1/me", `{}`, "Authorization", old)
	if status != http.StatusUnauthorized || !strings.Contains(header.Get("WWW-Authenticate"), `error="insufficient_user_authentication"`) {
		t.Errorf("delete after an old log-in: got %d %q %s, want 401 that asks for a log-in", status, header.Get("WWW-Authenticate"), body)
	}

	// The account goes; the token lives on and must not bring it back.
	if status, _, body := s.call("DELETE", s.public+"/api/v1/me", `{}`, "Authorization", rotated); status != http.StatusNoContent {
		t.Fatalf("delete: got %d %s", status, body)
	}
	for _, token := range []string{ada, rotated} {
		want("after the deletion", token, http.StatusUnauthorized)
		if status, _, body := s.call("POST", s.public+"/api/v1/tasks", `{"title":"t"}`, "Authorization", token); status != http.StatusUnauthorized {
			t.Errorf("create after the deletion: got %d %s, want 401", status, body)
		}
	}
	for deadline := time.Now().Add(time.Minute); s.count(`SELECT count(*) FROM tasks`) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the data of the deleted account is not removed")
		}
	}
	want("after its data is gone", rotated, http.StatusUnauthorized)
	time.Sleep(1100 * time.Millisecond) // iat has whole seconds
	want("with a token from after the deletion", i.token("ada", "taskwire", nil), http.StatusOK)
	want("another user", bob, http.StatusOK)
}

func TestWithoutItsIssuerTheServiceStartsAndSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	token := i.token("ada", "taskwire", nil)
	s := start(t, false, func(cfg *settings) {
		cfg.AuthIssuer, cfg.AuthAudience = "http://127.0.0.1:1", "taskwire"
	})
	s.await(http.StatusUnauthorized, s.public+"/api/v1/tasks")
	status, header, body := s.call("GET", s.public+"/api/v1/tasks", "", "Authorization", token)
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("got %d with Retry-After %q %s, want 503: the token cannot be judged", status, header.Get("Retry-After"), body)
	}
}
