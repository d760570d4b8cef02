package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// signTyped is sign with another typ header; "-" leaves it out.
func (p *provider) signTyped(typ, kid string, key any, c jwt.MapClaims) string {
	p.t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	token.Header["kid"] = kid
	if token.Header["typ"] = typ; typ == "-" {
		delete(token.Header, "typ")
	}
	signed, err := token.SignedString(key)
	if err != nil {
		p.t.Fatal(err)
	}
	return signed
}

func TestOnlyAnIssuersAccessTokensAreAccepted(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	key := newECKey(t)
	p.publish(map[string]crypto.Signer{"k": key})
	v, now := p.verifier()
	for _, tc := range []struct {
		name, typ string
		more      jwt.MapClaims
		accepted  bool
	}{
		{"RFC 9068", "at+jwt", nil, true},
		{"RFC 9068, whole media type", "application/AT+JWT", nil, true},
		{"a scope", "JWT", jwt.MapClaims{"scope": "openid tasks"}, true},
		{"a scope, no typ", "-", jwt.MapClaims{"scope": "tasks"}, true},
		{"a client_id", "-", jwt.MapClaims{"client_id": "web"}, true},
		{"Entra ID", "JWT", jwt.MapClaims{"scp": "Tasks.ReadWrite"}, true},
		{"Okta", "-", jwt.MapClaims{"cid": "web", "scp": []string{"tasks"}}, true},
		{"Keycloak", "JWT", jwt.MapClaims{"typ": "Bearer", "scope": "openid", "azp": "web"}, true},
		{"Cognito", "-", jwt.MapClaims{"token_use": "access"}, true},

		{"an ID token", "JWT", jwt.MapClaims{"azp": "web", "auth_time": now.Unix()}, false},
		{"an ID token without a typ", "-", nil, false},
		{"an ID token with a nonce", "at+jwt", jwt.MapClaims{"nonce": "n", "scope": "tasks"}, false},
		{"an ID token with at_hash", "JWT", jwt.MapClaims{"at_hash": "h", "scope": "tasks"}, false},
		{"an ID token of Keycloak", "JWT", jwt.MapClaims{"typ": "ID", "scope": "tasks"}, false},
		{"a refresh token of Keycloak", "JWT", jwt.MapClaims{"typ": "Refresh", "scope": "tasks"}, false},
		{"an ID token of Cognito", "-", jwt.MapClaims{"token_use": "id"}, false},
		{"a logout token", "logout+jwt", jwt.MapClaims{"events": jwt.MapClaims{}}, false},
		{"a security event", "JWT", jwt.MapClaims{"events": jwt.MapClaims{}, "client_id": "web"}, false},
		{"another kind", "dpop+jwt", jwt.MapClaims{"scope": "tasks"}, false},
	} {
		c := p.claims(*now)
		delete(c, "scope")
		for name, value := range tc.more {
			c[name] = value
		}
		id, err := v.Verify(t.Context(), p.signTyped(tc.typ, "k", key, c))
		if tc.accepted && err != nil {
			t.Errorf("%s: got %v, want it accepted", tc.name, err)
		}
		if !tc.accepted && (!errors.Is(err, ErrInvalid) || id != (Identity{})) {
			t.Errorf("%s: got %+v, %v, want ErrInvalid", tc.name, id, err)
		}
	}
}

func TestAnIssuersKeyIsUsedWithItsAlgorithmOnly(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	long, err := rsa.GenerateKey(rand.Reader, minRSABits)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, minRSABits-8)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := func(kid string, key crypto.Signer, alg jose.SignatureAlgorithm) jose.JSONWebKey {
		return jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig", Algorithm: string(alg)}
	}
	p.keys = []jose.JSONWebKey{
		public("any", long, ""), public("ps", long, jose.PS256), public("short", short, ""), public("384", p384, ""),
		public("wrong", long, jose.ES256),
	}
	v, now := p.verifier()
	for _, tc := range []struct {
		name     string
		method   jwt.SigningMethod
		kid      string
		key      any
		accepted bool
	}{
		{"RSA of any algorithm, RS256", jwt.SigningMethodRS256, "any", long, true},
		{"RSA of any algorithm, PS512", jwt.SigningMethodPS512, "any", long, true},
		{"alg PS256, PS256", jwt.SigningMethodPS256, "ps", long, true},
		{"alg PS256, RS256", jwt.SigningMethodRS256, "ps", long, false},
		{"alg PS256, PS384", jwt.SigningMethodPS384, "ps", long, false},
		{"RSA below 2048 bits", jwt.SigningMethodRS256, "short", short, false},
		{"P-384, ES384", jwt.SigningMethodES384, "384", p384, true},
		{"an alg of another kind", jwt.SigningMethodRS256, "wrong", long, false},
	} {
		_, err := v.Verify(t.Context(), p.sign(tc.method, tc.kid, tc.key, p.claims(*now)))
		if tc.accepted != (err == nil) || (err != nil && !errors.Is(err, ErrInvalid)) {
			t.Errorf("%s: got %v, want accepted %t", tc.name, err, tc.accepted)
		}
	}
}

func TestTheTimeOfAnIssuersLogIn(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	key := newECKey(t)
	p.publish(map[string]crypto.Signer{"k": key})
	v, now := p.verifier()
	hour := now.Add(-time.Hour).Unix()
	for name, tc := range map[string]struct {
		claim any
		want  int64
	}{
		"auth_time":              {hour, hour},
		"none":                   {nil, now.Unix()},
		"of the wrong type":      {"yesterday", now.Unix()},
		"later than its token":   {now.Add(time.Hour).Unix(), now.Unix()},
		"with the token's issue": {now.Unix(), now.Unix()},
	} {
		c := p.claims(*now)
		if tc.claim != nil {
			c["auth_time"] = tc.claim
		}
		id, err := v.Verify(t.Context(), p.sign(jwt.SigningMethodES256, "k", key, c))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := id.External.LoggedInAt.Unix(); got != tc.want {
			t.Errorf("%s: got a log-in at %d, want %d", name, got, tc.want)
		}
	}
}
