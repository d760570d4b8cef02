package postgres_test

import (
	"encoding/json"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

// log returns the changes of a user's inbox and checks that their numbers are 1, 2, 3, …
func (w *world) log(user string) []events.NotificationEvent {
	w.t.Helper()
	page, err := w.store.Changes(w.t.Context(), user, 0, 100_000)
	if err != nil {
		w.t.Fatalf("Changes: %v", err)
	}
	changes := make([]events.NotificationEvent, len(page.Items))
	for i, item := range page.Items {
		changes[i] = decoded(w.t, item)
		if changes[i].NotificationSeq != int64(i)+1 || changes[i].UserID != user {
			w.t.Fatalf("change %d of %s's inbox is %s", i+1, user, item)
		}
	}
	if page.Head != int64(len(changes)) {
		w.t.Errorf("head %d after %d changes", page.Head, len(changes))
	}
	if n := len(changes); n > 0 && page.Unread != changes[n-1].Unread {
		w.t.Errorf("the page says %d unread, the newest change says %d", page.Unread, changes[n-1].Unread)
	}
	return changes
}

func decoded(t *testing.T, data json.RawMessage) events.NotificationEvent {
	t.Helper()
	ev, err := events.DecodeNotificationEvent(data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return ev
}
