package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// registry stands in for the place where tokens are kept.
type registry struct {
	mu      sync.Mutex
	tokens  map[tokenHash]PersonalToken
	lookups int
	err     error
}

func (r *registry) lookup(_ context.Context, hash tokenHash) (PersonalToken, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookups++
	if r.err != nil {
		return PersonalToken{}, r.err
	}
	t, ok := r.tokens[hash]
	if !ok {
		return PersonalToken{}, ErrNoToken
	}
	return t, nil
}

func (r *registry) add(now time.Time) (text string, t PersonalToken) {
	text = NewPersonalToken()
	t = PersonalToken{ID: uuid.NewString(), UserID: ada, Role: RoleUser, Scope: ScopeRead, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens[HashOf(text)] = t
	return text, t
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lookups
}

func TestAPersonalTokenIsLookedUpOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registry{tokens: map[tokenHash]PersonalToken{}}
		p := NewPersonal(r.lookup, time.Now)
		text, token := r.add(time.Now())
		want := Identity{UserID: ada, Role: RoleUser, TokenID: token.ID, Scope: ScopeRead, IssuedAt: token.CreatedAt, ExpiresAt: token.ExpiresAt}
		for range 100 {
			if id, err := p.Verify(t.Context(), text); err != nil || id != want {
				t.Fatalf("got %+v, %v, want %+v", id, err, want)
			}
		}
		if got := r.count(); got != 1 {
			t.Errorf("100 requests: got %d look-ups, want 1", got)
		}
		delete(r.tokens, HashOf(text))
		time.Sleep(personalFresh - time.Nanosecond)
		if _, err := p.Verify(t.Context(), text); err != nil {
			t.Errorf("before the minute is over: got %v", err)
		}
		time.Sleep(time.Nanosecond)
		for range 10 {
			if _, err := p.Verify(t.Context(), text); !errors.Is(err, ErrInvalid) {
				t.Errorf("after it is gone: got %v, want ErrInvalid", err)
			}
		}
		if got := r.count(); got != 2 {
			t.Errorf("a token that is gone: got %d look-ups in all, want 2", got)
		}
	})
}

func TestAPersonalTokenExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registry{tokens: map[tokenHash]PersonalToken{}}
		p := NewPersonal(r.lookup, time.Now)
		text, token := r.add(time.Now())
		time.Sleep(time.Until(token.ExpiresAt) - time.Nanosecond)
		if _, err := p.Verify(t.Context(), text); err != nil {
			t.Errorf("before its end: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := p.Verify(t.Context(), text); !errors.Is(err, ErrInvalid) {
			t.Errorf("at its end: got %v, want ErrInvalid", err)
		}
	})
}

func TestAWrongCopyOfATokenIsRefusedWithoutALookUp(t *testing.T) {
	t.Parallel()
	r := &registry{tokens: map[tokenHash]PersonalToken{}}
	p := NewPersonal(r.lookup, time.Now)
	text, _ := r.add(time.Now())
	last := text[len(text)-1:]
	other := "A"
	if last == other {
		other = "B"
	}
	for name, wrong := range map[string]string{
		"another end": strings.TrimSuffix(text, last) + other, "shorter": text[:len(text)-1], "longer": text + "A", "the prefix alone": PersonalPrefix,
		"another alphabet": text[:10] + "+" + text[11:], "a blank": text[:10] + " " + text[11:], "another prefix": "twq_" + text[4:],
	} {
		if id, err := p.Verify(t.Context(), wrong); !errors.Is(err, ErrInvalid) || id != (Identity{}) {
			t.Errorf("%s: got %+v, %v, want ErrInvalid", name, id, err)
		}
	}
	if got := r.count(); got != 0 {
		t.Errorf("got %d look-ups, want none", got)
	}
	if len(text) != personalLength || !wellFormed(text) {
		t.Errorf("a new token has %d characters, want %d", len(text), personalLength)
	}
}

