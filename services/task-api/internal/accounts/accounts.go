package accounts

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
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

var (
	// ErrEmailTaken means that the e-mail has an account. Register does not return it: see there.
	ErrEmailTaken = errors.New("the e-mail is taken")
	// ErrWrong means that e-mail and password do not match. It does not reveal which is wrong, or whether there is an account.
	ErrWrong = errors.New("e-mail or password is wrong")
	// ErrRefused means that a refresh token is not valid, or no longer valid.
	ErrRefused = errors.New("the refresh token is not valid")
	// ErrNoUser means that the account does not exist.
	ErrNoUser = errors.New("no such user")
	// ErrNoPassword means that the account has no password: its user logs in with the OIDC issuer.
	ErrNoPassword = errors.New("the account has no password")
)

// User is an account, with what its owner may see.
type User struct {
	ID            string    `json:"id"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	Name          string    `json:"name"`
	Timezone      string    `json:"timezone"`
	Role          string    `json:"role"`
	CreatedAt     time.Time `json:"created_at"`
}

// Session is the result of a registration, a log-in or a refresh.
type Session struct {
	User         User   `json:"user"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds until the access token expires
	TokenType    string `json:"token_type"`
}

// Login is a new token family with its first refresh token.
type Login struct {
	FamilyID  string
	UserID    string
	Password  string // the password hash that was checked: the log-in starts only if the account still has it
	Hash      [sha256.Size]byte
	At        time.Time
	ExpiresAt time.Time
}

// Stored is a stored refresh token, whose row is locked.
type Stored struct {
	User          User
	FamilyID      string
	RotatedAt     *time.Time // nil if the token is unused
	Sealed        []byte     // the encrypted successor
	SuccessorUsed bool
	Dead          bool // whether the family is revoked
	ExpiresAt     time.Time
}

// Rotation is the decision about a presented token. If Revoke is set, its family is revoked for that reason. Otherwise, if Sealed
// is set, the token is used and Next replaces it. Otherwise nothing changes.
type Rotation struct {
	Revoke    string
	Next      [sha256.Size]byte
	Sealed    []byte
	At        time.Time
	ExpiresAt time.Time
}

// Store keeps accounts. Implementations return this package's errors.
type Store interface {
	Devices
	Mails
	// CreateUser creates the account and its first log-in, or returns ErrEmailTaken.
	CreateUser(ctx context.Context, u User, passwordHash string, l Login) error
	// UserByEmail returns the user with one of these e-mails, the first one if both exist, or ErrNoUser.
	UserByEmail(ctx context.Context, emails ...string) (u User, passwordHash string, err error)
	// User returns ErrNoUser if there is none.
	User(ctx context.Context, id string) (User, error)
	// UpdateUser changes name and timezone. It leaves a nil value unchanged. If the zone changes and a reminder of the user is
	// still to come, it calls moved with the first such task, in the same transaction.
	UpdateUser(ctx context.Context, id string, name, timezone *string, now time.Time, moved func(publish.Tx, domain.Task) error) (User, error)
	// Exists reports whether the user exists.
	Exists(ctx context.Context, id string) (bool, error)
	// Provision creates an account without a password, once. It returns ErrNoUser if the data of the user's earlier account is
	// still being removed, or if the token was issued before that account was deleted.
	Provision(ctx context.Context, u User, issued time.Time) error
	// StartLogin starts a family. It returns ErrWrong if the account has another password by now, or does not exist.
	StartLogin(ctx context.Context, l Login) error
	// PasswordHash returns the hash of the user's password, "" for an account without one, or ErrNoUser.
	PasswordHash(ctx context.Context, id string) (string, error)
	// ChangePassword replaces the hash old with that of the new log-in l, ends all other log-ins and starts l, in one
	// transaction. It returns ErrWrong if the account has another password by now, or does not exist.
	ChangePassword(ctx context.Context, old string, l Login) error
	// DeleteUser deletes the account and all log-ins, and schedules the deletion of its data, in one transaction. It returns
	// ErrWrong if the account's hash is no longer passwordHash ("" for an account without one), or if there is no account.
	DeleteUser(ctx context.Context, id, passwordHash string, now time.Time) error
	// Rotate locks the token, calls decide and applies the decision, in one transaction that is committed before Rotate
	// returns. It returns ErrRefused if there is no such token.
	Rotate(ctx context.Context, hash [sha256.Size]byte, decide func(Stored) (Rotation, error)) error
	// Revoke revokes the family of a token. An unknown token is not an error.
	Revoke(ctx context.Context, hash [sha256.Size]byte, reason string, now time.Time) error
}

// Signer signs access tokens.
type Signer interface {
	Sign(userID, role, sessionID string, now time.Time) (token string, expiresIn time.Duration, err error)
}

// Reminders makes the events of reminders.
type Reminders interface {
	PublishReminderEvent(ctx context.Context, tx publish.Tx, c publish.Change) (publish.Made, error)
}

