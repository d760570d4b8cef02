package accounts_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// postbox is the mail server of a rig. errs are its next answers.
type postbox struct {
	mu    sync.Mutex
	errs  []error
	mails []sent
}

type sent struct{ id, to, subject, text string }

func (p *postbox) Send(_ context.Context, id, to, subject, text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, sent{id, to, subject, text})
	if len(p.errs) == 0 {
		return nil
	}
	err := p.errs[0]
	p.errs = p.errs[1:]
	return err
}

var linkPattern = regexp.MustCompile(`https://tasks\.example\.com/docs/account#(verify|recover)=([\w-]+)`)

// link returns the token of the newest mail.
func (p *postbox) link(t *testing.T) string {
	t.Helper()
	if len(p.mails) == 0 {
		t.Fatal("got no mail")
	}
	m := linkPattern.FindStringSubmatch(p.mails[len(p.mails)-1].text)
	if m == nil {
		t.Fatalf("got the mail %q, want a link in it", p.mails[len(p.mails)-1].text)
	}
	return m[2]
}

// useMail gives the rig a mail server. send sends all mails that are due.
func (r *rig) useMail() (box *postbox, send func()) {
	r.t.Helper()
	links, err := accounts.NewLinks([]byte("a key of the tests"))
	if err != nil {
		r.t.Fatal(err)
	}
	box = &postbox{}
	mailer := accounts.NewMailer(r.store, box, links, &url.URL{Scheme: "https", Host: "tasks.example.com"}, slog.New(slog.DiscardHandler), r.now)
	r.UseMail(mailer)
	return box, func() {
		r.t.Helper()
		for {
			if found, err := mailer.Step(ctx); err != nil || !found {
				if err != nil {
					r.t.Fatal(err)
				}
				return
			}
		}
	}
}

func TestTheLinkOfAMailVerifiesTheEMailOnce(t *testing.T) {
	r := newRig(t)
	box, send := r.useMail()
	s := r.register("ada@example.com")
	send()
	if len(box.mails) != 1 || box.mails[0].to != "ada@example.com" || s.User.EmailVerified {
		t.Fatalf("after the registration: got %d mails and verified %v, want one and false", len(box.mails), s.User.EmailVerified)
	}
	token := box.link(t)
	changed := []byte(token)
	changed[40] ^= 1
	for name, bad := range map[string]string{"nothing": "", "no token": "x", "a cut one": token[4:], "a changed one": string(changed)} {
		if _, err := r.VerifyEmail(ctx, bad, here); !errors.Is(err, accounts.ErrLink) {
			t.Errorf("VerifyEmail with %s: got %v, want ErrLink", name, err)
		}
	}
	if _, err := r.ResetPassword(ctx, token, "battery staple", here); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("ResetPassword with the link to verify: got %v, want ErrLink", err)
	}
	if u, err := r.VerifyEmail(ctx, token, here); err != nil || !u.EmailVerified {
		t.Fatalf("VerifyEmail: got %+v %v", u, err)
	}
	u, err := r.User(ctx, s.User.ID)
	if err != nil || !u.EmailVerified {
		t.Errorf("User: got verified %v %v, want true", u.EmailVerified, err)
	}
	if _, err := r.VerifyEmail(ctx, token, here); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("VerifyEmail again: got %v, want ErrLink", err)
	}
	if err := r.RequestVerification(ctx, s.User.ID, here); !errors.Is(err, accounts.ErrVerified) {
		t.Errorf("RequestVerification: got %v, want ErrVerified", err)
	}
}

