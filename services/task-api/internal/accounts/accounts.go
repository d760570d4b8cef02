package accounts

import (
	"context"
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
	RefreshToken string `json:"refresh_token,omitempty"` // empty if it is in a cookie
	SessionID    string `json:"session_id"`
	ExpiresIn    int64  `json:"expires_in"` // seconds until the access token expires
	TokenType    string `json:"token_type"`
}

// Signer signs access tokens.
type Signer interface {
	Sign(userID, role, sessionID string, now time.Time) (token string, expiresIn time.Duration, err error)
}

// Events makes the events of accounts and of reminders.
type Events interface {
	PublishAccountEvent(ctx context.Context, tx publish.Tx, c publish.AccountChange) error
	PublishReminderEvent(ctx context.Context, tx publish.Tx, c publish.Change) (publish.Made, error)
}

// Service implements the use cases of accounts. It is safe for concurrent use.
type Service struct {
	store   Store
	hasher  *Hasher
	signer  Signer
	events  Events
	log     *slog.Logger
	now     func() time.Time
	revoked func(Revocation) // called after the commit

	refreshes *Limiter // by account
	refused   *refusals
	limited   *Limiter // by address
	brake     *brake
	mail      *Mailer  // nil if the service sends no mail
	mails     *Limiter // requests for mails, by address
}

// New returns the service.
func New(store Store, hasher *Hasher, signer Signer, made Events, log *slog.Logger, now func() time.Time) *Service {
	return &Service{
		store: store, hasher: hasher, signer: signer, events: made, log: log, now: now, revoked: func(Revocation) {},
		refreshes: NewLimiter(PerAccountRefresh, now), refused: newRefusals(), limited: NewLimiter(limitLines, now),
		brake: newBrake(now), mails: NewLimiter(PerAddressMail, now),
	}
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
	now := s.instant()
	u := User{ID: id.String(), Email: r.Email, Name: r.Name, Timezone: r.Timezone, Role: auth.RoleUser, CreatedAt: now}
	token, login, err := newLogin(u.ID, hash, by, now)
	if err != nil {
		return Session{}, err
	}
	login.Welcome = s.welcomes(by)
	record, _ := s.recorder(ctx, publish.AccountChange{Type: events.AccountRegistered, SessionID: login.FamilyID, Actor: u.ID}, by, now)
	if err := s.store.CreateUser(ctx, u, hash, login, record); err != nil {
		return Session{}, err
	}
	s.remember(ctx, u.ID, by)
	if login.Welcome {
		s.mail.wake()
	}
	s.log.InfoContext(ctx, "registered", "user_id", u.ID, "session_id", login.FamilyID, "address", by.Address())
	return s.session(u, login.FamilyID, token, now)
}

// Login starts a session, or returns ErrWrong. A refusal is recorded later and not here, so that its time does not reveal whether
// there is an account.
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
		s.refuse(ctx, u.ID, by)
		return Session{}, ErrWrong
	}
	now := s.instant()
	token, login, err := newLogin(u.ID, hash, by, now)
	if err != nil {
		return Session{}, err
	}
	record, ended := s.recorder(ctx, publish.AccountChange{Type: events.AccountLoggedIn, SessionID: login.FamilyID, Actor: u.ID, EndReason: ReasonTooMany}, by, now)
	if err := s.store.StartLogin(ctx, login, record); err != nil {
		return Session{}, err
	}
	s.remember(ctx, u.ID, by)
	s.sessionsEnded(u.ID, now, *ended)
	s.log.InfoContext(ctx, "logged in", "user_id", u.ID, "session_id", login.FamilyID, "address", by.Address())
	return s.session(u, login.FamilyID, token, now)
}

