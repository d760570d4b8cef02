package subscriber

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
)

// recorder records what it is given, in order.
type recorder struct{ got []string }

func (r *recorder) Update(ev events.TaskUpdateEvent) error {
	r.got = append(r.got, fmt.Sprint(ev.EventType, " ", ev.Seq))
	return nil
}

func (r *recorder) Notify(events.NotificationEvent) error { return nil }

func (r *recorder) Apply(e auth.Revocation) error {
	if err := uuid.Validate(e.ID); err != nil {
		return err
	}
	r.got = append(r.got, fmt.Sprint(e.Kind, " ", e.ID, " of ", e.UserID))
	return nil
}

func TestTheEndOfSessionsComesBeforeLaterChanges(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	server := subscribe.New(subscribe.Config{Token: "token", Log: slog.New(slog.DiscardHandler)})
	Subscribe(server, r, r)
	user, first, second := uuid.NewString(), uuid.NewString(), uuid.NewString()
	deliver := func(data string, want string) {
		t.Helper()
		req := httptest.NewRequest(http.MethodPost, "/events/"+events.TopicTaskUpdates, strings.NewReader(`{"specversion":"1.0","data":`+data+`}`))
		req.Header.Set("dapr-api-token", "token")
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, req)
		if got := w.Body.String(); !strings.Contains(got, want) {
			t.Errorf("delivery of %s: got %d %s, want %s", data, w.Code, got, want)
		}
	}
	ended, err := events.SessionUpdateEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, EventType: events.SessionsEnded,
		TaskID: user, UserID: user, SessionIDs: []string{first, second}, Timestamp: time.Now().UTC(),
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	later, err := json.Marshal(map[string]any{
		"event_id": uuid.Must(uuid.NewV7()).String(), "schema_version": events.SchemaVersion, "event_type": "of_the_future",
		"task_id": uuid.NewString(), "user_id": user, "seq": 7, "timestamp": time.Now().UTC(),
	})
	if err != nil {
		t.Fatal(err)
	}
	deliver(string(ended), "SUCCESS")
	deliver(string(later), "SUCCESS")
	deliver(strings.Replace(string(ended), first, "s", 1), "RETRY") // never with success: there is no publisher for its dead letter
	want := []string{"session " + first + " of " + user, "session " + second + " of " + user, "of_the_future 7"}
	if !slices.Equal(r.got, want) {
		t.Errorf("got %v, want %v", r.got, want)
	}
}
