package tokens

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

const (
	// MaxTokens bounds the tokens of an account. It is far above the number of scripts that a person keeps apart.
	MaxTokens = 50
	// MaxName bounds a name, in characters. A name is shown in a list.
	MaxName = 100
	// DefaultLife is how long a token is valid whose request names no end: forgotten tokens end by themselves.
	DefaultLife = 90 * 24 * time.Hour
	// MaxLife bounds how long a token may be valid.
	MaxLife = 366 * 24 * time.Hour
	// LastUsedPrecision is how exact last_used_at is, so that a token in use writes one row a minute at most.
	LastUsedPrecision = time.Minute
)

var (
	// ErrTooMany means that the account has MaxTokens tokens.
	ErrTooMany = errors.New("the account has as many API tokens as it may have")
	// ErrNameTaken means that another token of the account has the name.
	ErrNameTaken = errors.New("another API token has the name")
	// ErrNoToken means that the user has no such token.
	ErrNoToken = errors.New("no such API token")
)

// Token is a token as its owner sees it.
type Token struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"` // to the minute; nil: never
}

// Made is a new token with its text.
type Made struct {
	Token
	Text string `json:"token"`
}

// Stored is what a store keeps of a token.
type Stored struct {
	Token
	UserID string
	Scope  string
	Hash   [sha256.Size]byte
}

// Request is a request for a new token.
type Request struct {
	Name      string
	Scopes    []string   // auth.ScopeRead or auth.ScopeWrite, which includes reading
	ExpiresAt *time.Time // nil: after DefaultLife
}

// Store keeps tokens. Its methods that take a Record call it in the transaction of the change, under the user's lock, or not at all
// if nothing changes.
type Store interface {
	// CreateToken returns ErrTooMany, ErrNameTaken, or accounts.ErrNoUser. Tokens that have expired do not count.
	CreateToken(ctx context.Context, t Stored, record accounts.Record) error
	// Tokens returns the tokens of a user that have not expired, the newest first.
	Tokens(ctx context.Context, userID string, now time.Time) ([]Stored, error)
	// RevokeTokens removes one token of the user, or with an empty id all, and returns their ids. They are in the revocations from
	// the commit on.
	RevokeTokens(ctx context.Context, userID, id string, now time.Time, record accounts.Record) ([]string, error)
	// FindToken returns the token with that hash that has not expired, with its user's role, and notes that it is used. The error is
	// auth.ErrNoToken if there is none.
	FindToken(ctx context.Context, hash [sha256.Size]byte, now time.Time) (auth.PersonalToken, error)
}

// Events makes the events of an account.
type Events interface {
	PublishAccountEvent(ctx context.Context, tx publish.Tx, c publish.AccountChange) error
}

// Service implements the use cases. It is safe for concurrent use.
type Service struct {
	store   Store
	events  Events
	revoked func(accounts.Revocation)
	log     *slog.Logger
	now     func() time.Time
}

// New returns the service. It calls revoked with what it revoked, right after the commit, so that this process refuses the token
// before it answers.
func New(store Store, made Events, revoked func(accounts.Revocation), log *slog.Logger, now func() time.Time) *Service {
	return &Service{store: store, events: made, revoked: revoked, log: log, now: now}
}

// Create makes a token. The error is a *domain.Invalid, ErrTooMany, ErrNameTaken or accounts.ErrNoUser.
func (s *Service) Create(ctx context.Context, userID string, r Request, by accounts.Client) (Made, error) {
	now := domain.Instant(s.now())
	stored, err := r.check(now)
	if err != nil {
		return Made{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Made{}, fmt.Errorf("make the id of an API token: %w", err)
	}
	text := auth.NewPersonalToken()
	stored.ID, stored.UserID, stored.Hash, stored.CreatedAt = id.String(), userID, auth.HashOf(text), now
	err = s.store.CreateToken(ctx, stored, s.recorder(ctx, publish.AccountChange{Type: events.AccountTokenCreated, SessionID: stored.ID}, userID, by, now))
	if err != nil {
		return Made{}, err
	}
	s.log.InfoContext(ctx, "made an API token", "user_id", userID, "token_id", stored.ID, "scope", stored.Scope, "expires_at", stored.ExpiresAt, "address", by.Address())
	return Made{stored.Token, text}, nil
}

// List returns the user's tokens that have not expired, the newest first.
func (s *Service) List(ctx context.Context, userID string) ([]Token, error) {
	stored, err := s.store.Tokens(ctx, userID, s.now())
	list := make([]Token, len(stored))
	for i, t := range stored {
		list[i] = t.Token
	}
	return list, err
}

// Revoke ends one token of the user. It returns ErrNoToken if the user has none with that id.
func (s *Service) Revoke(ctx context.Context, userID, id string, by accounts.Client) error {
	n, err := s.revoke(ctx, userID, id, by)
	if err == nil && n == 0 {
		return ErrNoToken
	}
	return err
}

// RevokeAll ends all tokens of the user.
func (s *Service) RevokeAll(ctx context.Context, userID string, by accounts.Client) error {
	_, err := s.revoke(ctx, userID, "", by)
	return err
}

func (s *Service) revoke(ctx context.Context, userID, id string, by accounts.Client) (int, error) {
	now := domain.Instant(s.now())
	ids, err := s.store.RevokeTokens(ctx, userID, id, now, func(tx publish.Tx, userID string, ids []string) error {
		for _, id := range ids {
			record := s.recorder(ctx, publish.AccountChange{Type: events.AccountTokenRevoked, SessionID: id}, userID, by, now)
			if err := record(tx, userID, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		s.revoked(accounts.Revocation{Kind: accounts.RevokedToken, ID: id, UserID: userID, At: now})
		s.log.InfoContext(ctx, "revoked an API token", "user_id", userID, "token_id", id, "address", by.Address())
	}
	return len(ids), nil
}

// Find returns a token by its hash. It is the auth.Lookup of all services.
func (s *Service) Find(ctx context.Context, hash [sha256.Size]byte) (auth.PersonalToken, error) {
	return s.store.FindToken(ctx, hash, s.now())
}

func (s *Service) recorder(ctx context.Context, change publish.AccountChange, actor string, by accounts.Client, at time.Time) accounts.Record {
	change.Actor, change.At, change.Address, change.Device = actor, at, by.Address(), by.Device()
	return func(tx publish.Tx, userID string, _ []string) error {
		change.UserID = userID
		return s.events.PublishAccountEvent(ctx, tx, change)
	}
}