func TestTheLinkOfAMailSetsANewPasswordOnce(t *testing.T) {
	r := newRig(t)
	box, send := r.useMail()
	s := r.register("ada@example.com")
	send()
	ask := func(email string) {
		t.Helper()
		if err := r.RequestRecovery(ctx, email, here); err != nil {
			t.Fatalf("RequestRecovery(%s): %v", email, err)
		}
		send()
	}
	ask("nobody@example.com")
	if len(box.mails) != 1 {
		t.Errorf("for an e-mail without an account: got %d mails, want none but the first", len(box.mails))
	}
	ask("ADA@Example.com")
	token := box.link(t)
	_, err := r.ResetPassword(ctx, token, "password1", here)
	wantInvalid(t, "to a common password", "new_password", err)
	_, err = r.ResetPassword(ctx, token, "ada@example.com", here)
	wantInvalid(t, "to the e-mail", "new_password", err)
	const apiToken = "01890a5d-ac96-774b-bcce-b302099a8099" // made by a stranger who had the account
	err = r.db.Gorm.Exec(`INSERT INTO api_tokens (id, user_id, name, scope, hash, created_at, expires_at) VALUES (?, ?, 't', 'write', 'h', ?, ?)`,
		apiToken, s.User.ID, r.now(), r.now().AddDate(1, 0, 0)).Error
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.ResetPassword(ctx, token, "battery staple", here)
	if err != nil || in.User.ID != s.User.ID || !in.User.EmailVerified {
		t.Fatalf("ResetPassword: got %+v %v", in.User, err)
	}
	r.wantRefused("a session from before", s.RefreshToken)
	r.refresh(in.RefreshToken)
	if got := r.revocations(); !slices.Contains(got, "token "+apiToken) {
		t.Errorf("revocations: got %v, want the API token", got)
	}
	if got := r.described(s.User.ID); !slices.Contains(got, "token_revoked "+apiToken) {
		t.Errorf("events: got %v, want that of the API token", got)
	}
	if _, err := r.Login(ctx, "ada@example.com", "correct horse", here); !errors.Is(err, accounts.ErrWrong) {
		t.Errorf("Login with the old password: got %v, want ErrWrong", err)
	}
	if _, err := r.ResetPassword(ctx, token, "another staple", here); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("ResetPassword again: got %v, want ErrLink", err)
	}
}

func TestALinkEndsWithItsTimeAndWithThePassword(t *testing.T) {
	r := newRig(t)
	box, send := r.useMail()
	s := r.register("ada@example.com")
	send()
	verify := box.link(t)
	if err := r.RequestRecovery(ctx, "ada@example.com", here); err != nil {
		t.Fatal(err)
	}
	send()
	first := box.link(t)
	r.add(time.Hour + time.Second)
	if _, err := r.ResetPassword(ctx, first, "battery staple", here); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("after an hour: got %v, want ErrLink", err)
	}
	if err := r.RequestRecovery(ctx, "ada@example.com", here); err != nil {
		t.Fatal(err)
	}
	send()
	second := box.link(t)
	if _, err := r.ChangePassword(ctx, s.User.ID, "correct horse", "battery staple", here); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ResetPassword(ctx, second, "another staple", here); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("after a change of the password: got %v, want ErrLink", err)
	}
	if _, err := r.VerifyEmail(ctx, verify, here); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("the link to verify after a change of the password: got %v, want ErrLink", err)
	}
	if err := r.Delete(ctx, s.User.ID, "battery staple", here); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ResetPassword(ctx, second, "another staple", here); !errors.Is(err, accounts.ErrLink) {
		t.Errorf("after the deletion: got %v, want ErrLink", err)
	}
}

func TestAMailIsSentAgainUntilTheServerTakesOrRefusesIt(t *testing.T) {
	r := newRig(t)
	box, send := r.useMail()
	box.errs = []error{errors.New("busy"), errors.New("busy"), nil}
	r.register("ada@example.com")
	for range 4 {
		send()
		r.add(time.Hour)
	}
	if len(box.mails) != 3 || box.mails[0].id != box.mails[2].id {
		t.Errorf("two answers for a while: got %d attempts with the ids %v, want 3 with one id", len(box.mails), box.mails)
	}
	box.mails, box.errs = nil, []error{accounts.ErrUndeliverable}
	r.register("bob@example.com")
	for range 3 {
		send()
		r.add(time.Hour)
	}
	if len(box.mails) != 1 {
		t.Errorf("a refusal for good: got %d attempts, want 1", len(box.mails))
	}
	box.mails = nil
	for range 100 {
		box.errs = append(box.errs, errors.New("busy"))
	}
	r.register("eve@example.com")
	for range 20 {
		send()
		r.add(time.Hour + time.Minute)
	}
	if len(box.mails) != 12 {
		t.Errorf("a server that is never ready: got %d attempts, want 12", len(box.mails))
	}
}

