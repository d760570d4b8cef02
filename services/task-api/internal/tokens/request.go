package tokens

import (
	"fmt"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// check returns the token that the request asks for, without what the service adds. The error is a *domain.Invalid.
func (r Request) check(now time.Time) (Stored, error) {
	name, problem := domain.Line(r.Name, 1, MaxName)
	if problem != "" {
		return Stored{}, invalid("name", problem)
	}
	scope := auth.ScopeRead
	if len(r.Scopes) == 0 {
		return Stored{}, invalid("scopes", "must have read or write")
	}
	for _, s := range r.Scopes {
		switch s {
		case auth.ScopeRead:
		case auth.ScopeWrite:
			scope = auth.ScopeWrite
		default:
			return Stored{}, invalid("scopes", "must have read or write and nothing else")
		}
	}
	ends := now.Add(DefaultLife)
	if r.ExpiresAt != nil {
		ends = domain.Instant(*r.ExpiresAt)
	}
	switch {
	case !ends.After(now):
		return Stored{}, invalid("expires_at", "must be in the future")
	case ends.After(now.Add(MaxLife)):
		return Stored{}, invalid("expires_at", fmt.Sprintf("must be within %d days", int(MaxLife.Hours()/24)))
	}
	return Stored{Token: Token{Name: name, Scopes: ScopesOf(scope), ExpiresAt: ends}, Scope: scope}, nil
}

// ScopesOf returns the scopes of a token as they are shown.
func ScopesOf(scope string) []string {
	all := []string{auth.ScopeRead, auth.ScopeWrite}
	return all[:slices.Index(all, scope)+1]
}

func invalid(field, message string) error {
	return &domain.Invalid{Fields: []domain.FieldError{{Field: field, Message: message}}}
}
