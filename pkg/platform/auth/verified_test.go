package auth

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// checks calls once and returns how often the token was checked.
func checks(t *testing.T, v *Verifier, token string) (n int, err error) {
	t.Helper()
	_, err = v.once(token, func() (Identity, error) { n++; return v.check(t.Context(), token) })
	return n, err
}

func TestATokenIsVerifiedOnce(t *testing.T) {
	s := newSigner(t, newKey(t))
	v, _, now := newVerifier(s)
	token, life, err := s.Sign(ada, RoleUser, session, *now)
	if err != nil {
		t.Fatal(err)
	}
	begin := *now
	for _, step := range []struct {
		at   time.Duration
		want int
		err  error
	}{
		{0, 1, nil}, // nothing is remembered before the first fetch
		{0, 1, nil},
		{0, 0, nil},
		{maxKeysAge - time.Second, 0, nil},
		{-time.Second, 1, nil}, // a clock that was set back
		{maxKeysAge, 1, nil},   // the keys are fetched again
		{maxKeysAge, 1, nil},
		{maxKeysAge, 0, nil},
		{life - time.Second, 0, nil},
		{life, 1, nil},
		{life + leeway - time.Second, 1, nil},
		{life + leeway + time.Second, 1, ErrInvalid},
		{life + leeway + time.Second, 1, ErrInvalid},
	} {
		*now = begin.Add(step.at)
		if n, err := checks(t, v, token); n != step.want || !errors.Is(err, step.err) {
			t.Errorf("after %s: checked %d times, %v; want %d, %v", step.at, n, err, step.want, step.err)
		}
	}
}

func TestAVerifiedTokenOfARemovedKeyIsRefused(t *testing.T) {
	oldKey, newerKey := newKey(t), newKey(t)
	before, after := newSigner(t, oldKey), newSigner(t, newerKey)
	v, src, now := newVerifier(before)
	token, _, err := before.Sign(ada, RoleUser, session, *now)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	src.use(after.JWKS())
	*now = now.Add(refetchInterval)
	fresh, _, err := after.Sign(ada, RoleUser, session, *now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), fresh); err != nil { // its key is unknown, so the set is fetched
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

func TestATokenThatDiffersInOneCharacterIsRefused(t *testing.T) {
	s := newSigner(t, newKey(t))
	v, _, now := newVerifier(s)
	token, _, err := s.Sign(ada, RoleUser, session, *now)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	for i := range token {
		other := byte('A')
		if token[i] == 'A' {
			other = 'B'
		}
		if i == len(token)-1 { // the last character has bits that do not count
			continue
		}
		if _, err := v.Verify(t.Context(), token[:i]+string(other)+token[i+1:]); !errors.Is(err, ErrInvalid) {
			t.Errorf("character %d changed: got %v", i, err)
		}
	}
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), `"user"`, `"auditor"`, 1)))
	if _, err := v.Verify(t.Context(), strings.Join(parts, ".")); !errors.Is(err, ErrInvalid) {
		t.Errorf("another role: got %v", err)
	}
}

func TestARefusedTokenIsNotRemembered(t *testing.T) {
	s := newSigner(t, newKey(t))
	v, _, now := newVerifier(s)
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, _, err := s.Sign(ada, RoleUser, session, now.Add(leeway+time.Minute)) // from the future
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, err := checks(t, v, token); n != 1 || !errors.Is(err, ErrInvalid) {
			t.Errorf("too early: checked %d times, %v", n, err)
		}
	}
	*now = now.Add(time.Minute)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("in time: got %v", err)
	}
}

func TestVerifiedTokensAreBoundedAndTheLatestStay(t *testing.T) {
	s := newVerifiedTokens()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	id := Identity{UserID: ada, ExpiresAt: now.Add(time.Hour)}
	sum := func(i int) [sha256.Size]byte { return sha256.Sum256(fmt.Append(nil, i)) }
	const used = -1
	s.add(sum(used), id, now)
	for i := range 5 * maxVerified {
		s.add(sum(i), id, now)
		if i%1000 == 0 {
			if _, ok := s.find(sum(used), now); !ok {
				t.Fatalf("after %d others the token in use is forgotten", i)
			}
		}
		if n := s.cache.Len(); n > maxVerified {
			t.Fatalf("after %d: %d are remembered", i, n)
		}
	}
	if _, ok := s.find(sum(5*maxVerified-maxVerified/2), now); !ok {
		t.Errorf("one of the last %d is forgotten", maxVerified/2)
	}
	if _, ok := s.find(sum(0), now); ok {
		t.Error("the first one is still remembered")
	}
}

func TestVerifiedTokensOfAnIssuer(t *testing.T) {
	p := newProvider(t)
	one, two := newECKey(t), newECKey(t)
	p.publish(map[string]crypto.Signer{"one": one})
	v, now := p.verifier()
	sign := func(kid string, key crypto.Signer) string {
		c := p.claims(*now)
		c["exp"] = now.Add(time.Hour).Unix()
		return p.sign(jwt.SigningMethodES256, kid, key, c)
	}
	token := sign("one", one)
	for range 3 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	if id, err := v.once(token, func() (Identity, error) { n++; return Identity{}, nil }); err != nil || n != 0 || id.External == nil {
		t.Errorf("remembered: got %+v, %v after %d checks", id, err, n)
	}
	p.publish(map[string]crypto.Signer{"two": two})
	*now = now.Add(maxKeysAge)
	if _, err := v.Verify(t.Context(), sign("two", two)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrInvalid) {
		t.Errorf("after its key was removed: got %v", err)
	}
}

func TestManyRequestsWithOneToken(t *testing.T) {
	s := newSigner(t, newKey(t))
	v, _, now := newVerifier(s)
	token, _, err := s.Sign(ada, RoleUser, session, *now)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				if id, err := v.Verify(context.Background(), token); err != nil || id.UserID != ada {
					t.Errorf("got %+v, %v", id, err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkVerify compares the first check of a token with later ones.
func BenchmarkVerify(b *testing.B) {
	s := newSigner(b, newKey(b))
	v, _, now := newVerifier(s)
	token, _, err := s.Sign(ada, RoleUser, session, *now)
	if err != nil {
		b.Fatal(err)
	}
	for name, verify := range map[string]func(context.Context, string) (Identity, error){"first": v.check, "again": v.Verify} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
