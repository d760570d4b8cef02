package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

const (
	// sendTimeout bounds one attempt to send a mail. A server that does not answer must not hold the other mails up for long.
	sendTimeout = 30 * time.Second
	// mailLease is the time after which another process may send a claimed mail: longer than an attempt, so only a process
	// that has died loses its claim.
	mailLease = 2 * sendTimeout
	// recordTimeout bounds the statement that records the outcome of an attempt.
	recordTimeout = 5 * time.Second
	// mailPoll is how often a replica looks for mails that no request has announced to it: those of others, and repetitions.
	mailPoll = 10 * time.Second
	// The waits after an attempt that failed for a while double from firstRetry to lastRetry. With maxAttempts a mail is given
	// up after about five hours, when its reader has asked again or gone.
	firstRetry  = 30 * time.Second
	lastRetry   = time.Hour
	maxAttempts = 12
)

// Mail is a mail that was claimed to be sent.
type Mail struct {
	Email     string
	Kind      MailKind
	Attempts  int       // with this one
	AllowedAt time.Time // tells this mail from earlier ones to the same e-mail
}

// Mails keeps the mails that are to be sent. They survive a crash.
type Mails interface {
	// QueueMail adds a mail, unless one of the kind waits already or PerAccountMail is reached. It reports whether it did.
	// It returns ErrMailsFull if at least most mails wait.
	QueueMail(ctx context.Context, email string, kind MailKind, now time.Time, most int) (queued bool, err error)
	// ClaimMail returns the mail that is due first. No other call returns it before the lease is over.
	ClaimMail(ctx context.Context, now time.Time, lease time.Duration) (m Mail, found bool, err error)
	// FinishMail says that a claimed mail is not to be sent again. It does nothing if the claim was lost.
	FinishMail(ctx context.Context, m Mail) error
	// RetryMail says when a claimed mail is to be tried again. It does nothing if the claim was lost.
	RetryMail(ctx context.Context, m Mail, at time.Time) error
	// ForgetMails removes the mails that were sent and do not count for a limit any more.
	ForgetMails(ctx context.Context, now time.Time) error
	// VerifyEmail marks the user's e-mail as verified. It returns ErrLink if it is already, or if the user has another e-mail
	// or password hash.
	VerifyEmail(ctx context.Context, u User, passwordHash string, now time.Time, record Record) error
}

// Sender gives a mail to a mail server. The error of a mail that no server will ever take is ErrUndeliverable. The id is the same
// if the same mail is sent again.
type Sender interface {
	Send(ctx context.Context, id, to, subject, text string) error
}

// ErrUndeliverable means that a mail server has refused a mail for good.
var ErrUndeliverable = errors.New("the mail cannot be delivered")

// Mailer sends the mails of accounts. A mail is sent at least once: if the process dies between the server's answer and the
// record of it, the mail is sent again, with a link that is valid too.
type Mailer struct {
	store  Store
	sender Sender
	links  Links
	page   string // the address of the page that the links lead to
	log    *slog.Logger
	now    func() time.Time
	awake  chan struct{} // buffers one signal
}

// NewMailer returns a mailer whose links lead to the server at the public address.
func NewMailer(store Store, sender Sender, links Links, public *url.URL, log *slog.Logger, now func() time.Time) *Mailer {
	return &Mailer{store: store, sender: sender, links: links, page: public.JoinPath("docs", "account").String(), log: log, now: now, awake: make(chan struct{}, 1)}
}

// wake makes Run look for a mail at once.
func (m *Mailer) wake() {
	select {
	case m.awake <- struct{}{}:
	default: // a signal is pending already
	}
}

// Run sends mails until ctx ends. It logs a failure and goes on.
func (m *Mailer) Run(ctx context.Context) error {
	tick := time.NewTicker(mailPoll)
	defer tick.Stop()
	for {
		sent, err := m.Step(ctx)
		if err != nil && ctx.Err() == nil {
			m.log.WarnContext(ctx, "could not take the next mail; trying again", "error", err.Error())
		}
		if sent && err == nil {
			continue
		}
		if err := m.store.ForgetMails(ctx, m.now()); err != nil && ctx.Err() == nil {
			m.log.WarnContext(ctx, "could not forget sent mails; trying again", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-m.awake:
		}
	}
}

// Step sends the mail that is due first and reports whether there was one. The error is one of the database.
func (m *Mailer) Step(ctx context.Context) (found bool, err error) {
	mail, found, err := m.store.ClaimMail(ctx, m.now(), mailLease)
	if err != nil || !found {
		return false, err
	}
	u, hash, err := m.store.UserByEmail(ctx, spellings(mail.Email)...)
	if errors.Is(err, ErrNoUser) || err == nil && mail.Kind == MailVerify && u.EmailVerified {
		return true, m.store.FinishMail(ctx, mail)
	}
	if err != nil {
		return true, err
	}
	subject, text, err := m.compose(mail, u, hash)
	if err != nil {
		return true, err
	}
	sending, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err = m.sender.Send(sending, mail.id(), u.Email, subject, text)
	// The outcome is recorded also while the process stops: the mail must not be sent again for that.
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer done()
	attrs := []any{"kind", string(mail.Kind), "user_id", u.ID, "attempt", mail.Attempts}
	switch {
	case err == nil:
		m.log.InfoContext(ctx, "sent a mail", attrs...)
		return true, m.store.FinishMail(ctx, mail)
	case errors.Is(err, ErrUndeliverable), mail.Attempts >= maxAttempts:
		m.log.WarnContext(ctx, "gave a mail up", append(attrs, "error", err.Error())...)
		return true, m.store.FinishMail(ctx, mail)
	}
	wait := min(lastRetry, firstRetry<<(mail.Attempts-1))
	m.log.WarnContext(ctx, "a mail was not sent; trying again", append(attrs, "error", err.Error(), "after", wait.String())...)
	return true, m.store.RetryMail(ctx, mail, m.now().Add(wait))
}

// id returns the same text for the same mail, so that a reader's program can tell a repetition.
func (m Mail) id() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", m.Email, m.Kind, m.AllowedAt.UnixMicro()))
	return hex.EncodeToString(sum[:16])
}

// compose returns a mail for the account as it is now. Its texts have nothing that a stranger could choose.
func (m *Mailer) compose(mail Mail, u User, hash string) (subject, text string, err error) {
	life := lifetimes[mail.Kind]
	token, err := m.links.token(mail.Kind, u, hash, m.now().Add(life))
	if err != nil {
		return "", "", err
	}
	address := m.page + "#" + string(mail.Kind) + "=" + token
	if mail.Kind == MailVerify {
		return "Confirm your e-mail address", fmt.Sprintf(verifyText, address, int(life.Hours())), nil
	}
	return "Choose a new password", fmt.Sprintf(recoverText, address, int(life.Minutes())), nil
}

const verifyText = `A Taskwire account was made with this e-mail address. To confirm that it is yours, open this page:

%s

The link works once, for %d hours. If you did not make the account, ignore this mail.
`

const recoverText = `Somebody asked for a new password for your Taskwire account. To choose one, open this page:

%s

The link works once, for %d minutes. It ends all log-ins of the account. If you did not ask for it, ignore this mail: your
password stays as it is.
`
