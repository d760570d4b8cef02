package accounts

import (
	"context"
	"errors"
	"time"
)

// ErrCursor means that the cursor of a page of revocations is not one.
var ErrCursor = errors.New("the cursor is not one of this list")

// The kinds of a Revocation.
const (
	RevokedSession = "session" // the session ended
	RevokedUser    = "user"    // the account was deleted
	RevokedRole    = "role"    // the account has another role than its tokens may say
	RevokedToken   = "token"   // the personal API token was revoked
)

// RevocationMargin is added to the life of the tokens that a revocation refuses: for the leeway of their expiry, for the clocks of
// the machines, and for the time between the decision and the commit.
const RevocationMargin = 5 * time.Minute

// Revocation is something that ended, or a role that changed, before the access tokens that were issued for it expire.
type Revocation struct {
	Kind   string    `json:"kind"`
	ID     string    `json:"id"` // of the session or the token, and otherwise of the user
	UserID string    `json:"user_id"`
	Role   string    `json:"role,omitempty"` // the new role
	At     time.Time `json:"at"`
	// AddedAt is when the database got it, by its clock. Readers page by it; it is zero before it is stored.
	AddedAt time.Time `json:"added_at,omitzero"`
}

// RevocationPage is a page of revocations in the order in which they were added.
type RevocationPage struct {
	Items   []Revocation `json:"items"`
	Next    string       `json:"next"` // the cursor of the next page, also if there is none yet
	HasMore bool         `json:"has_more"`
}

// Revocations returns a page of what was revoked since a time; see Store.
func (s *Service) Revocations(ctx context.Context, since time.Time, after string, limit int) (RevocationPage, error) {
	return s.store.Revocations(ctx, since, after, limit)
}

// OnRevoked makes the service call f with what it revoked itself, right after the commit, so that this process refuses the tokens
// before it answers. Other processes learn it from the events and from Revocations. Call it before the service is used.
func (s *Service) OnRevoked(f func(Revocation)) { s.revoked = f }

// sessionsEnded applies the end of sessions in this process.
func (s *Service) sessionsEnded(userID string, at time.Time, ids []string) {
	for _, id := range ids {
		s.revoked(Revocation{Kind: RevokedSession, ID: id, UserID: userID, At: at})
	}
}
