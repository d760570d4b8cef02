package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
)

// The user and the session of the tokens.
const (
	ada     = "0198c0de-0000-7000-8000-000000000001"
	session = "0198c0de-0000-7000-8000-00000000005e"
)

func newKey(t testing.TB) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newSigner(t testing.TB, keys ...string) *Signer {
	t.Helper()
	s, err := NewSigner(strings.Join(keys, ""))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keySource stands in for the task API. Without a key set its fetches fail.
type keySource struct {
	set     atomic.Pointer[[]byte]
	fetches atomic.Int32
}

func (k *keySource) use(set []byte) { k.set.Store(&set) }

func (k *keySource) fetch(context.Context) ([]byte, error) {
	k.fetches.Add(1)
	if set := k.set.Load(); set != nil {
		return *set, nil
	}
	return nil, errors.New("connection refused")
}

// newVerifier makes a verifier of the keys of s, whose clock the test sets.
func newVerifier(s *Signer) (*Verifier, *keySource, *time.Time) {
	src := &keySource{}
	if s != nil {
		src.use(s.JWKS())
	}
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	v := NewVerifier(src.fetch, slog.New(slog.DiscardHandler))
	v.now = func() time.Time { return now }
	return v, src, &now
}

func TestATokenIsValidForItsLifeAndTheLeeway(t *testing.T) {
	s := newSigner(t, newKey(t))
	v, _, now := newVerifier(s)
	token, life, err := s.Sign(ada, RoleAuditor, session, *now)
	if err != nil || life != 15*time.Minute {
		t.Fatalf("Sign: got %s, %v", life, err)
	}
	for after, want := range map[time.Duration]error{
		0: nil, life + leeway - time.Second: nil, life + leeway + time.Second: ErrInvalid, -leeway - time.Second: ErrInvalid,
	} {
		at := now.Add(after)
		v.now = func() time.Time { return at }
		id, err := v.Verify(t.Context(), token)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("after %s: got %v, want %v", after, err, want)
		}
		if err == nil && (id.UserID != ada || id.Role != RoleAuditor || id.SessionID != session || !id.IssuedAt.Equal(*now) || !id.ExpiresAt.Equal(now.Add(life))) {
			t.Errorf("got %+v", id)
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	s := newSigner(t, newKey(t))
	v, _, now := newVerifier(s)
	good := claims{Role: RoleUser, SessionID: session, RegisteredClaims: jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: ada,
		IssuedAt: jwt.NewNumericDate(*now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
	}}
	sign := func(method jwt.SigningMethod, key any, change func(*claims)) string {
		c := good
		change(&c)
		tok := jwt.NewWithClaims(method, c)
		tok.Header["kid"] = s.kid
		signed, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	same := func(*claims) {}
	public, _ := x509.MarshalPKIXPublicKey(s.key.Public())
	other := newSigner(t, newKey(t))
	for name, token := range map[string]string{
		"garbage":           "a.b.c",
		"none":              sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"HS256, raw key":    sign(jwt.SigningMethodHS256, []byte(s.key.Public().(ed25519.PublicKey)), same),
		"HS256, PKIX key":   sign(jwt.SigningMethodHS256, public, same),
		"another's key":     sign(jwt.SigningMethodEdDSA, other.key, same),
		"another issuer":    sign(jwt.SigningMethodEdDSA, s.key, func(c *claims) { c.Issuer = "evil" }),
		"another audience":  sign(jwt.SigningMethodEdDSA, s.key, func(c *claims) { c.Audience = jwt.ClaimStrings{"evil"} }),
		"no expiry":         sign(jwt.SigningMethodEdDSA, s.key, func(c *claims) { c.ExpiresAt = nil }),
		"no subject":        sign(jwt.SigningMethodEdDSA, s.key, func(c *claims) { c.Subject = "" }),
		"no session":        sign(jwt.SigningMethodEdDSA, s.key, func(c *claims) { c.SessionID = "" }),
		"a made-up session": sign(jwt.SigningMethodEdDSA, s.key, func(c *claims) { c.SessionID = "s" }),
	} {
		if id, err := v.Verify(t.Context(), token); !errors.Is(err, ErrInvalid) || id != (Identity{}) {
			t.Errorf("%s: got %+v, %v, want ErrInvalid", name, id, err)
		}
	}
	if _, err := v.Verify(t.Context(), sign(jwt.SigningMethodEdDSA, s.key, same)); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestANewKeyWorksAtOnceAndAnOldOneUntilItIsRemoved(t *testing.T) {
	oldKey, nextKey := newKey(t), newKey(t)
	before, both, after := newSigner(t, oldKey), newSigner(t, nextKey, oldKey), newSigner(t, nextKey)
	v, src, now := newVerifier(before)
	oldToken, _, _ := before.Sign(ada, RoleUser, session, *now)
	if _, err := v.Verify(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}
	src.use(both.JWKS())
	*now = now.Add(refetchInterval)
	nextToken, _, _ := both.Sign(ada, RoleUser, session, *now)
	for name, token := range map[string]string{"old": oldToken, "next": nextToken} {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("%s key while both are published: %v", name, err)
		}
	}
	src.use(after.JWKS())
	*now = now.Add(maxKeysAge)
	if _, err := v.Verify(t.Context(), oldToken); !errors.Is(err, ErrInvalid) {
		t.Errorf("a removed key: got %v, want ErrInvalid", err)
	}
}

// A new key is in use while its publisher is away: the task API restarts to read it.
func TestANewKeyIsNotRefusedWhileItsPublisherIsAway(t *testing.T) {
	oldKey, nextKey := newKey(t), newKey(t)
	v, src, now := newVerifier(newSigner(t, oldKey))
	both := newSigner(t, nextKey, oldKey)
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	src.set.Store(nil)
	*now = now.Add(refetchInterval)
	token, _, _ := both.Sign(ada, RoleUser, session, *now)
	for range 2 { // the second time it is too early to fetch again
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
			t.Errorf("while the task API is away: got %v, want ErrUnavailable", err)
		}
	}
	src.use(both.JWKS())
	*now = now.Add(refetchInterval)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

func TestUnknownKeysCauseFewFetches(t *testing.T) {
	s := newSigner(t, newKey(t))
	v, src, now := newVerifier(s)
	forged, _, _ := newSigner(t, newKey(t)).Sign(ada, RoleUser, session, *now)
	for range 100 {
		if _, err := v.Verify(t.Context(), forged); !errors.Is(err, ErrInvalid) {
			t.Fatalf("got %v, want ErrInvalid", err)
		}
	}
	if n := src.fetches.Load(); n != 1 {
		t.Errorf("fetched %d times, want once", n)
	}
	*now = now.Add(refetchInterval)
	_, _ = v.Verify(t.Context(), forged)
	if n := src.fetches.Load(); n != 2 {
		t.Errorf("after the interval: fetched %d times, want twice", n)
	}
}

func TestWithoutKeysATokenIsNeitherGoodNorBad(t *testing.T) {
	s := newSigner(t, newKey(t))
	v, src, now := newVerifier(nil)
	token, _, _ := s.Sign(ada, RoleUser, session, *now)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
		t.Errorf("never had keys: got %v, want ErrUnavailable", err)
	}
	if v.Ready(t.Context()) == nil {
		t.Error("Ready without keys: got nil")
	}
	src.use(s.JWKS())
	*now = now.Add(firstInterval - time.Nanosecond)
	if v.Ready(t.Context()) == nil {
		t.Error("Ready fetched again at once")
	}
	*now = now.Add(time.Nanosecond)
	if err := v.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
	src.set.Store(nil) // the task API goes away for longer than the keys are fresh
	*now = now.Add(maxKeysAge)
	token, _, _ = s.Sign(ada, RoleUser, session, *now)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("with old keys: %v", err)
	}
}

func TestMiddlewareKnowsTheCaller(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	s := newSigner(t, newKey(t))
	v, src, now := newVerifier(s)
	token, _, _ := s.Sign(ada, RoleUser, session, *now)
	e := gin.New()
	e.GET("/", Middleware(v), func(c *gin.Context) { c.String(http.StatusOK, UserID(c)) })
	get := func(header string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, req)
		return w
	}
	src.set.Store(nil)
	if w := get("Bearer " + token); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("without keys: got %d", w.Code)
	}
	src.use(s.JWKS())
	*now = now.Add(refetchInterval)
	if w := get("bearer " + token); w.Code != http.StatusOK || w.Body.String() != ada {
		t.Errorf("good: got %d %s", w.Code, w.Body)
	}
	for _, header := range []string{"", "Basic YTpi", "Bearer", "Bearer ", "Bearer x", token} {
		if w := get(header); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: got %d, want 401", header, w.Code)
		}
	}
}

func TestTheErrorOfABadSigningKeyDoesNotRepeatIt(t *testing.T) {
	for name, key := range map[string]string{
		"empty": "", "no PEM": "secret", "no key": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
	} {
		if _, err := NewSigner(key); err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
