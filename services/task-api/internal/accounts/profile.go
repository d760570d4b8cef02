package accounts

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// Limits of an account's fields.
const (
	MinPassword = 8   // characters (OWASP ASVS 5.0, 6.2.1)
	MaxPassword = 256 // characters: every passphrase fits, and hashing it stays cheap beside the hash itself
	MaxEmail    = 254 // octets (RFC 5321, 4.5.3.1.3, less the brackets)
	MaxName     = 200 // characters
)

// Registration is what a new account is made of. Name may be empty; Timezone is UTC when it is.
type Registration struct{ Email, Password, Name, Timezone string }

// check normalises the registration or returns a *domain.Invalid.
func (r *Registration) check() error {
	var list []domain.FieldError
	refuse := func(field, message string) { list = append(list, domain.FieldError{Field: field, Message: message}) }
	if r.Email = normalEmail(r.Email); r.Email == "" {
		refuse("email", "must be an e-mail address")
	}
	if message := badPassword(r.Password); message != "" {
		refuse("password", message)
	}
	if r.Timezone == "" {
		r.Timezone = "UTC"
	}
	p := Profile{Name: &r.Name, Timezone: &r.Timezone}
	list = append(list, p.problems()...)
	if len(list) > 0 {
		return &domain.Invalid{Fields: list}
	}
	return nil
}

// badPassword says what keeps a password from being a new one; "" where nothing does.
func badPassword(password string) string {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return fmt.Sprintf("must have at least %d characters", MinPassword)
	case n > MaxPassword:
		return fmt.Sprintf("must have at most %d characters", MaxPassword)
	}
	return ""
}

// normalEmail returns the address in lower case, or "" where it is none. Accounts that differ in case only would be
// two people's by mistake.
func normalEmail(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) > MaxEmail || strings.ContainsAny(s, " \"(),:;<>[\\]") {
		return ""
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return ""
	}
	return s
}

// Profile is a change of an account; nil stays as it is.
type Profile struct{ Name, Timezone *string }

func (p Profile) check() error {
	if list := p.problems(); len(list) > 0 {
		return &domain.Invalid{Fields: list}
	}
	return nil
}

// problems normalises the profile and says what is wrong with it.
func (p Profile) problems() (list []domain.FieldError) {
	if p.Name != nil {
		name, message := domain.Line(*p.Name, 0, MaxName)
		if *p.Name = name; message != "" {
			list = append(list, domain.FieldError{Field: "name", Message: message})
		}
	}
	if p.Timezone != nil {
		if _, ok := domain.Zone(*p.Timezone); !ok {
			list = append(list, domain.FieldError{Field: "timezone", Message: "must be an IANA time zone, like Europe/London"})
		}
	}
	return list
}
