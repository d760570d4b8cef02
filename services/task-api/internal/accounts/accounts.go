package accounts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

var (
	// ErrEmailTaken says that the e-mail has an account. It never leaves this package: see Register.
	ErrEmailTaken = errors.New("the e-mail is taken")
	// ErrWrong says that e-mail and password do not fit, without saying which, or whether there is an account.
	ErrWrong = errors.New("e-mail or password is wrong")
	// ErrRefused says that a refresh token is not good, or not any more.
	ErrRefused = errors.New("the refresh token is not valid")
	// ErrNoUser says that the account is gone.
	ErrNoUser = errors.New("no such user")
	// ErrNoPassword says that the account has no password: its user logs in with the OIDC issuer.
	ErrNoPassword = errors.New("the account has no password")
)

// RoleUser is what everybody is who registers. RoleAuditor, who sees every audit entry, is given by the operator.
const (
	RoleUser    = "user"
	RoleAuditor = "auditor"
)

// User is an account as its owner sees it.
type User struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Timezone  string    `json:"timezone"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
}

// Session is the answer to registering, logging in and refreshing.
type Session struct {
	User         User   `json:"user"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds that the access token is good for
	TokenType    string `json:"token_type"`
}

// Login is a new family with its first token.
type Login struct {
	FamilyID  string
	UserID    string
	Password  string // the hash that was checked: the log-in begins only while it is the account's
	Hash      [sha256.Size]byte
	At        time.Time
	ExpiresAt time.Time
}

// Stored is a refresh token as it is stored, locked by the caller.
type Stored struct {
	User          User
	RotatedAt     *time.Time // nil: not used yet
	Sealed        []byte     // its successor
	SuccessorUsed bool
	Dead          bool // the family is revoked
	ExpiresAt     time.Time
}

// Rotation is what becomes of a presented token. With Revoke set its family dies of that reason; otherwise, with
// Sealed set, it is used up and Next takes its place; otherwise nothing changes.
type Rotation struct {
	Revoke    string
	Next      [sha256.Size]byte
	Sealed    []byte
	At        time.Time
	ExpiresAt time.Time
}

// Store keeps accounts. Implementations return this package's errors.
type Store interface {
	// CreateUser makes the account and its first log-in, or returns ErrEmailTaken.
	CreateUser(ctx context.Context, u User, passwordHash string, l Login) error
	// UserByEmail returns ErrNoUser where there is none.
	UserByEmail(ctx context.Context, email string) (u User, passwordHash string, err error)
	// User returns ErrNoUser where there is none.
	User(ctx context.Context, id string) (User, error)
	// UpdateUser changes name and timezone, each where it is not nil.
	UpdateUser(ctx context.Context, id string, name, timezone *string, now time.Time) (User, error)
	// Exists tells whether there is the user.
	Exists(ctx context.Context, id string) (bool, error)
	// Provision makes the account of a user without a password, once, or returns ErrNoUser where its earlier account's
	// data is still being removed, or the token, issued then, is not newer than its deletion.
	Provision(ctx context.Context, u User, issued time.Time) error
	// StartLogin begins a family, or returns ErrWrong where the account has another password by now, or is gone.
	StartLogin(ctx context.Context, l Login) error
	// PasswordHash returns the hash of the user's password, "" where it has none, ErrNoUser where there is no user.
	PasswordHash(ctx context.Context, id string) (string, error)
	// ChangePassword replaces the hash old by that of the new log-in l, ends all other log-ins and begins l, in one
	// transaction. ErrWrong where the account has another password by now, or is gone.
	ChangePassword(ctx context.Context, old string, l Login) error
	// DeleteUser ends the account if its hash is still passwordHash ("" for an account without one), with all log-ins,
	// and puts its data in line for removal, in one transaction. ErrWrong where it is another one, or the account is gone.
	DeleteUser(ctx context.Context, id, passwordHash string, now time.Time) error
	// Rotate locks the token, asks decide and does what it says, in one transaction that is committed before it
	// returns. ErrRefused where there is no such token.
	Rotate(ctx context.Context, hash [sha256.Size]byte, decide func(Stored) (Rotation, error)) error
	// Revoke ends the family of a token. An unknown token is no error.
	Revoke(ctx context.Context, hash [sha256.Size]byte, reason string, now time.Time) error
}

// Signer makes access tokens.
type Signer interface {
	Sign(userID, role string, now time.Time) (token string, expiresIn time.Duration, err error)
}

// Service is safe for concurrent use.
type Service struct {
	store  Store
	hasher *Hasher
	signer Signer
	log    *slog.Logger
	now    func() time.Time

	refreshes *Limiter // by account
}

// New makes the service.
func New(store Store, hasher *Hasher, signer Signer, log *slog.Logger, now func() time.Time) *Service {
	return &Service{store: store, hasher: hasher, signer: signer, log: log, now: now, refreshes: NewLimiter(PerAccountRefresh, now)}
}

