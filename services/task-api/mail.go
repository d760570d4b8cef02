package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/secrets"
	"github.com/taskwire/taskwire/pkg/platform/service"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/smtp"
)

// newMailer returns what sends the mails of accounts, or nil if no mail server is configured. An error quotes no value.
func newMailer(cfg settings, secret secrets.Secrets, key []byte, store accounts.Store, base *service.Service) (*accounts.Mailer, error) {
	name, address := "SMTP_URL", cfg.SMTPURL
	if from := secret[secretSMTP]; from != "" {
		name, address = "secret "+secretSMTP, from
	}
	if address == "" || cfg.AuthIssuer != "" { // the issuer verifies its users
		return nil, nil
	}
	server, err := smtp.Parse(address, cfg.SMTPFrom)
	if err != nil {
		return nil, fmt.Errorf("%s (with SMTP_FROM) %w", name, err)
	}
	public, err := publicURL(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	links, err := accounts.NewLinks(key)
	if err != nil {
		return nil, err
	}
	return accounts.NewMailer(store, smtp.New(server), links, public, base.Log, time.Now), nil
}

func publicURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("PUBLIC_URL is not an address like https://tasks.example.com: the links in mails need it")
	}
	return u, nil
}
