package revocation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
)

func accountEvent(kind events.AccountEventType) events.AccountEvent {
	return events.AccountEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: kind, UserID: uuid.NewString(),
		Timestamp: time.Now().UTC(), SessionID: uuid.NewString(), Role: auth.RoleUser,
	}
}

func TestWhatAnEventRevokes(t *testing.T) {
	t.Parallel()
	revokes := map[events.AccountEventType]auth.RevocationKind{
		events.AccountLoggedOut: auth.RevokedSession, events.AccountSessionEnded: auth.RevokedSession, events.AccountTokenRevoked: auth.RevokedToken,
		events.AccountDeleted: auth.RevokedUser, events.AccountRoleChanged: auth.RevokedRole,
	}
	for _, kind := range append(events.AccountTypes(), "of_a_later_version") {
		ev := accountEvent(kind)
		got, ok := Of(ev)
		want, wanted := revokes[kind]
		if ok != wanted || got.Kind != want {
			t.Errorf("%s: got %+v, %v; want kind %q, %v", kind, got, ok, want, wanted)
			continue
		}
		id, role := ev.SessionID, ""
		if want == auth.RevokedUser || want == auth.RevokedRole {
			id = ev.UserID
		}
		if want == auth.RevokedRole {
			role = ev.Role
		}
		if ok && (got != auth.Revocation{Kind: want, ID: id, UserID: ev.UserID, Role: role, At: ev.Timestamp}) {
			t.Errorf("%s: got %+v", kind, got)
		}
	}
}

// letters counts dead letters.
type letters struct{ n int }

func (l *letters) PublishEvent(context.Context, string, dapr.Event) error { l.n++; return nil }

func TestAnEventTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	set, dead := auth.NewRevocations(time.Now), &letters{}
	set.Loaded()
	quiet := slog.New(slog.DiscardHandler)
	server := subscribe.New(subscribe.Config{Token: "token", Log: quiet, DeadLetter: dead, Consumer: "audit"})
	New(set, &source{}, quiet, prometheus.NewRegistry(), time.Now).Subscribe(server)
	deliver := func(data []byte) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"specversion": "1.0", "data": json.RawMessage(data)})
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodPost, "/fan-out/"+events.TopicAccountEvents, bytes.NewReader(body))
		req.Header.Set("dapr-api-token", "token")
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, req)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "SUCCESS") {
			t.Fatalf("delivery: got %d %s", w.Code, w.Body)
		}
	}
	ended, begun := accountEvent(events.AccountSessionEnded), accountEvent(events.AccountLoggedIn)
	for _, ev := range []events.AccountEvent{begun, ended, ended} { // a redelivery
		raw, err := ev.Encode()
		if err != nil {
			t.Fatal(err)
		}
		deliver(raw)
	}
	if _, err := set.Admit(auth.Identity{SessionID: ended.SessionID}); !errors.Is(err, auth.ErrEnded) {
		t.Errorf("the ended session: got %v, want ErrEnded", err)
	}
	if _, err := set.Admit(auth.Identity{SessionID: begun.SessionID}); err != nil {
		t.Errorf("the session that began: got %v, want nil", err)
	}
	deliver([]byte(`{"event_type":"session_ended"}`))
	if dead.n != 1 {
		t.Errorf("an event that cannot be read: got %d dead letters, want 1", dead.n)
	}
}