// A process that dies after the server took the mail leaves a claim, which ends.
func TestAMailSurvivesTheDeathOfItsSender(t *testing.T) {
	r := newRig(t)
	box, send := r.useMail()
	r.register("ada@example.com")
	if _, found, err := r.store.ClaimMail(ctx, r.now(), time.Minute); err != nil || !found {
		t.Fatalf("ClaimMail: got %v %v", found, err)
	}
	send()
	if len(box.mails) != 0 {
		t.Error("while another process has the claim: got it sent twice")
	}
	r.add(time.Minute + time.Second)
	send()
	if len(box.mails) != 1 {
		t.Errorf("after the claim: got %d mails, want 1", len(box.mails))
	}
}

func TestMailsToOneAddressAreLimited(t *testing.T) {
	r := newRig(t)
	box, send := r.useMail()
	r.register("ada@example.com")
	send()
	box.mails = nil
	ask := func() {
		t.Helper()
		r.add(2 * accounts.PerAddressMail.Every)
		if err := r.RequestRecovery(ctx, "ada@example.com", here); err != nil {
			t.Fatal(err)
		}
		send()
	}
	for range 2 * accounts.PerAccountMail.Burst {
		ask()
	}
	if len(box.mails) != accounts.PerAccountMail.Burst {
		t.Errorf("at once: got %d mails, want %d", len(box.mails), accounts.PerAccountMail.Burst)
	}
	r.add(accounts.PerAccountMail.Every)
	ask()
	ask()
	if len(box.mails) != accounts.PerAccountMail.Burst+1 {
		t.Errorf("later: got %d mails, want one more", len(box.mails))
	}
	var limited *accounts.LimitError
	for range accounts.PerAddressMail.Burst + 1 {
		if err := r.RequestRecovery(ctx, "x@example.com", at("198.51.100.9")); err != nil && !errors.As(err, &limited) {
			t.Fatal(err)
		}
	}
	if limited == nil {
		t.Errorf("%d requests from one address: got no *LimitError", accounts.PerAddressMail.Burst+1)
	}
}

func TestAFullQueueOfMailsRefusesMore(t *testing.T) {
	r := newRig(t)
	queue := func(email string) (bool, error) {
		return r.store.QueueMail(ctx, email, accounts.MailRecover, r.now(), 2)
	}
	for _, email := range []string{"a@example.com", "b@example.com"} {
		if queued, err := queue(email); err != nil || !queued {
			t.Fatalf("QueueMail(%s): got %v %v", email, queued, err)
		}
	}
	if _, err := queue("c@example.com"); !errors.Is(err, accounts.ErrMailsFull) {
		t.Errorf("QueueMail beyond the bound: got %v, want ErrMailsFull", err)
	}
}

func TestWithoutAMailServerNothingIsPromised(t *testing.T) {
	r := newRig(t)
	s := r.register("ada@example.com")
	_, verify := r.VerifyEmail(ctx, "x", here)
	_, reset := r.ResetPassword(ctx, "x", "battery staple", here)
	for name, err := range map[string]error{
		"RequestRecovery":     r.RequestRecovery(ctx, "ada@example.com", here),
		"RequestVerification": r.RequestVerification(ctx, s.User.ID, here),
		"VerifyEmail":         verify, "ResetPassword": reset,
	} {
		if !errors.Is(err, accounts.ErrNoMail) {
			t.Errorf("%s: got %v, want ErrNoMail", name, err)
		}
	}
}

func TestAMailHasNothingThatAStrangerChose(t *testing.T) {
	r := newRig(t)
	box, send := r.useMail()
	if _, _, err := r.Register(ctx, accounts.Registration{Email: "victim@example.com", Password: "correct horse", Name: "Buy at http://evil.example"}, here); err != nil {
		t.Fatal(err)
	}
	send()
	if text := box.mails[0].subject + box.mails[0].text; strings.Contains(text, "evil") {
		t.Errorf("got the mail %q, want it without the name", text)
	}
}
