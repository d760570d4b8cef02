package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
)

// server is a real SMTP server in the test's process.
type server struct {
	addr  string
	roots *tls.Config

	mu    sync.Mutex
	mails []string // "FROM > TO: text"
	fail  map[string]error
	open  bool // it asks for no log-in
}

const user, password = "taskwire", "p@ss/word"

// serve starts a server. With implicit it speaks TLS from the beginning. tlsOff leaves TLS out.
func serve(t *testing.T, implicit, tlsOff bool, fail map[string]error) *server {
	t.Helper()
	web := httptest.NewUnstartedServer(nil) // brings a certificate for 127.0.0.1
	web.StartTLS()
	defer web.Close()
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	s := &server{roots: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, fail: fail, open: tlsOff}
	srv := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &session{server: s}, s.fail["hello"] }))
	srv.Domain, srv.AllowInsecureAuth, srv.EnableSMTPUTF8 = "test", tlsOff, true
	own := &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}
	if !tlsOff {
		srv.TLSConfig = own
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, own)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return s
}

type session struct {
	*server
	from, to string
	signed   bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, u, p string) error {
		if u != user || p != password {
			return gosmtp.ErrAuthFailed
		}
		s.signed = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *gosmtp.MailOptions) error {
	if !s.signed && !s.open {
		return gosmtp.ErrAuthRequired
	}
	s.from = from
	return s.fail["from"]
}
func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error { s.to = to; return s.fail["to"] }
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, s.from+" > "+s.to+": "+string(raw))
	return s.fail["data"]
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return s.fail["quit"] }

func (s *server) client(t *testing.T, scheme, login string) *Client {
	t.Helper()
	cfg, err := Parse(scheme+"://"+login+s.addr, "Taskwire <noreply@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	cfg.roots, cfg.local = s.roots, false // the server stands for one on another machine
	cfg.patience = 2 * time.Second
	return New(cfg)
}

const login = user + ":p%40ss%2Fword@"

func TestAMailIsSentOverTLSWithALogIn(t *testing.T) {
	t.Parallel()
	for scheme, implicit := range map[string]bool{"smtp": false, "smtps": true} {
		s := serve(t, implicit, false, nil)
		for to, rcpt := range map[string]string{"ada@example.org": "ada@example.org", "иван@почта.рф": "иван@xn--80a1acny.xn--p1ai"} {
			if err := s.client(t, scheme, login).Send(t.Context(), "id1", to, "Choose a new password", "Open https://example.com/docs/account#recover=abc"); err != nil {
				t.Errorf("%s: Send to %s: %v", scheme, to, err)
				continue
			}
			got := s.mails[len(s.mails)-1]
			for _, want := range []string{"noreply@example.com > " + rcpt + ": ", "Subject: Choose a new password", "Message-ID: <id1@taskwire>", "recover=3Dabc", "Auto-Submitted: auto-generated", `From: "Taskwire" <noreply@example.com>`} {
				if !strings.Contains(got, want) {
					t.Errorf("%s: got the mail %s, want it to have %s", scheme, got, want)
				}
			}
		}
	}
}

func TestOnlyARefusedMailIsUndeliverable(t *testing.T) {
	t.Parallel()
	smtpError := func(code int) error {
		return &gosmtp.SMTPError{Code: code, EnhancedCode: gosmtp.EnhancedCode{code / 100, 1, 1}, Message: "no"}
	}
	for name, c := range map[string]struct {
		fail     map[string]error
		login    string
		forGood  bool
		accepted bool
	}{
		"no such recipient":       {fail: map[string]error{"to": smtpError(550)}, forGood: true},
		"the mail is spam":        {fail: map[string]error{"data": smtpError(554)}, forGood: true},
		"recipient is greylisted": {fail: map[string]error{"to": smtpError(451)}},
		"the disk is full":        {fail: map[string]error{"data": smtpError(452)}},
		"the sender is refused":   {fail: map[string]error{"from": smtpError(550)}},
		"the server is closing":   {fail: map[string]error{"hello": smtpError(421)}},
		"a wrong password":        {login: user + ":wrong@"},
		"no log-in":               {login: "-"},
		"no goodbye":              {fail: map[string]error{"quit": errors.New("gone")}, accepted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, false, false, c.fail)
			if c.login == "" {
				c.login = login
			}
			err := s.client(t, "smtp", strings.TrimPrefix(c.login, "-")).Send(t.Context(), "id", "ada@example.org", "s", "a text with a secret link")
			if (err == nil) != c.accepted || errors.Is(err, accounts.ErrUndeliverable) != c.forGood {
				t.Errorf("Send: got %v, want undeliverable: %v, accepted: %v", err, c.forGood, c.accepted)
			}
			if err != nil && (strings.Contains(err.Error(), "p@ss") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("Send: got %v, want an error without secrets", err)
			}
		})
	}
}

