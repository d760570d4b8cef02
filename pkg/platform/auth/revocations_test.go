package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
)

// revocationRig is a loaded set with a clock that the test moves, and one user with one session.
type revocationRig struct {
	*Revocations
	t     *testing.T
	clock time.Time
	id    Identity
}

func newRevocations(t *testing.T) *revocationRig {
	t.Helper()
	r := &revocationRig{t: t, clock: time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)}
	r.Revocations = NewRevocations(func() time.Time { return r.clock })
	r.Loaded()
	r.id = Identity{UserID: uuid.NewString(), SessionID: uuid.NewString(), Role: RoleAuditor, IssuedAt: r.clock.Add(-time.Minute), ExpiresAt: r.clock.Add(14 * time.Minute)}
	return r
}

func (r *revocationRig) apply(e Revocation) {
	r.t.Helper()
	if err := r.Apply(e); err != nil {
		r.t.Fatalf("Apply(%+v): %v", e, err)
	}
}

// wantAdmitted checks Admit; a nil want means that the identity is admitted.
func (r *revocationRig) wantAdmitted(what string, id Identity, want error) {
	r.t.Helper()
	got, err := r.Admit(id)
	switch {
	case want == nil && (err != nil || got.UserID != id.UserID):
		r.t.Errorf("%s: got %+v, %v; want it admitted", what, got, err)
	case want != nil && (!errors.Is(err, want) || !errors.Is(err, ErrInvalid)):
		r.t.Errorf("%s: got %v, want %v and ErrInvalid", what, err, want)
	}
}

func TestOnlyTheEndedSessionIsRefused(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	other := r.id
	other.SessionID = uuid.NewString()
	r.wantAdmitted("before", r.id, nil)
	r.apply(Revocation{Kind: RevokedSession, ID: r.id.SessionID, UserID: r.id.UserID, At: r.clock})
	r.wantAdmitted("its token", r.id, ErrEnded)
	r.wantAdmitted("another session of the user", other, nil)
	r.wantAdmitted("a token without a session", Identity{UserID: r.id.UserID, External: &External{}}, nil)
}

func TestARevokedPersonalTokenIsRefused(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	personal := Identity{UserID: r.id.UserID, TokenID: uuid.NewString(), Scope: "read", IssuedAt: r.clock.Add(-1000 * time.Hour)}
	r.apply(Revocation{Kind: RevokedToken, ID: personal.TokenID, UserID: personal.UserID, At: r.clock})
	r.wantAdmitted("the token", personal, ErrEnded)
	r.wantAdmitted("a session of the user", r.id, nil)
}

func TestADeletedUsersTokensAreRefused(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	external := func(issued time.Time) Identity {
		return Identity{UserID: r.id.UserID, IssuedAt: issued, External: &External{}}
	}
	r.apply(Revocation{Kind: RevokedUser, ID: r.id.UserID, UserID: r.id.UserID, At: r.clock})
	r.wantAdmitted("a session's token", r.id, ErrDeleted)
	r.wantAdmitted("an issuer's token from before", external(r.clock), ErrDeleted)
	r.wantAdmitted("an issuer's token from after", external(r.clock.Add(time.Second)), nil)
	r.clock = r.clock.Add(deletedLife - time.Second)
	r.wantAdmitted("an issuer's old token a day later", external(r.id.IssuedAt), ErrDeleted)
	late := r.id
	late.IssuedAt = r.clock
	r.wantAdmitted("a token of our own from after", late, ErrDeleted)
}

func TestATokenHasTheNewestRole(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	wantRole := func(what string, id Identity, want string) {
		t.Helper()
		if got, err := r.Admit(id); err != nil || got.Role != want {
			t.Errorf("%s: got role %q, %v; want %q", what, got.Role, err, want)
		}
	}
	wantRole("before", r.id, RoleAuditor)
	role := func(role string, at time.Time) Revocation {
		return Revocation{Kind: RevokedRole, ID: r.id.UserID, UserID: r.id.UserID, Role: role, At: at}
	}
	r.apply(role(RoleUser, r.clock))
	r.apply(role(RoleAuditor, r.clock.Add(-time.Second))) // arrives late
	wantRole("a demoted auditor", r.id, RoleUser)
	external := r.id
	external.External = &External{}
	wantRole("an issuer's user, whose role is the issuer's word", external, RoleAuditor)
	r.apply(role(RoleAuditor, r.clock.Add(time.Second)))
	wantRole("promoted again", r.id, RoleAuditor)
}

func TestNothingIsAdmittedBeforeTheFirstLoad(t *testing.T) {
	t.Parallel()
	r := NewRevocations(time.Now)
	if _, err := r.Admit(Identity{UserID: uuid.NewString()}); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalid) {
		t.Errorf("Admit: got %v, want ErrUnavailable, which says nothing about the token", err)
	}
	if err := r.Ready(t.Context()); !errors.Is(err, ErrNotLoaded) {
		t.Errorf("Ready: got %v, want ErrNotLoaded", err)
	}
	r.Loaded()
	if err := r.Ready(t.Context()); err != nil {
		t.Errorf("Ready after the load: got %v, want nil", err)
	}
}

