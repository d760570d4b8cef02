package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// This file has the set of what was revoked before it expired, and what the set says about a token.

// ErrEnded is wrapped, together with ErrInvalid, by the error of a token whose session has ended or that was revoked.
var ErrEnded = errors.New("the session has ended")

// ErrDeleted is wrapped, together with ErrInvalid, by the error of a token whose account was deleted.
var ErrDeleted = errors.New("the account was deleted")

// ErrNotLoaded says that the revocations were never loaded. Verify wraps it together with ErrUnavailable.
var ErrNotLoaded = errors.New("it is not known yet which sessions have ended")

// RevocationKind says what a Revocation revokes.
type RevocationKind string

// The kinds.
const (
	RevokedSession RevocationKind = "session" // no token of the session is valid
	RevokedToken   RevocationKind = "token"   // the personal API token is not valid
	RevokedUser    RevocationKind = "user"    // the account was deleted
	RevokedRole    RevocationKind = "role"    // the account has another role than the one that its tokens name
)

// RevocationKinds are all kinds.
var RevocationKinds = []RevocationKind{RevokedSession, RevokedToken, RevokedUser, RevokedRole}

// Revocation is one entry of the set. It is also an item of the task API's list of revocations.
type Revocation struct {
	Kind   RevocationKind `json:"kind"`
	ID     string         `json:"id"`      // of the session or the token, and otherwise of the user
	UserID string         `json:"user_id"` // whose it is
	Role   string         `json:"role"`    // the new role, for RevokedRole
	At     time.Time      `json:"at"`
	// AddedAt is when the list got the item, by the clock of the list, which may differ from the one of At. It is zero for an
	// entry that comes with an event.
	AddedAt time.Time `json:"added_at,omitzero"`
}

const (
	// revokedLife is how long an entry is kept: as long as an access token from before it can be accepted, with the leeway of
	// its expiry and the same again for the difference between the clocks that made the token and the entry.
	revokedLife = AccessTokenLife + 2*leeway
	// deletedLife is how long a deleted user is kept. The access tokens of an OIDC issuer live longer than ours, mostly for
	// hours.
	deletedLife = 24 * time.Hour
	// maxRevoked bounds the entries of each kind. Sessions end at most as fast as they begin, and 200,000 of them within
	// revokedLife are 200 log-ins a second, each of which costs a password hash. The set then has about 20 MB. To make and revoke
	// a personal API token costs less, so a few accounts can fill that kind: what is evicted of it has no effect on others.
	maxRevoked = 200_000
	// evictedShare of a full kind is evicted at once, so that the search for the oldest entries is rare.
	evictedShare = 8
	// pruneEvery is the least time between two searches for entries that have expired.
	pruneEvery = time.Minute
)

// Revocations is the set of the sessions, tokens and accounts that ended before their access tokens expire. It is in memory:
// what it says costs no look-up in another place. It is safe for concurrent use. Promises:
//   - An entry counts as soon as Apply returns. Applying an entry again, or an older one after a newer one, changes nothing.
//   - Until Loaded is called nothing is admitted, because what the set does not have is not known to be valid.
//   - Its memory is bounded by maxRevoked. When a kind is full, its oldest entries are evicted, and from then on every access
//     token from before the newest evicted entry is refused. Their clients renew them, which works unless the session has
//     ended. So no ended session works again, and nobody has to log in again.
//   - A personal API token whose entry was evicted is refused by its next look-up: at most personalFresh later, or, while look-ups
//     fail, personalStale.
type Revocations struct {
	now func() time.Time

	mu        sync.RWMutex
	loaded    bool
	byKind    map[RevocationKind]map[uuid.UUID]revoked
	floor     time.Time // the newest evicted entry that access tokens depend on
	evicted   int64
	pruned    time.Time
	limit     int
	listeners []func(Revocation)
}

// revoked is a stored entry, by the id of the Revocation.
type revoked struct {
	at   time.Time
	role string
}

// NewRevocations returns an empty set that is not loaded.
func NewRevocations(now func() time.Time) *Revocations {
	r := &Revocations{now: now, limit: maxRevoked, byKind: make(map[RevocationKind]map[uuid.UUID]revoked, len(RevocationKinds))}
	for _, kind := range RevocationKinds {
		r.byKind[kind] = map[uuid.UUID]revoked{}
	}
	return r
}

// OnApply calls f with each entry that is new, after the set has it. f runs within Apply, so it must not wait. Call OnApply
// before the set is used.
func (r *Revocations) OnApply(f func(Revocation)) { r.listeners = append(r.listeners, f) }

