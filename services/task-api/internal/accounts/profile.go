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
	MaxPassword = 256 // characters: every passphrase fits, and its length does not add to the cost of the hash
	MaxEmail    = 254 // octets (RFC 5321, 4.5.3.1.3, less the brackets)
	MaxName     = 200 // characters
)

// Registration has the values of a new account. Name may be empty. An empty Timezone means UTC.
type Registration struct{ Email, Password, Name, Timezone string }

// check normalises the registration. The error is a *domain.Invalid.
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

// badPassword returns why a text cannot be a new password, or "".
func badPassword(password string) string {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPassword:
		return fmt.Sprintf("must have at least %d characters", MinPassword)
	case n > MaxPassword:
		return fmt.Sprintf("must have at most %d characters", MaxPassword)
	}
	return ""
}

// normalEmail returns the address in lower case, or "" if it is not an e-mail address. If case mattered, one person could get
// two accounts by mistake.
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

// Profile is a change of an account. A nil value is left unchanged.
type Profile struct{ Name, Timezone *string }

func (p Profile) check() error {
	if list := p.problems(); len(list) > 0 {
		return &domain.Invalid{Fields: list}
	}
	return nil
}

// problems normalises the profile and returns its invalid fields.
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