func TestNoMailLeavesWithoutTLS(t *testing.T) {
	t.Parallel()
	plain := serve(t, false, true, nil)
	if err := plain.client(t, "smtp", login).Send(t.Context(), "id", "ada@example.org", "s", "t"); err == nil || len(plain.mails) > 0 {
		t.Errorf("to a server without STARTTLS: got %v and %d mails, want an error and none", err, len(plain.mails))
	}
	strange := serve(t, false, false, nil)
	c := strange.client(t, "smtp", login)
	c.cfg.roots = nil
	if err := c.Send(t.Context(), "id", "ada@example.org", "s", "t"); err == nil || len(strange.mails) > 0 {
		t.Errorf("to a server with an unknown certificate: got %v and %d mails, want an error and none", err, len(strange.mails))
	}
	cfg, err := Parse("smtp://"+plain.addr, "noreply@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := New(cfg).Send(t.Context(), "id", "ada@example.org", "s", "t"); err != nil || len(plain.mails) != 1 {
		t.Errorf("to a server without TLS on this machine: got %v and %d mails, want one", err, len(plain.mails))
	}
	if cfg, err = Parse("smtp://"+login+plain.addr, "noreply@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := New(cfg).Send(t.Context(), "id", "ada@example.org", "s", "t"); err == nil {
		t.Error("a password without TLS: got it sent, want an error")
	}
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close() // says nothing
		}
	}()
	s := &server{addr: l.Addr().String()}
	if err := s.client(t, "smtp", "").Send(t.Context(), "id", "ada@example.org", "s", "t"); err == nil || errors.Is(err, accounts.ErrUndeliverable) {
		t.Errorf("Send: got %v, want an error that may be repeated", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.client(t, "smtp", "").Send(gone, "id", "ada@example.org", "s", "t"); err == nil {
		t.Error("Send with a cancelled context: got no error")
	}
}

func TestAnAddressOfAServerIsReadOrRefused(t *testing.T) {
	t.Parallel()
	const from = "noreply@example.com"
	for address, want := range map[string]struct {
		port int
		tls  bool
	}{
		"smtp://u:p@mail.example.com": {587, false}, "smtps://u:p@mail.example.com": {465, true},
		"smtp://localhost:1025": {1025, false}, "smtps://u:p@[2001:db8::1]:2465/": {2465, true},
	} {
		cfg, err := Parse(address, from)
		if err != nil || cfg.port != want.port || cfg.tls != want.tls {
			t.Errorf("Parse(%q): got port %d, TLS %v, %v", address, cfg.port, cfg.tls, err)
		}
	}
	for _, address := range []string{
		"", "mail.example.com", "http://u:secret@h", "smtp://", "smtp://u:secret@h:0", "smtp://u:secret@h:65536", "smtp://u@h", "smtp://:secret@h",
		"smtp://u:secret@h/path", "smtp://u:secret@h?x=y", "smtp://u:secret@h:port", "smtp://u:sec%ret@h",
	} {
		if _, err := Parse(address, from); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Parse(%q): got %v, want an error without the password", address, err)
		}
	}
	for _, from := range []string{"", "noreply", "a@b@c", "no\nreply@example.com", "ad\u200ba@example.com"} {
		if _, err := Parse("smtp://h", from); err == nil {
			t.Errorf("Parse with the sender %q: got no error", from)
		}
	}
}
