package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/email"
	"github.com/taskwire/taskwire/services/task-api/internal/passwords"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

var (
	// ErrLink means that a link is not valid: it was used, has expired, or the account has changed since it was sent.
	ErrLink = errors.New("the link is not valid any more")
	// ErrNoMail means that the service sends no mail.
	ErrNoMail = errors.New("this server sends no e-mail")
	// ErrMailsFull means that too many mails wait to be sent.
	ErrMailsFull = errors.New("too many mails are waiting")
	// ErrVerified means that the e-mail is verified already.
	ErrVerified = errors.New("the e-mail is verified")
)

var (
	// PerAddressMail bounds the mails that one address makes the service send, to all accounts together.
	PerAddressMail = Rate{Burst: 10, Every: time.Minute}
	// PerAccountMail bounds the mails of one kind to one e-mail. A stranger who asks without end cannot keep the owner from
	// getting a valid link, because a link to set a password lives longer than Every.
	PerAccountMail = Rate{Burst: 3, Every: 30 * time.Minute}
)

// MaxMails bounds the mails that wait, while the mail server does not answer.
const MaxMails = 10_000

// UseMail makes the service send mails. Without it, the methods of this file return ErrNoMail.
func (s *Service) UseMail(m *Mailer) { s.mail = m }

// RequestRecovery sends a link to set a new password, if the e-mail has an account. Nothing that the caller can see depends on
// that: the same row is written in either case, and the sender looks for the account later. The error is a *LimitError for too
// many requests from an address, or ErrMailsFull.
func (s *Service) RequestRecovery(ctx context.Context, address string, by Client) error {
	if s.mail == nil {
		return ErrNoMail
	}
	if wait, ok := s.mails.Allow(by.key()); !ok {
		return &LimitError{RetryAfter: wait}
	}
	canonical, problem := email.Canonical(address)
	if problem != "" {
		return invalid("email", problem)
	}
	_, err := s.queueMail(ctx, canonical, MailRecover)
	return err
}

// RequestVerification sends a link to verify the e-mail of an account. The error is ErrVerified, or a *LimitError if a mail was
// sent or is waiting.
func (s *Service) RequestVerification(ctx context.Context, userID string, by Client) error {
	u, err := s.store.User(ctx, userID)
	if err != nil {
		return err
	}
	if s.mail == nil {
		return ErrNoMail
	}
	if wait, ok := s.mails.Allow(by.key()); !ok {
		return &LimitError{RetryAfter: wait}
	}
	if u.EmailVerified {
		return ErrVerified
	}
	queued, err := s.queueMail(ctx, u.Email, MailVerify)
	if err == nil && !queued {
		err = &LimitError{RetryAfter: PerAccountMail.Every}
	}
	return err
}

// welcomes reports whether a new account gets a mail to verify its e-mail. The account is valid without it, so too many
// registrations from one address send none.
func (s *Service) welcomes(by Client) bool {
	if s.mail == nil {
		return false
	}
	_, ok := s.mails.Allow(by.key())
	return ok
}

func (s *Service) queueMail(ctx context.Context, address string, kind MailKind) (queued bool, err error) {
	queued, err = s.store.QueueMail(ctx, address, kind, s.now(), MaxMails)
	if queued {
		s.mail.wake()
	}
	return queued, err
}

// VerifyEmail marks an e-mail as verified by the token of its link, once. The error is ErrLink.
func (s *Service) VerifyEmail(ctx context.Context, token string, by Client) (User, error) {
	u, hash, err := s.follow(ctx, token, MailVerify)
	if err != nil {
		return User{}, err
	}
	if err := s.verified(ctx, u, hash, by); err != nil {
		return User{}, err
	}
	u.EmailVerified = true
	return u, nil
}

// verified marks the e-mail of an account as verified. The error is ErrLink if it is already, or if the account has changed.
func (s *Service) verified(ctx context.Context, u User, hash string, by Client) error {
	now := s.instant()
	record, _ := s.recorder(ctx, publish.AccountChange{Type: events.AccountEmailVerified, Actor: u.ID}, by, now)
	if err := s.store.VerifyEmail(ctx, u, hash, now, record); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "verified an e-mail", "user_id", u.ID, "address", by.Address())
	return nil
}

// ResetPassword sets a new password by the token of a link, once. It ends every log-in of the account, starts a new one, and
// returns its tokens. It also revokes the API tokens: the one who had the account before may have made some. The mail has reached the user, so the e-mail is verified as well. The error is ErrLink, or a *domain.Invalid
// for a password that is too easy to guess; the link is then still valid.
func (s *Service) ResetPassword(ctx context.Context, token, next string, by Client) (Session, error) {
	// What holds for every account is said first, also to a link that is not valid any more.
	if message := passwords.Problem(next, passwords.Owner{}); message != "" {
		return Session{}, invalid("new_password", message)
	}
	u, old, err := s.follow(ctx, token, MailRecover)
	if err != nil {
		return Session{}, err
	}
	if message := passwords.Problem(next, passwords.Owner{Email: u.Email, Name: u.Name}); message != "" {
		return Session{}, invalid("new_password", message)
	}
	session, err := s.setPassword(ctx, u.ID, old, next, true, by)
	if errors.Is(err, ErrWrong) { // another request changed it after the check
		return Session{}, ErrLink
	}
	if err != nil || u.EmailVerified {
		return session, err
	}
	hash, err := s.store.PasswordHash(ctx, u.ID)
	if err == nil {
		err = s.verified(ctx, u, hash, by)
	}
	if err != nil { // the password is set: that the e-mail is verified can be shown again
		s.log.WarnContext(ctx, "an e-mail was not marked as verified after a recovery", "user_id", u.ID, "error", err.Error())
		return session, nil
	}
	session.User.EmailVerified = true
	return session, nil
}

// follow returns the account of a link's token with its password hash, or ErrLink.
func (s *Service) follow(ctx context.Context, token string, kind MailKind) (u User, hash string, err error) {
	if s.mail == nil {
		return User{}, "", ErrNoMail
	}
	k, ok := parseLink(token)
	if !ok {
		return User{}, "", ErrLink
	}
	u, err = s.store.User(ctx, k.userID)
	if err == nil {
		hash, err = s.store.PasswordHash(ctx, k.userID)
	}
	if errors.Is(err, ErrNoUser) {
		return User{}, "", ErrLink
	}
	if err != nil {
		return User{}, "", err
	}
	if !s.mail.links.valid(k, kind, u, hash, s.now()) {
		return User{}, "", ErrLink
	}
	return u, hash, nil
}