// A look-up that fails says nothing about the token: it is not remembered as unknown.
func TestAFailedLookUpIsNotARefusal(t *testing.T) {
	t.Parallel()
	r := &registry{tokens: map[tokenHash]PersonalToken{}, err: errors.New("connection refused")}
	p := NewPersonal(r.lookup, time.Now)
	text, _ := r.add(time.Now())
	if _, err := p.Verify(t.Context(), text); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	r.err = nil
	if _, err := p.Verify(t.Context(), text); err != nil {
		t.Errorf("once it works again: got %v", err)
	}
}

// The task API restarts. What ends a token meanwhile is in the Revocations.
func TestAKnownTokenWorksWhileLookUpsFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registry{tokens: map[tokenHash]PersonalToken{}}
		p := NewPersonal(r.lookup, time.Now)
		text, token := r.add(time.Now())
		if _, err := p.Verify(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		r.err = errors.New("connection refused")
		time.Sleep(personalStale - time.Nanosecond)
		if id, err := p.Verify(t.Context(), text); err != nil || id.TokenID != token.ID {
			t.Errorf("before the limit: got %+v, %v, want the token", id, err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := p.Verify(t.Context(), text); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
			t.Errorf("at the limit: got %v, want ErrUnavailable", err)
		}
		r.err = nil
		if _, err := p.Verify(t.Context(), text); err != nil {
			t.Errorf("once look-ups work again: got %v", err)
		}
		delete(r.tokens, HashOf(text))
		time.Sleep(personalFresh)
		if _, err := p.Verify(t.Context(), text); !errors.Is(err, ErrInvalid) {
			t.Errorf("a token that is gone: got %v, want ErrInvalid", err)
		}
	})
	if personalStale >= revokedLife {
		t.Errorf("a token is used for %s without a look-up, longer than its revocation is kept (%s)", personalStale, revokedLife)
	}
}

func TestATokenWithAnUnknownScopeIsNotUsed(t *testing.T) {
	t.Parallel()
	for scope, usable := range map[string]bool{ScopeRead: true, ScopeWrite: true, "": false, "admin": false, "Read": false} {
		r := &registry{tokens: map[tokenHash]PersonalToken{}}
		text, token := r.add(time.Now())
		token.Scope = scope
		r.tokens[HashOf(text)] = token
		id, err := NewPersonal(r.lookup, time.Now).Verify(t.Context(), text)
		if usable && (err != nil || id.Scope != scope) || !usable && (!errors.Is(err, ErrUnavailable) || id != (Identity{})) {
			t.Errorf("scope %q: got %+v, %v, want usable %v and otherwise ErrUnavailable", scope, id, err, usable)
		}
	}
}

// Look-ups that hang hold back other unknown tokens, and not those that are known.
func TestHangingLookUpsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registry{tokens: map[tokenHash]PersonalToken{}}
		known, _ := r.add(time.Now())
		var hang bool
		var running atomic.Int32
		p := NewPersonal(func(ctx context.Context, hash tokenHash) (PersonalToken, error) {
			if hang {
				running.Add(1)
				<-ctx.Done()
				return PersonalToken{}, ctx.Err()
			}
			return r.lookup(ctx, hash)
		}, time.Now)
		if _, err := p.Verify(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		hang = true
		for range 2 * maxLookups {
			go func() {
				if _, err := p.Verify(t.Context(), NewPersonalToken()); !errors.Is(err, ErrUnavailable) {
					t.Errorf("a hanging look-up: got %v, want ErrUnavailable", err)
				}
			}()
		}
		synctest.Wait()
		if got := running.Load(); got != maxLookups {
			t.Errorf("got %d look-ups at the same time, want %d", got, maxLookups)
		}
		if _, err := p.Verify(t.Context(), known); err != nil {
			t.Errorf("a known token meanwhile: got %v", err)
		}
		time.Sleep(2 * lookupTimeout)
	})
}
