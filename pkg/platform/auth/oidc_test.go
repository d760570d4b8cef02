package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// provider stands in for an OIDC issuer: its discovery document and its keys.
type provider struct {
	t       *testing.T
	url     string
	fetches atomic.Int32
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	away    bool
}

func newProvider(t *testing.T) *provider {
	p := &provider{t: t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.away {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		// It offers algorithms that must not be accepted.
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.url, "jwks_uri": p.url + "/keys", "id_token_signing_alg_values_supported": []string{"none", "HS256", "ES256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": append([]any{map[string]string{"kty": "oct", "kid": "mac", "k": "c2VjcmV0"}, map[string]string{"kty": "of tomorrow"}}, anys(p.keys)...)})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func anys(keys []jose.JSONWebKey) (out []any) {
	for _, k := range keys {
		out = append(out, k)
	}
	return out
}

func (p *provider) publish(keys map[string]crypto.Signer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = nil
	for kid, key := range keys {
		p.keys = append(p.keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"})
	}
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *provider) claims(now time.Time) jwt.MapClaims {
	return jwt.MapClaims{"iss": p.url, "aud": []string{"taskwire", "other"}, "sub": "ada", "scope": "tasks", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
}

func (p *provider) sign(method jwt.SigningMethod, kid string, key any, c jwt.MapClaims) string {
	p.t.Helper()
	token := jwt.NewWithClaims(method, c)
	token.Header["kid"] = kid
	signed, err := token.SignedString(key)
	if err != nil {
		p.t.Fatal(err)
	}
	return signed
}

func (p *provider) verifier() (*Issuer, *time.Time) {
	now := time.Now()
	v := NewIssuer(OIDC{Issuer: p.url, Audience: "taskwire", RoleClaim: "groups"}, slog.New(slog.DiscardHandler))
	v.now = func() time.Time { return now }
	return v, &now
}

func TestAnIssuersTokenNamesItsUser(t *testing.T) {
	p := newProvider(t)
	ec := newECKey(t)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	p.publish(map[string]crypto.Signer{"ec": ec, "ed": ed})
	v, now := p.verifier()
	c := p.claims(*now)
	c["email"], c["name"], c["zoneinfo"], c["groups"] = "ada@example.com", "Ada", "Europe/London", []string{"x", "auditor"}
	for name, token := range map[string]string{"ES256": p.sign(jwt.SigningMethodES256, "ec", ec, c), "EdDSA": p.sign(jwt.SigningMethodEdDSA, "ed", ed, c)} {
		id, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if id.UserID != UserIDOf(p.url, "ada") || id.Role != RoleAuditor || id.ExpiresAt.Unix() != now.Add(time.Minute).Unix() ||
			id.External.Email != "ada@example.com" || id.External.Name != "Ada" || id.External.Timezone != "Europe/London" {
			t.Errorf("%s: got %+v %+v", name, id, id.External)
		}
	}
	// Claims of the wrong type are ignored.
	c = p.claims(*now)
	c["email"], c["email_verified"], c["name"], c["zoneinfo"], c["groups"], c["role"] = "ada@example.com", false, 7, []int{1}, "auditors", "auditor"
	id, err := v.Verify(t.Context(), p.sign(jwt.SigningMethodES256, "ec", ec, c))
	if err != nil || id.Role != RoleUser || id.External.Email+id.External.Name+id.External.Timezone != "" {
		t.Errorf("claims of the wrong type: got %+v %+v %v", id, id.External, err)
	}
	if got := UserIDOf("https://id.example.com", "ada"); got != "29d83eb1-eda9-522f-9372-0863ae6a87ea" {
		t.Errorf("UserIDOf: got %s; the id of a user must never change", got)
	}
}

func TestForgedTokensOfAnIssuerAreRefused(t *testing.T) {
	p := newProvider(t)
	key := newECKey(t)
	p.publish(map[string]crypto.Signer{"k": key})
	v, now := p.verifier()
	with := func(name string, value any) string {
		c := p.claims(*now)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return p.sign(jwt.SigningMethodES256, "k", key, c)
	}
	own, _, err := newSigner(t, newKey(t)).Sign(ada, RoleAuditor, session, *now)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := key.PublicKey.Bytes()
	for name, token := range map[string]string{
		"our own":            own,
		"garbage":            "a.b.c",
		"none":               p.sign(jwt.SigningMethodNone, "k", jwt.UnsafeAllowNoneSignatureType, p.claims(*now)),
		"HS256, public key":  p.sign(jwt.SigningMethodHS256, "k", x, p.claims(*now)),
		"HS256, oct key":     p.sign(jwt.SigningMethodHS256, "mac", []byte("secret"), p.claims(*now)),
		"another's key":      p.sign(jwt.SigningMethodES256, "k", newECKey(t), p.claims(*now)),
		"an unknown key":     p.sign(jwt.SigningMethodES256, "other", key, p.claims(*now)),
		"another issuer":     with("iss", "https://evil.example.com"),
		"another audience":   with("aud", "other"),
		"no audience":        with("aud", nil),
		"expired":            with("exp", now.Add(-time.Second).Unix()),
		"no expiry":          with("exp", nil),
		"not yet":            with("nbf", now.Add(time.Hour).Unix()),
		"issued in an hour":  with("iat", now.Add(time.Hour).Unix()),
		"no subject":         with("sub", nil),
		"a subject too long": with("sub", string(make([]byte, maxSubject+1))),
	} {
		if id, err := v.Verify(t.Context(), token); !errors.Is(err, ErrInvalid) || id != (Identity{}) {
			t.Errorf("%s: got %+v, %v, want ErrInvalid", name, id, err)
		}
	}
	if _, err := v.Verify(t.Context(), with("x", "y")); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestAnIssuersKeysAreFetchedOnlyWhenNeeded(t *testing.T) {
	p := newProvider(t)
	oldKey, newKey := newECKey(t), newECKey(t)
	p.publish(map[string]crypto.Signer{"old": oldKey})
	v, now := p.verifier()
	token := func(kid string, key *ecdsa.PrivateKey) string {
		return p.sign(jwt.SigningMethodES256, kid, key, p.claims(*now))
	}
	p.away = true
	if _, err := v.Verify(t.Context(), token("old", oldKey)); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
		t.Errorf("while the issuer is away: got %v, want ErrUnavailable", err)
	}
	if v.Ready(context.Background()) == nil {
		t.Error("Ready without keys: got nil")
	}
	p.mu.Lock()
	p.away = false
	p.mu.Unlock()
	*now = now.Add(refetchInterval)
	for range 50 {
		if _, err := v.Verify(t.Context(), token("old", oldKey)); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), token("made up", newKey)); !errors.Is(err, ErrInvalid) {
			t.Fatalf("made up kid: got %v", err)
		}
	}
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("fetched %d times, want once", n)
	}
	p.publish(map[string]crypto.Signer{"old": oldKey, "new": newKey})
	*now = now.Add(refetchInterval)
	for name, tok := range map[string]string{"new": token("new", newKey), "old": token("old", oldKey)} {
		if _, err := v.Verify(t.Context(), tok); err != nil {
			t.Errorf("the %s key while both are published: %v", name, err)
		}
	}
	p.publish(map[string]crypto.Signer{"new": newKey})
	*now = now.Add(maxKeysAge)
	if _, err := v.Verify(t.Context(), token("old", oldKey)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a removed key: got %v, want ErrInvalid", err)
	}
	p.mu.Lock()
	p.away = true
	p.mu.Unlock()
	*now = now.Add(maxKeysAge)
	if _, err := v.Verify(t.Context(), token("new", newKey)); err != nil {
		t.Errorf("with old keys while the issuer is away: %v", err)
	}
}
