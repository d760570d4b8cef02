package accounts

import (
	"strings"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/email"
	"github.com/taskwire/taskwire/services/task-api/internal/passwords"
)

// MaxName is the largest length of a name in characters. The packages email and passwords have the limits of the other fields.
const MaxName = 200

// Registration has the values of a new account. Name may be empty. An empty Timezone means UTC.
type Registration struct{ Email, Password, Name, Timezone string }

// check normalises the registration. The error is a *domain.Invalid.
func (r *Registration) check() error {
	var list []domain.FieldError
	refuse := func(field, message string) { list = append(list, domain.FieldError{Field: field, Message: message}) }
	address, message := email.Canonical(r.Email)
	if message != "" {
		refuse("email", message)
	}
	if message := passwords.Problem(r.Password, passwords.Owner{Email: r.Email, Name: r.Name}); message != "" {
		refuse("password", message)
	}
	r.Email = address
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

// EmailKey returns the text by which attempts with an e-mail are counted: the same for all spellings of one address. It accepts
// every text, and its length is bounded.
func EmailKey(s string) string {
	if address, problem := email.Canonical(s); problem == "" {
		return address
	}
	if key := email.Key(s); len(key) <= email.Max {
		return key
	}
	return "too long"
}

// spellings returns the forms in which the account of an e-mail may be stored: the canonical one, and those from before there
// was one.
func spellings(s string) []string {
	list := []string{strings.ToLower(strings.TrimSpace(s))}
	if address, problem := email.Canonical(s); problem == "" {
		list = append([]string{address, email.ASCII(address)}, list...)
	}
	return list
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
