package auth

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
)

// personalTokens accepts one token.
type personalTokens struct {
	token string
	id    Identity
}

func (p personalTokens) Verify(_ context.Context, token string) (Identity, error) {
	if token != p.token {
		return Identity{}, ErrInvalid
	}
	return p.id, nil
}

func (personalTokens) Ready(context.Context) error { return nil }

func TestAKnownTokenIsRefusedOnceItsSessionHasEnded(t *testing.T) {
	t.Parallel()
	signer, revocations := newSigner(t, newKey(t)), NewRevocations(time.Now)
	v := New(Config{Keys: signer.Keys, Revocations: revocations, Log: slog.New(slog.DiscardHandler)})
	token, _, err := signer.Sign(ada, RoleUser, session, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) {
		t.Errorf("before the load: got %v, want ErrUnavailable", err)
	}
	if _, err := v.Verify(t.Context(), token+"x"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a forged one before the load: got %v, want ErrInvalid", err)
	}
	if err := v.Ready(t.Context()); !errors.Is(err, ErrNotLoaded) {
		t.Errorf("Ready before the load: got %v, want ErrNotLoaded", err)
	}
	revocations.Loaded()
	for range 2 { // the second time the result of the signature is remembered
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatalf("a good token: got %v", err)
		}
	}
	if err := revocations.Apply(Revocation{Kind: RevokedSession, ID: session, UserID: ada, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrEnded) {
		t.Errorf("after the end: got %v, want ErrEnded", err)
	}
}

func TestTokensGoToTheVerifierOfTheirKind(t *testing.T) {
	t.Parallel()
	signer, revocations := newSigner(t, newKey(t)), NewRevocations(time.Now)
	revocations.Loaded()
	personal := personalTokens{PersonalPrefix + "x", Identity{UserID: ada, TokenID: uuid.NewString(), Scope: "read"}}
	v := New(Config{Keys: signer.Keys, Personal: personal, Revocations: revocations, Log: slog.New(slog.DiscardHandler)})
	if got, err := v.Verify(t.Context(), personal.token); err != nil || got != personal.id {
		t.Errorf("a personal token: got %+v, %v; want %+v", got, err, personal.id)
	}
	token, _, err := signer.Sign(ada, RoleUser, session, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Verify(t.Context(), token); err != nil || got.SessionID != session || got.TokenID != "" || got.Scope != "" {
		t.Errorf("an access token: got %+v, %v", got, err)
	}
	none := New(Config{Keys: signer.Keys, Revocations: revocations, Log: slog.New(slog.DiscardHandler)})
	if _, err := none.Verify(t.Context(), personal.token); !errors.Is(err, ErrInvalid) {
		t.Errorf("a personal token where none are accepted: got %v, want ErrInvalid", err)
	}
}