// Service implements the use cases of accounts. It is safe for concurrent use.
type Service struct {
	store     Store
	hasher    *Hasher
	signer    Signer
	reminders Reminders
	log       *slog.Logger
	now       func() time.Time

	refreshes *Limiter // by account
	brake     *brake
	mail      *Mailer  // nil if the service sends no mail
	mails     *Limiter // requests for mails, by address
}

// New returns the service.
func New(store Store, hasher *Hasher, signer Signer, reminders Reminders, log *slog.Logger, now func() time.Time) *Service {
	return &Service{store: store, hasher: hasher, signer: signer, reminders: reminders, log: log, now: now, refreshes: NewLimiter(PerAccountRefresh, now), brake: newBrake(now), mails: NewLimiter(PerAddressMail, now)}
}

// Register creates an account and logs in. If the e-mail already has an account, Register is a log-in, and made is false: so a
// client can repeat a registration whose answer was lost. With a wrong password it then returns ErrWrong, like Login and after
// the same work, so that a refusal does not reveal whether there is an account.
func (s *Service) Register(ctx context.Context, r Registration, by Client) (session Session, made bool, err error) {
	if err := r.check(); err != nil {
		return Session{}, false, err
	}
	_, _, err = s.store.UserByEmail(ctx, spellings(r.Email)...)
	if errors.Is(err, ErrNoUser) {
		session, err = s.create(ctx, r, by)
		if !errors.Is(err, ErrEmailTaken) {
			return session, err == nil, err
		}
		err = nil // another request created the account first
	}
	if err == nil {
		session, err = s.Login(ctx, r.Email, r.Password, by)
	}
	return session, false, err
}

func (s *Service) create(ctx context.Context, r Registration, by Client) (Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Session{}, fmt.Errorf("make user id: %w", err)
	}
	hash, err := s.hasher.Hash(ctx, s.hasher.Turn(by.key(), false), r.Password)
	if err != nil {
		return Session{}, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	u := User{ID: id.String(), Email: r.Email, Name: r.Name, Timezone: r.Timezone, Role: auth.RoleUser, CreatedAt: now}
	token, login, err := newLogin(u.ID, hash, now)
	if err != nil {
		return Session{}, err
	}
	if err := s.store.CreateUser(ctx, u, hash, login); err != nil {
		return Session{}, err
	}
	s.remember(ctx, u.ID, by)
	s.welcome(ctx, u, by)
	s.log.InfoContext(ctx, "registered", "user_id", u.ID)
	return s.session(u, login.FamilyID, token, now)
}

// Login starts a token family, or returns ErrWrong.
func (s *Service) Login(ctx context.Context, email, password string, by Client) (Session, error) {
	u, hash, err := s.store.UserByEmail(ctx, spellings(email)...)
	if err != nil && !errors.Is(err, ErrNoUser) {
		return Session{}, err
	}
	ok, err := s.guess(ctx, EmailKey(email), u.ID, hash, password, by)
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
	s.remember(ctx, u.ID, by)
	return s.session(u, login.FamilyID, token, now)
}

// Refresh exchanges a refresh token for its successor and a new access token. The same token within GracePeriod returns the same
// successor. The error is ErrRefused, or a *LimitError, after which the token is still valid.
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
	var family string
	var next refreshToken
	var revoked string
	err = s.store.Rotate(ctx, token.hash(), func(t Stored) (Rotation, error) {
		user, family = t.User, t.FamilyID
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
	return s.session(user, family, next, now)
}

// Logout revokes the family of a token. It is not an error if the family is revoked already or does not exist.
func (s *Service) Logout(ctx context.Context, text string) error {
	token, ok := parseToken(text)
	if !ok {
		return nil
	}
	return s.store.Revoke(ctx, token.hash(), "logged out", s.now())
}

// User returns the account, or ErrNoUser.
func (s *Service) User(ctx context.Context, id string) (User, error) { return s.store.User(ctx, id) }

// Update changes the name and the time zone of an account. The error is a *domain.Invalid or ErrNoUser.
//
// The texts of reminders are in the user's zone, which the notification service learns from the events of reminders. So a
// new zone is sent with the event of one reminder that is still to come. That event changes nothing else.
func (s *Service) Update(ctx context.Context, id string, p Profile) (User, error) {
	if err := p.check(); err != nil {
		return User{}, err
	}
	now := s.now()
	return s.store.UpdateUser(ctx, id, p.Name, p.Timezone, now, func(tx publish.Tx, next domain.Task) error {
		next.UpdatedAt = domain.Instant(now) // the time of the event
		_, err := s.reminders.PublishReminderEvent(ctx, tx, publish.Change{Task: next, Type: events.Scheduled, Actor: id, Zone: *p.Timezone})
		return err
	})
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

func (s *Service) session(u User, familyID string, token refreshToken, now time.Time) (Session, error) {
	access, expires, err := s.signer.Sign(u.ID, u.Role, familyID, now)
	if err != nil {
		return Session{}, fmt.Errorf("sign access token: %w", err)
	}
	return Session{User: u, AccessToken: access, RefreshToken: token.text(), ExpiresIn: int64(expires.Seconds()), TokenType: "Bearer"}, nil
}
