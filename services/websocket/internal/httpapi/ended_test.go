package httpapi_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/pkg/platform/auth"
)

// This file tests how a connection ends with its session.

// end ends a session, or with another kind what that kind revokes.
func (r *rig) end(kind auth.RevocationKind, id, userID string) {
	r.t.Helper()
	if err := r.sessions.Apply(auth.Revocation{Kind: kind, ID: id, UserID: userID, At: time.Now()}); err != nil {
		r.t.Fatalf("end %s %s: %v", kind, id, err)
	}
}

func (r *rig) connectSession(userID, session string) *client {
	r.t.Helper()
	c := r.dial()
	c.auth(tokenOf(userID, session, time.Hour), 0)
	return c
}

func TestASocketEndsWithItsSession(t *testing.T) {
	t.Parallel()
	r, first, second := newRig(t, defaults()), uuid.NewString(), uuid.NewString()
	a, b := r.connectSession("ann", first), r.connectSession("ann", second)
	want[live.Welcome](a)
	want[live.Welcome](b)
	r.end(auth.RevokedSession, first, "ann")
	if reason := a.wantClose(live.SessionEnded); reason.Retry != nil {
		t.Errorf("close reason: got %+v, want no retry: the client logs in again", reason)
	}
	if err := r.hub.Update(r.source.Add("ann")); err != nil {
		t.Fatal(err)
	}
	b.wantSeqs(1, 1)
}

// The session ends after its token was verified and before the hub knows the connection.
func TestASessionThatEndsDuringTheJoinIsRefused(t *testing.T) {
	t.Parallel()
	r, session := newRig(t, defaults()), uuid.NewString()
	r.end(auth.RevokedSession, session, "ann")
	r.connectSession("ann", session).wantClose(live.Unauthenticated)
}

func TestANewSocketOfADeletedAccountIsToldSo(t *testing.T) {
	t.Parallel()
	r, user := newRig(t, defaults()), uuid.NewString()
	r.end(auth.RevokedUser, user, user)
	r.connectSession(user, uuid.NewString()).wantClose(live.AccountGone)
}

func TestARenewedSocketEndsWithItsNewSession(t *testing.T) {
	t.Parallel()
	r, first, second := newRig(t, defaults()), uuid.NewString(), uuid.NewString()
	c := r.connectSession("ann", first)
	want[live.Welcome](c)
	c.auth(tokenOf("ann", second, time.Hour), 0)
	c.send(live.Ping{})
	want[live.Pong](c) // the new token was handled
	r.end(auth.RevokedSession, first, "ann")
	c.send(live.Ping{})
	want[live.Pong](c)
	r.end(auth.RevokedSession, second, "ann")
	c.wantClose(live.SessionEnded)
}

func TestATokenOfAnEndedSessionRenewsNothing(t *testing.T) {
	t.Parallel()
	r, ended := newRig(t, defaults()), uuid.NewString()
	r.end(auth.RevokedSession, ended, "ann")
	c := r.connectSession("ann", uuid.NewString())
	want[live.Welcome](c)
	c.auth(tokenOf("ann", ended, time.Hour), 0)
	c.wantClose(live.Unauthenticated)
}

// A process that never learns of a revocation must not keep the connection for as long as the token would be valid.
func TestAnAPITokenMustBeSentAgain(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.personal = 300 * time.Millisecond
	r, id := newRig(t, o), uuid.NewString()
	silent, session := r.dial(), r.connect("ann", 0)
	silent.auth(personal("ann", id, time.Hour), 0)
	want[live.Welcome](silent)
	want[live.Welcome](session)
	silent.wantClose(live.TokenExpired)
	again := r.dial()
	again.auth(personal("ann", id, time.Hour), 0)
	want[live.Welcome](again)
	session.auth(personal("ann", id, time.Hour), 0) // a later frame counts as the first one does
	session.wantClose(live.TokenExpired)
	short := r.dial()
	short.auth(personal("ann", id, time.Millisecond), 0)
	short.wantClose(live.TokenExpired) // its own end is nearer
}

func TestAnAPITokenThatIsSentAgainKeepsTheConnection(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.personal = time.Second
	r, id := newRig(t, o), uuid.NewString()
	c, past := r.dial(), time.Now().Add(o.personal*3/2)
	for first := true; time.Now().Before(past); first = false {
		c.auth(personal("ann", id, time.Hour), 0)
		if first {
			want[live.Welcome](c)
		}
		c.send(live.Ping{})
		want[live.Pong](c)
		time.Sleep(200 * time.Millisecond) // the pace of the loop: it proves that nothing closes the connection, so it ends by the clock
	}
}
