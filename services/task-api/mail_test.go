package main

import (
	"encoding/json"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
)

// inbox is a session of a real SMTP server, which gives the mails to the test.
type inbox struct{ mails chan string }

func (inbox) Mail(string, *gosmtp.MailOptions) error { return nil }
func (inbox) Rcpt(string, *gosmtp.RcptOptions) error { return nil }
func (i inbox) Data(r io.Reader) error {
	raw, err := io.ReadAll(quotedprintable.NewReader(r))
	i.mails <- string(raw)
	return err
}
func (inbox) Reset()        {}
func (inbox) Logout() error { return nil }

func TestMailsReachAnSMTPServerAndTheirLinksWork(t *testing.T) {
	t.Parallel()
	box := inbox{make(chan string, 10)}
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return box, nil }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	s := start(t, false, func(cfg *settings) {
		cfg.SMTPURL, cfg.SMTPFrom, cfg.PublicURL = "smtp://"+listener.Addr().String(), "Taskwire <noreply@example.com>", "https://tasks.example.com"
	})
	s.await(http.StatusNotFound, s.public+"/api/v1/nothing")
	call := func(want int, path, body string, headers ...string) (answer struct {
		User struct {
			EmailVerified bool `json:"email_verified"`
		}
		AccessToken string `json:"access_token"`
	}) {
		t.Helper()
		status, _, text := s.call("POST", s.public+"/api/v1"+path, body, append(headers, "Content-Type", "application/json")...)
		if status != want {
			t.Fatalf("POST %s: got %d %s, want %d", path, status, text, want)
		}
		if text != "" {
			if err := json.Unmarshal([]byte(text), &answer); err != nil {
				t.Fatal(err)
			}
		}
		return answer
	}
	link := regexp.MustCompile(`https://tasks\.example\.com/docs/account#(verify|recover)=([\w-]+)`)
	token := func(kind string) string {
		t.Helper()
		select {
		case mail := <-box.mails:
			if m := link.FindStringSubmatch(mail); m != nil && m[1] == kind {
				return m[2]
			}
			t.Fatalf("got the mail %s, want a link to %s", mail, kind)
		case <-time.After(time.Minute):
			t.Fatalf("got no mail to %s", kind)
		}
		return ""
	}
	in := call(http.StatusCreated, "/auth/register", `{"email":"ada@example.com","password":"correct horse"}`)
	if in.User.EmailVerified {
		t.Error("a new account: got a verified e-mail")
	}
	call(http.StatusOK, "/auth/verify-email", `{"token":"`+token("verify")+`"}`)
	call(http.StatusConflict, "/me/verify-email", "", "Authorization", "Bearer "+in.AccessToken)
	call(http.StatusAccepted, "/auth/recover", `{"email":"nobody@example.com"}`)
	call(http.StatusAccepted, "/auth/recover", `{"email":"ada@example.com"}`)
	reset := token("recover")
	call(http.StatusUnprocessableEntity, "/auth/reset-password", `{"token":"`+reset+`","new_password":"12345678"}`)
	if got := call(http.StatusOK, "/auth/reset-password", `{"token":"`+reset+`","new_password":"battery staple"}`); !got.User.EmailVerified || got.AccessToken == "" {
		t.Errorf("reset: got %+v, want a session of the verified account", got)
	}
	call(http.StatusGone, "/auth/reset-password", `{"token":"`+reset+`","new_password":"battery staple"}`)
	call(http.StatusUnauthorized, "/auth/login", `{"email":"ada@example.com","password":"correct horse"}`)
	call(http.StatusOK, "/auth/login", `{"email":"ada@example.com","password":"battery staple"}`)
	if log := s.log.String(); strings.Contains(log, reset) {
		t.Error("the log has the token of a link")
	}
}

func TestAWrongMailServerEndsTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ url, from, public, want string }{
		"no scheme":     {"mail.example.com", "a@example.com", "https://x.example", "SMTP_URL"},
		"no sender":     {"smtp://u:secret@mail.example.com", "", "https://x.example", "sender"},
		"no public URL": {"smtp://u:secret@mail.example.com", "a@example.com", "", "PUBLIC_URL"},
	} {
		_, err := newMailer(settings{SMTPURL: c.url, SMTPFrom: c.from, PublicURL: c.public}, nil, nil, nil, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: got %v, want an error that names %s", name, err, c.want)
		}
	}
	if m, err := newMailer(settings{}, nil, nil, nil, nil); m != nil || err != nil {
		t.Errorf("no mail server: got %v %v, want none", m, err)
	}
}