// Register makes an account and logs it in. Where the e-mail has an account already it is a log-in: its password logs in
// (made is false), so that a registration whose answer was lost can be repeated; any other one is ErrWrong, as with
// Login and after the same work. So nobody learns from a refusal whether there is an account.
func (s *Service) Register(ctx context.Context, r Registration) (session Session, made bool, err error) {
	if err := r.check(); err != nil {
		return Session{}, false, err
	}
	_, _, err = s.store.UserByEmail(ctx, r.Email)
	if errors.Is(err, ErrNoUser) {
		session, err = s.create(ctx, r)
		if !errors.Is(err, ErrEmailTaken) {
			return session, err == nil, err
		}
		err = nil // another request was faster
	}
	if err == nil {
		session, err = s.Login(ctx, r.Email, r.Password)
	}
	return session, false, err
}

func (s *Service) create(ctx context.Context, r Registration) (Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Session{}, fmt.Errorf("make user id: %w", err)
	}
	hash, err := s.hasher.Hash(ctx, r.Password)
	if err != nil {
		return Session{}, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	u := User{ID: id.String(), Email: r.Email, Name: r.Name, Timezone: r.Timezone, Role: RoleUser, CreatedAt: now}
	token, login, err := newLogin(u.ID, hash, now)
	if err != nil {
		return Session{}, err
	}
	if err := s.store.CreateUser(ctx, u, hash, login); err != nil {
		return Session{}, err
	}
	s.log.InfoContext(ctx, "registered", "user_id", u.ID)
	return s.session(u, token, now)
}

// Login begins a family of tokens, or returns ErrWrong.
func (s *Service) Login(ctx context.Context, email, password string) (Session, error) {
	u, hash, err := s.store.UserByEmail(ctx, normalEmail(email))
	if err != nil && !errors.Is(err, ErrNoUser) {
		return Session{}, err
	}
	ok, err := s.hasher.Check(ctx, hash, password)
	if err != nil {
		return Session{}, err
	}
	if !ok {
		return Session{}, ErrWrong
	}
	now := s.now()
	token, login, err := newLogin(u.ID, hash, now)
	if err != nil {
		return Session{}, err
	}
	if err := s.store.StartLogin(ctx, login); err != nil {
		return Session{}, err
	}
	return s.session(u, token, now)
}

// Refresh takes a refresh token and gives its successor with a new access token, or ErrRefused, or a *LimitError, after
// which the token is as good as before. Presenting the same
// token again within GracePeriod gives the same successor.
func (s *Service) Refresh(ctx context.Context, text string) (Session, error) {
	token, ok := parseToken(text)
	if !ok {
		return Session{}, ErrRefused
	}
	fresh, err := newToken()
	if err != nil {
		return Session{}, err
	}
	now := s.now()
	var user User
	var next refreshToken
	var revoked string
	err = s.store.Rotate(ctx, token.hash(), func(t Stored) (Rotation, error) {
		user = t.User
		if wait, ok := s.refreshes.Allow(user.ID); !ok {
			return Rotation{}, &LimitError{RetryAfter: wait}
		}
		switch {
		case t.Dead || !now.Before(t.ExpiresAt):
			return Rotation{}, ErrRefused
		case t.RotatedAt == nil:
			next = fresh
			sealed := token.seal(fresh)
			return Rotation{Next: fresh.hash(), Sealed: sealed[:], At: now, ExpiresAt: now.Add(RefreshLifetime)}, nil
		case !t.SuccessorUsed && now.Sub(*t.RotatedAt) <= GracePeriod && len(t.Sealed) == tokenBytes:
			next = token.seal(refreshToken(t.Sealed))
			return Rotation{}, nil
		}
		revoked = "a used refresh token was presented again"
		return Rotation{Revoke: revoked, At: now}, nil
	})
	if err != nil {
		return Session{}, err
	}
	if revoked != "" {
		s.log.WarnContext(ctx, "ended a log-in: "+revoked, "user_id", user.ID)
		return Session{}, ErrRefused
	}
	return s.session(user, next, now)
}

// Logout ends the family of a token. It is no error when it has ended or never was.
func (s *Service) Logout(ctx context.Context, text string) error {
	token, ok := parseToken(text)
	if !ok {
		return nil
	}
	return s.store.Revoke(ctx, token.hash(), "logged out", s.now())
}

// User returns the account, or ErrNoUser.
func (s *Service) User(ctx context.Context, id string) (User, error) { return s.store.User(ctx, id) }

// Update changes what a user may change of its account.
func (s *Service) Update(ctx context.Context, id string, p Profile) (User, error) {
	if err := p.check(); err != nil {
		return User{}, err
	}
	return s.store.UpdateUser(ctx, id, p.Name, p.Timezone, s.now())
}

func newLogin(userID, hash string, now time.Time) (refreshToken, Login, error) {
	token, err := newToken()
	if err != nil {
		return token, Login{}, err
	}
	family, err := uuid.NewV7()
	if err != nil {
		return token, Login{}, fmt.Errorf("make family id: %w", err)
	}
	return token, Login{FamilyID: family.String(), UserID: userID, Password: hash, Hash: token.hash(), At: now, ExpiresAt: now.Add(RefreshLifetime)}, nil
}

func (s *Service) session(u User, token refreshToken, now time.Time) (Session, error) {
	access, expires, err := s.signer.Sign(u.ID, u.Role, now)
	if err != nil {
		return Session{}, fmt.Errorf("sign access token: %w", err)
	}
	return Session{User: u, AccessToken: access, RefreshToken: token.text(), ExpiresIn: int64(expires.Seconds()), TokenType: "Bearer"}, nil
}
