// Package smtp gives mails to a mail server.
//
// Promises:
//
//   - A mail goes over TLS, from the beginning (smtps) or by STARTTLS (smtp), and the server's certificate is checked. Only a
//     server on the same machine may go without, because nobody is between.
//   - A refusal for good (5xx) is accounts.ErrUndeliverable. All other errors may be repeated.
//   - No error has a password, a mail's text or a link.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/email"
	"github.com/wneessen/go-mail"
)

// The ports of mail submission (RFC 6409 and RFC 8314).
const (
	portStartTLS = 587
	portTLS      = 465
)

// Config says which server takes the mails. Parse makes it.
type Config struct {
	host           string
	port           int
	user, password string
	tls            bool // from the beginning
	local          bool // the server is on this machine
	from           string
	roots          *tls.Config   // which certificates are trusted; nil means those of the system
	patience       time.Duration // the longest wait for the server
}

// conversation is the longest wait for one answer of the server.
const conversation = 10 * time.Second

// Parse reads an address of the form smtp://user:password@host:587 or smtps://…, and the sender's e-mail. An error names what is
// wrong and quotes nothing, because the address has a password.
func Parse(address, from string) (Config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return Config{}, errors.New("is not an address like smtp://user:password@mail.example.com:587")
	}
	cfg := Config{host: u.Hostname(), port: portStartTLS, user: u.User.Username(), tls: u.Scheme == "smtps", patience: conversation}
	switch {
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return Config{}, errors.New("must begin with smtp:// or smtps://")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return Config{}, errors.New("must end after the port")
	}
	if cfg.tls {
		cfg.port = portTLS
	}
	if p := u.Port(); p != "" {
		if cfg.port, err = strconv.Atoi(p); err != nil || cfg.port < 1 || cfg.port > 65535 {
			return Config{}, errors.New("has a port that is not between 1 and 65535")
		}
	}
	cfg.password, _ = u.User.Password()
	if (cfg.user == "") != (cfg.password == "") {
		return Config{}, errors.New("must have both a user and a password, or neither")
	}
	ip := net.ParseIP(cfg.host)
	cfg.local = cfg.host == "localhost" || ip.IsLoopback()
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return Config{}, errors.New("needs the sender's e-mail address")
	}
	if _, problem := email.Canonical(sender.Address); problem != "" {
		return Config{}, errors.New("needs the sender's e-mail address: it " + problem)
	}
	cfg.from = sender.String()
	return cfg, nil
}

// Client implements accounts.Sender. It opens a connection for each mail: there are few, and an idle one would be closed.
type Client struct{ cfg Config }

// New returns a client.
func New(cfg Config) *Client { return &Client{cfg} }

// Send implements accounts.Sender.
func (c *Client) Send(ctx context.Context, id, to, subject, text string) error {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(c.cfg.from); err != nil {
		return fmt.Errorf("set the sender of a mail: %w", err)
	}
	if err := m.To(email.ASCII(to)); err != nil {
		return fmt.Errorf("%w: its address is refused", accounts.ErrUndeliverable)
	}
	m.Subject(subject)
	m.SetDate()
	m.SetMessageIDWithValue(id + "@taskwire")
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no automatic answers
	m.SetBodyString(mail.TypeTextPlain, text)
	client, err := mail.NewClient(c.cfg.host, c.options()...)
	if err != nil {
		return fmt.Errorf("set up the mail server: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return failure(err)
	}
	defer func() { _ = client.CloseWithSMTPClient(conn) }() // the server has the mail: it need not say goodbye
	return failure(client.SendWithSMTPClient(conn, m))
}

func (c *Client) options() []mail.Option {
	opts := []mail.Option{mail.WithPort(c.cfg.port), mail.WithTimeout(c.cfg.patience), mail.WithoutNoop(), mail.WithoutRset()}
	switch {
	case c.cfg.tls:
		opts = append(opts, mail.WithSSL())
	case c.cfg.local:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.cfg.roots != nil {
		roots := c.cfg.roots.Clone()
		roots.ServerName = c.cfg.host
		opts = append(opts, mail.WithTLSConfig(roots))
	}
	if c.cfg.user != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.cfg.user), mail.WithPassword(c.cfg.password))
	}
	return opts
}

// failure returns what an error of the mail package means. Only a refusal of the recipient or of the mail is for good: a wrong
// password or sender is a fault of the configuration, which an operator corrects.
func failure(err error) error {
	if err == nil {
		return nil
	}
	var refused *mail.SendError
	if !errors.As(err, &refused) {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	code, step := refused.ErrorCode(), map[mail.SendErrReason]string{mail.ErrSMTPRcptTo: "recipient", mail.ErrSMTPData: "mail", mail.ErrSMTPDataClose: "mail"}[refused.Reason]
	if step != "" && code >= 500 && code < 600 {
		return fmt.Errorf("%w: the server refused the %s with %d %s", accounts.ErrUndeliverable, step, code, refused.EnhancedStatusCode())
	}
	return fmt.Errorf("send a mail: the server answered %d %s at the step %q", code, refused.EnhancedStatusCode(), refused.Reason.String())
}