// An access token from before the end, with the largest difference of the clocks, must not outlive the entry.
func TestAnEntryOutlivesEveryTokenFromBefore(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	newest := r.clock.Add(leeway) // the time of the newest token, by a clock that is ahead
	r.apply(Revocation{Kind: RevokedSession, ID: r.id.SessionID, At: r.clock})
	r.clock = newest.Add(AccessTokenLife + leeway - time.Second) // the last moment at which Verify accepts it
	r.wantAdmitted("the newest token", r.id, ErrEnded)
	r.clock = r.clock.Add(time.Second)
	if got := r.Stats().Entries[RevokedSession]; got != 0 {
		t.Errorf("after the life of every token: got %d entries, want 0", got)
	}
	r.apply(Revocation{Kind: RevokedSession, ID: r.id.SessionID, At: r.clock.Add(-revokedLife)})
	if got := r.Stats().Entries[RevokedSession]; got != 0 {
		t.Errorf("an entry that comes too late to matter: got %d entries, want 0", got)
	}
}

func TestAnEntryIsPassedOnOnceAndAfterItCounts(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	var got []Revocation
	r.OnApply(func(e Revocation) {
		r.wantAdmitted("within the call", r.id, ErrEnded)
		got = append(got, e)
	})
	e := Revocation{Kind: RevokedSession, ID: r.id.SessionID, UserID: r.id.UserID, At: r.clock}
	r.apply(e)
	r.apply(e)
	if len(got) != 1 || got[0] != e {
		t.Errorf("got %+v, want the entry once", got)
	}
}

func TestAnUnusableEntryChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	for _, id := range []string{"", "s", uuid.Nil.String()} {
		if err := r.Apply(Revocation{Kind: RevokedSession, ID: id, At: r.clock}); err == nil {
			t.Errorf("the id %q: got no error", id)
		}
	}
	r.apply(Revocation{Kind: "of a later version", ID: "s", At: r.clock})
	r.wantAdmitted("a token without a session", Identity{UserID: r.id.UserID, IssuedAt: r.clock}, nil)
}

// A full set must not let an ended session in again. It refuses older tokens instead, which their clients renew.
func TestAFullSetRefusesOlderTokens(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	r.limit = 8
	begin := r.clock
	ends := make([]Identity, r.limit)
	for i := range ends {
		r.clock = r.clock.Add(time.Minute)
		ends[i] = Identity{UserID: uuid.NewString(), SessionID: uuid.NewString(), IssuedAt: r.clock}
		r.apply(Revocation{Kind: RevokedSession, ID: ends[i].SessionID, At: r.clock})
	}
	old := Identity{UserID: uuid.NewString(), SessionID: uuid.NewString(), IssuedAt: begin}
	r.wantAdmitted("an older token while there is room", old, nil)
	r.clock = r.clock.Add(time.Second)
	r.apply(Revocation{Kind: RevokedSession, ID: uuid.NewString(), At: r.clock})
	if got := r.Stats(); got.Entries[RevokedSession] != r.limit || got.Evicted != 1 {
		t.Errorf("Stats: got %+v, want %d sessions and 1 evicted", got, r.limit)
	}
	for i, id := range ends {
		r.wantAdmitted(fmt.Sprint("ended session ", i), id, ErrInvalid)
	}
	r.wantAdmitted("an older token", old, ErrInvalid)
	old.TokenID = uuid.NewString()
	r.wantAdmitted("an older personal token", old, nil)
	renewed := Identity{UserID: old.UserID, SessionID: old.SessionID, IssuedAt: r.clock}
	r.wantAdmitted("the renewed token", renewed, nil)
}

// A few accounts can make and revoke any number of API tokens. That must cost nobody else's session a refresh.
func TestManyRevokedTokensAffectNoAccessToken(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	r.limit = 8
	for range 3 * r.limit {
		r.clock = r.clock.Add(time.Second)
		r.apply(Revocation{Kind: RevokedToken, ID: uuid.NewString(), UserID: uuid.NewString(), At: r.clock})
	}
	if got := r.Stats(); got.Evicted == 0 || got.Entries[RevokedToken] > r.limit {
		t.Errorf("Stats: got %+v, want evictions and at most %d tokens", got, r.limit)
	}
	r.wantAdmitted("an access token from before", r.id, nil)
}

func TestRevocationsAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := newRevocations(t)
	r.limit = 50
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2000 {
			r.apply(Revocation{Kind: RevokedSession, ID: uuid.NewString(), At: r.clock})
		}
	}()
	for range 2000 {
		_, _ = r.Admit(r.id)
		_ = r.Stats()
	}
	<-done
}

func BenchmarkAdmit(b *testing.B) {
	r := NewRevocations(time.Now)
	r.Loaded()
	for range 10_000 {
		_ = r.Apply(Revocation{Kind: RevokedSession, ID: uuid.NewString(), At: time.Now()})
	}
	id := Identity{UserID: uuid.NewString(), SessionID: uuid.NewString(), IssuedAt: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Admit(id); err != nil {
			b.Fatal(err)
		}
	}
}