// Apply adds an entry. An entry that no valid token can have any more, and one of an unknown kind (of a later version), is
// skipped. The error says that an id is not a UUID.
func (r *Revocations) Apply(e Revocation) error {
	set, known := r.byKind[e.Kind]
	if !known {
		return nil
	}
	id, err := uuid.Parse(e.ID)
	if err != nil || id == uuid.Nil { // the zero UUID stands for the session of a token that has none
		return fmt.Errorf("revocation of kind %s: its id is not a UUID", e.Kind)
	}
	r.mu.Lock()
	now := r.now()
	old, there := set[id]
	fresh := now.Before(e.At.Add(e.Kind.life())) && (!there || e.At.After(old.at))
	if fresh {
		if now.Sub(r.pruned) >= pruneEvery {
			r.prune(now)
		}
		if !there && len(set) >= r.limit {
			r.evict(e.Kind, set)
		}
		set[id] = revoked{e.At, e.Role}
	}
	r.mu.Unlock()
	if fresh {
		for _, f := range r.listeners {
			f(e)
		}
	}
	return nil
}

// life returns how long an entry is kept.
func (k RevocationKind) life() time.Duration {
	if k == RevokedUser {
		return deletedLife
	}
	return revokedLife
}

// prune removes the entries that have expired. The caller holds mu.
func (r *Revocations) prune(now time.Time) {
	r.pruned = now
	for kind, set := range r.byKind {
		for id, e := range set {
			if !now.Before(e.at.Add(kind.life())) {
				delete(set, id)
			}
		}
	}
}

// evict removes the oldest entries of a full kind, and lets no access token pass that could be theirs. The caller holds mu.
func (r *Revocations) evict(kind RevocationKind, set map[uuid.UUID]revoked) {
	times := make([]time.Time, 0, len(set))
	for _, e := range set {
		times = append(times, e.at)
	}
	slices.SortFunc(times, time.Time.Compare)
	last := times[(len(times)-1)/evictedShare]
	for id, e := range set {
		if !e.at.After(last) {
			delete(set, id)
			r.evicted++
		}
	}
	if kind != RevokedToken && last.After(r.floor) { // no access token depends on a personal API token
		r.floor = last
	}
}

// Loaded says that the set has every entry there was when it was called first. From then on tokens are admitted.
func (r *Revocations) Loaded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaded = true
}

// Ready returns nil when the set is loaded, and ErrNotLoaded otherwise.
func (r *Revocations) Ready(context.Context) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.loaded {
		return ErrNotLoaded
	}
	return nil
}

// Admit returns the identity of a verified token with the role that its user has by now. The error wraps ErrUnavailable before
// the set is loaded, and ErrInvalid for a token that was revoked: with ErrDeleted when its account was deleted, with ErrEnded
// otherwise.
func (r *Revocations) Admit(id Identity) (Identity, error) {
	user, _ := uuid.Parse(id.UserID) // an id that is not a UUID is the zero UUID, which has no entry
	session, _ := uuid.Parse(id.SessionID)
	token, _ := uuid.Parse(id.TokenID)
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.loaded {
		return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, ErrNotLoaded)
	}
	deleted, gone := r.byKind[RevokedUser][user]
	_, ended := r.byKind[RevokedSession][session]
	_, revoked := r.byKind[RevokedToken][token]
	switch {
	// The id of our own users is never used again. An issuer's user may have a new account, with newer tokens.
	case gone && (id.SessionID != "" || !id.IssuedAt.After(deleted.at)):
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, ErrDeleted)
	case ended, revoked:
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, ErrEnded)
	// The age of a personal API token says nothing: it lives long, and it is looked up again within a minute.
	case id.TokenID == "" && !r.floor.IsZero() && !id.IssuedAt.After(r.floor.Add(leeway)):
		return Identity{}, fmt.Errorf("%w: it is older than what is known of ended sessions", ErrInvalid)
	}
	if role, changed := r.byKind[RevokedRole][user]; changed && id.External == nil {
		id.Role = role.role
	}
	return id, nil
}

// Stats is the size of a set.
type Stats struct {
	Entries map[RevocationKind]int
	Evicted int64 // entries that were evicted because their kind was full
}

// Stats returns the size of the set, without what has expired by now.
func (r *Revocations) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prune(r.now())
	s := Stats{Entries: make(map[RevocationKind]int, len(r.byKind)), Evicted: r.evicted}
	for kind, set := range r.byKind {
		s.Entries[kind] = len(set)
	}
	return s
}