// Refresh exchanges a refresh token for its successor and a new access token. The same token within GracePeriod returns the same
// successor. The error is ErrRefused, or a *LimitError, after which the token is still valid.
func (s *Service) Refresh(ctx context.Context, text string, by Client) (Session, error) {
	token, ok := parseToken(text)
	if !ok {
		return Session{}, ErrRefused
	}
	fresh, err := newToken()
	if err != nil {
		return Session{}, err
	}
	now := s.instant()
	var user User
	var family string
	var next refreshToken
	var revoked string
	record, ended := s.recorder(ctx, publish.AccountChange{Type: events.AccountSessionEnded, EndReason: reasonReused}, by, now)
	err = s.store.Rotate(ctx, token.hash(), func(t Stored) (Rotation, error) {
		user, family = t.User, t.FamilyID
		if t.Dead || !now.Before(t.ExpiresAt) {
			return Rotation{}, ErrRefused // not counted: the holder of an ended session must not use up the owner's refreshes
		}
		if wait, ok := s.refreshes.Allow(user.ID); !ok {
			return Rotation{}, &LimitError{RetryAfter: wait}
		}
		switch {
		case t.RotatedAt == nil:
			next = fresh
			sealed := token.seal(fresh)
			return Rotation{Next: fresh.hash(), Sealed: sealed[:], At: now, ExpiresAt: now.Add(RefreshLifetime), Client: by}, nil
		case !t.SuccessorUsed && now.Sub(*t.RotatedAt) <= GracePeriod && len(t.Sealed) == tokenBytes:
			next = token.seal(refreshToken(t.Sealed))
			return Rotation{}, nil
		}
		revoked = reasonReused
		return Rotation{Revoke: revoked, At: now}, nil
	}, record)
	if err != nil {
		return Session{}, err
	}
	if revoked != "" {
		s.sessionsEnded(user.ID, now, *ended)
		s.log.WarnContext(ctx, "ended a session: "+revoked, "user_id", user.ID, "session_id", family, "address", by.Address())
		return Session{}, ErrRefused
	}
	return s.session(user, family, next, now)
}

// Logout ends the session of a refresh token. It is not an error if the session has ended already or does not exist.
func (s *Service) Logout(ctx context.Context, text string, by Client) error {
	token, ok := parseToken(text)
	if !ok {
		return nil
	}
	now := s.instant()
	var user, session string
	change := publish.AccountChange{Type: events.AccountLoggedOut, EndReason: reasonLoggedOut, At: now, Address: by.Address(), Device: by.Device()}
	err := s.store.Revoke(ctx, token.hash(), reasonLoggedOut, now, func(tx publish.Tx, userID string, ended []string) error {
		user, session = userID, ended[0]
		change.UserID, change.Actor, change.SessionID, change.Ended = userID, userID, session, ended
		return s.events.PublishAccountEvent(ctx, tx, change)
	})
	if err != nil || session == "" {
		return err
	}
	s.sessionsEnded(user, now, []string{session})
	s.log.InfoContext(ctx, "logged out", "user_id", user, "session_id", session, "address", by.Address())
	return nil
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
		_, err := s.events.PublishReminderEvent(ctx, tx, publish.Change{Task: next, Type: events.Scheduled, Actor: id, Zone: *p.Timezone})
		return err
	})
}

func newLogin(userID, hash string, by Client, now time.Time) (refreshToken, Login, error) {
	token, err := newToken()
	if err != nil {
		return token, Login{}, err
	}
	family, err := uuid.NewV7()
	if err != nil {
		return token, Login{}, fmt.Errorf("make family id: %w", err)
	}
	return token, Login{FamilyID: family.String(), UserID: userID, Password: hash, Hash: token.hash(), At: now, ExpiresAt: now.Add(RefreshLifetime), Client: by}, nil
}

func (s *Service) session(u User, familyID string, token refreshToken, now time.Time) (Session, error) {
	access, expires, err := s.signer.Sign(u.ID, u.Role, familyID, now)
	if err != nil {
		return Session{}, fmt.Errorf("sign access token: %w", err)
	}
	return Session{User: u, AccessToken: access, RefreshToken: token.text(), SessionID: familyID, ExpiresIn: int64(expires.Seconds()), TokenType: "Bearer"}, nil
}
