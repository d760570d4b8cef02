package accounts_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

func wantList(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestEachWayToEndASessionIsRecordedOnce(t *testing.T) {
	r := newRig(t)
	first := r.register("a@example.com")
	id := first.User.ID
	var atOnce []string
	r.OnRevoked(func(v accounts.Revocation) { atOnce = append(atOnce, v.Kind+" "+v.ID) })
	out, byID, other, kept := r.login("a@example.com", here), r.login("a@example.com", here), r.login("a@example.com", here), r.login("a@example.com", here)
	for range 2 { // a log-out that is repeated changes nothing
		if err := r.Logout(ctx, out.RefreshToken, here); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.EndSession(ctx, id, kept.SessionID, byID.SessionID, here); err != nil {
		t.Fatal(err)
	}
	if err := r.EndSession(ctx, id, kept.SessionID, byID.SessionID, here); !errors.Is(err, accounts.ErrNoSession) {
		t.Errorf("EndSession once more: got %v, want ErrNoSession", err)
	}
	if err := r.EndSessions(ctx, id, kept.SessionID, here); err != nil {
		t.Fatal(err)
	}
	changed, err := r.ChangePassword(ctx, id, "correct horse", "battery staple", here)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(ctx, id, "battery staple", here); err != nil {
		t.Fatal(err)
	}
	everywhere := []string{first.SessionID, other.SessionID}
	slices.Sort(everywhere)
	wantList(t, "events", r.described(id), []string{
		"registered " + first.SessionID, "logged_in " + out.SessionID, "logged_in " + byID.SessionID, "logged_in " + other.SessionID, "logged_in " + kept.SessionID,
		"logged_out " + out.SessionID,
		"session_ended " + byID.SessionID + " ended from another session",
		"session_ended " + everywhere[0] + " logged out everywhere", "session_ended " + everywhere[1] + " logged out everywhere",
		"password_changed " + changed.SessionID, "session_ended " + kept.SessionID + " the password was changed",
		"deleted",
	})
	wantList(t, "told to the websocket service", r.told(id), []string{
		out.SessionID, byID.SessionID, strings.Join(everywhere, " "), kept.SessionID,
	})
	revoked := []string{
		"session " + out.SessionID, "session " + byID.SessionID, "session " + everywhere[0], "session " + everywhere[1], "session " + kept.SessionID,
	}
	wantList(t, "applied in this process", atOnce, append(slices.Clone(revoked), "user "+id))
	slices.Sort(revoked[2:4])
	wantList(t, "revocations", r.revocations(), append(slices.Clone(revoked), "user "+id))
	for _, e := range r.events(id) {
		if e.Actor != id || e.Address != "2001:db8::1" || e.Device != "Firefox" {
			t.Errorf("event %s: got actor %q, address %q, device %q", e.EventType, e.Actor, e.Address, e.Device)
		}
	}
}

func TestAReusedRefreshTokenIsRecorded(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	r.refresh(r.refresh(s.RefreshToken))
	thief := accounts.NewClient(netip.MustParseAddr("192.0.2.7"), "")
	if _, err := r.Refresh(ctx, s.RefreshToken, thief); !errors.Is(err, accounts.ErrRefused) {
		t.Fatalf("Refresh with a used token: got %v, want ErrRefused", err)
	}
	wantList(t, "events", r.described(s.User.ID), []string{"registered " + s.SessionID, "session_ended " + s.SessionID + " a used refresh token was presented again"})
	wantList(t, "told to the websocket service", r.told(s.User.ID), []string{s.SessionID})
	wantList(t, "revocations", r.revocations(), []string{"session " + s.SessionID})
	if e := r.events(s.User.ID)[1]; e.Actor != "" || e.Address != "192.0.2.7" {
		t.Errorf("event: got actor %q and address %q, want the address of a stranger", e.Actor, e.Address)
	}
}

// The holder of an ended session must not use up the refreshes of the owner.
func TestADeadRefreshTokenIsNotCounted(t *testing.T) {
	r := newRig(t)
	dead, live := r.register("a@example.com"), r.register("a@example.com")
	if err := r.Logout(ctx, dead.RefreshToken, here); err != nil {
		t.Fatal(err)
	}
	for range accounts.PerAccountRefresh.Burst + 1 {
		r.wantRefused("an ended session", dead.RefreshToken)
	}
	r.refresh(live.RefreshToken)
}

// A change and its events are one transaction. If the event cannot be written, as when the process dies before the commit, the
// session goes on, and a repetition ends it.
func TestASessionDoesNotEndWithoutItsEvent(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	lost := errors.New("the process died")
	fails := func(publish.Tx, string, []string) error { return lost }
	if _, err := r.store.EndSessions(ctx, accounts.Ending{UserID: s.User.ID, Reason: "test", At: r.now()}, fails); !errors.Is(err, lost) {
		t.Fatalf("EndSessions: got %v, want the error of the record", err)
	}
	wantList(t, "revocations", r.revocations(), nil)
	token := r.refresh(s.RefreshToken)
	if err := r.Logout(ctx, token, here); err != nil {
		t.Fatal(err)
	}
	wantList(t, "events", r.described(s.User.ID), []string{"registered " + s.SessionID, "logged_out " + s.SessionID})
}

func TestSessionsAreListedForTheirOwnerOnly(t *testing.T) {
	r := newRig(t)
	first := r.register("a@example.com")
	id := first.User.ID
	phone := accounts.NewClient(netip.MustParseAddr("::ffff:192.0.2.1"), "Phone\x00\n\u202e \t App "+strings.Repeat("x", 300))
	second := r.login("a@example.com", phone)
	eve := r.register("eve@example.com")
	list, err := r.Sessions(ctx, id, first.SessionID)
	if err != nil || len(list) != 2 {
		t.Fatalf("Sessions: got %+v %v, want two", list, err)
	}
	got := list[0]
	if got.ID != second.SessionID || got.Current || got.Address != "192.0.2.1" || !strings.HasPrefix(got.Device, "Phone App xxx") || len([]rune(got.Device)) != events.MaxDevice || !list[1].Current {
		t.Errorf("Sessions: got %+v, want the newest first with a clean device of %d characters", list, events.MaxDevice)
	}
	if _, err := r.Refresh(ctx, first.RefreshToken, phone); err != nil {
		t.Fatal(err)
	}
	if list, _ = r.Sessions(ctx, id, ""); list[0].ID != first.SessionID || list[0].Address != "192.0.2.1" || !list[0].LastUsedAt.After(list[0].CreatedAt) {
		t.Errorf("Sessions after a refresh: got %+v, want its time and address on the first", list)
	}
	if err := r.EndSession(ctx, eve.User.ID, eve.SessionID, first.SessionID, here); !errors.Is(err, accounts.ErrNoSession) {
		t.Errorf("EndSession of another user's session: got %v, want ErrNoSession", err)
	}
	if err := r.EndSessions(ctx, eve.User.ID, "", here); err != nil {
		t.Fatal(err)
	}
	if list, _ = r.Sessions(ctx, id, ""); len(list) != 2 {
		t.Errorf("after another user ended all: got %+v, want both", list)
	}
	r.add(accounts.RefreshLifetime)
	if list, _ = r.Sessions(ctx, id, ""); len(list) != 0 {
		t.Errorf("after their life: got %+v, want none", list)
	}
}

func TestOneMoreThanTheMostSessionsEndsTheOldest(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	id := s.User.ID
	hash, err := r.store.PasswordHash(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	begin := func() (sessionID string, ended []string) {
		t.Helper()
		l := accounts.Login{FamilyID: uuid.NewString(), UserID: id, Password: hash, At: r.now(), ExpiresAt: r.now().Add(time.Hour), Hash: [32]byte([]byte(uuid.NewString())[:32])}
		err := r.store.StartLogin(ctx, l, func(_ publish.Tx, _ string, ids []string) error { ended = ids; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return l.FamilyID, ended
	}
	oldest, ended := begin()
	for range accounts.MaxSessions - 2 {
		_, more := begin()
		ended = append(ended, more...)
	}
	if list, _ := r.Sessions(ctx, id, ""); len(list) != accounts.MaxSessions || len(ended) > 0 {
		t.Fatalf("got %d sessions and %v ended, want %d and none", len(list), ended, accounts.MaxSessions)
	}
	r.refresh(s.RefreshToken) // the first one is used again
	if _, ended = begin(); !slices.Equal(ended, []string{oldest}) {
		t.Errorf("one more: got %v ended, want %s, which was not used for longest", ended, oldest)
	}
	if list, _ := r.Sessions(ctx, id, ""); len(list) != accounts.MaxSessions {
		t.Errorf("got %d sessions, want %d", len(list), accounts.MaxSessions)
	}
}

// Accounts of the time before the limit may have more sessions: their end is told in several events.
func TestMoreSessionsThanOneEventHoldsAllEnd(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	err := r.db.Gorm.Exec(`INSERT INTO refresh_families (id, user_id, created_at, expires_at) SELECT gen_random_uuid(), ?, now(), now() + interval '1 day' FROM generate_series(1, 150)`, s.User.ID).Error
	if err != nil {
		t.Fatal(err)
	}
	if err := r.EndSessions(ctx, s.User.ID, "", here); err != nil {
		t.Fatal(err)
	}
	told := r.told(s.User.ID)
	if len(told) != 2 || len(strings.Fields(told[0])) != events.MaxSessionIDs || len(strings.Fields(told[1])) != 51 {
		t.Errorf("got %d events, want two with 100 and 51 sessions", len(told))
	}
	if got := len(r.revocations()); got != 151 {
		t.Errorf("revocations: got %d, want 151", got)
	}
}

func TestTwoPasswordChangesAtOnceLeaveOneSession(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	id := s.User.ID
	results := make(chan error, 2)
	for i := range 2 {
		go func() {
			_, err := r.ChangePassword(ctx, id, "correct horse", fmt.Sprint("battery staple ", i), here)
			results <- err
		}()
	}
	first, second := <-results, <-results
	if (first == nil) == (second == nil) {
		t.Fatalf("ChangePassword twice at once: got %v and %v, want one success", first, second)
	}
	if list, _ := r.Sessions(ctx, id, ""); len(list) != 1 {
		t.Errorf("sessions: got %+v, want the new one", list)
	}
	if got := r.described(id); len(got) != 3 {
		t.Errorf("events: got %q, want registered, password_changed and session_ended", got)
	}
}

// Whichever comes first, no refresh gets an access token after the end, and the end is recorded once.
func TestARefreshAndTheEndOfItsSessionExcludeEachOther(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	id := s.User.ID
	for range 10 {
		in := r.login("a@example.com", here)
		refreshed, ended := make(chan error, 1), make(chan error, 1)
		var next accounts.Session
		go func() {
			var err error
			next, err = r.Refresh(ctx, in.RefreshToken, here)
			refreshed <- err
		}()
		go func() { ended <- r.EndSession(ctx, id, s.SessionID, in.SessionID, here) }()
		if err := <-ended; err != nil {
			t.Fatalf("EndSession: %v", err)
		}
		switch err := <-refreshed; {
		case err == nil:
			if next.SessionID != in.SessionID {
				t.Errorf("Refresh: got session %s, want %s", next.SessionID, in.SessionID)
			}
			r.wantRefused("the successor after the end", next.RefreshToken)
		case !errors.Is(err, accounts.ErrRefused):
			t.Errorf("Refresh: got %v, want success or ErrRefused", err)
		}
		r.wantRefused("the token after the end", in.RefreshToken)
	}
	if got := len(r.revocations()); got != 10 {
		t.Errorf("revocations: got %d, want 10", got)
	}
}

func TestRevocationsArePagedAndTheirCursorIsChecked(t *testing.T) {
	r := newRig(t)
	s := r.register("a@example.com")
	var want []string
	for range 5 {
		in := r.login("a@example.com", here)
		if err := r.Logout(ctx, in.RefreshToken, here); err != nil {
			t.Fatal(err)
		}
		want = append(want, "session "+in.SessionID)
	}
	wantList(t, "all", r.revocations(), want)
	page, err := r.Revocations(ctx, time.Time{}, "", 3)
	if err != nil || len(page.Items) != 3 || !page.HasMore || page.Items[0].UserID != s.User.ID || page.Items[0].At.IsZero() {
		t.Fatalf("first page: got %+v %v", page, err)
	}
	rest, err := r.Revocations(ctx, time.Time{}, page.Next, 3)
	if err != nil || len(rest.Items) != 2 || rest.HasMore {
		t.Fatalf("second page: got %+v %v", rest, err)
	}
	if again, err := r.Revocations(ctx, time.Time{}, rest.Next, 3); err != nil || len(again.Items) != 0 || again.Next != rest.Next {
		t.Errorf("after the last: got %+v %v, want the same cursor for the next time", again, err)
	}
	if later, err := r.Revocations(ctx, time.Now().Add(time.Hour), "", 3); err != nil || len(later.Items) != 0 {
		t.Errorf("since later: got %+v %v, want none", later, err)
	}
	for _, bad := range []string{"x", "====", "AAAA"} {
		if _, err := r.Revocations(ctx, time.Time{}, bad, 3); !errors.Is(err, accounts.ErrCursor) {
			t.Errorf("cursor %q: got %v, want ErrCursor", bad, err)
		}
	}
}
