package domain

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
)

func newEntry(t testing.TB, n int) *Entry {
	t.Helper()
	raw := fmt.Appendf(nil, `{"event_id":%q,"event_type":"updated","user_id":%q,"task_id":%q,"task_version":%d,"timestamp":"2026-11-24T09:00:00Z"}`,
		uuid.NewString(), uuid.NewString(), uuid.NewString(), n)
	e, err := NewEntry(raw, time.Unix(int64(n), 123_456_789))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const (
	eventID = "0192f0c2-3333-7333-8333-333333333333"
	userID  = "6f1c0a52-7d0b-4e0f-8f5b-0a3a4e1b2c3d"
)

func TestAnEntryHasTheColumnsOfItsEvent(t *testing.T) {
	raw := []byte(`{"event_id": "` + eventID + `", "user_id": "` + strings.ToUpper(userID) + `", "event_type": "logged_in", "timestamp": "2026-11-24T09:00:00.000001999+01:00"}`)
	now := time.Date(2026, 11, 24, 9, 0, 0, 1999, time.FixedZone("", 3600))
	e, err := NewEntry(raw, now)
	if err != nil {
		t.Fatal(err)
	}
	if e.UserID != userID || e.Actor != userID || e.TaskID != "" || e.EventType != "logged_in" {
		t.Errorf("columns: got %+v, want the user %s as the actor, and no task", e, userID)
	}
	if want := time.Date(2026, 11, 24, 8, 0, 0, 1000, time.UTC); !e.RecordedAt.Equal(want) || !e.OccurredAt.Equal(want) {
		t.Errorf("times: got %v, %v, want %v", e.RecordedAt, e.OccurredAt, want)
	}
	if e.LeafHash != tlog.RecordHash(e.Leaf()) {
		t.Error("leaf_hash is not the hash of the leaf")
	}
}

func TestAnEventWithoutItsMembersCannotBeStored(t *testing.T) {
	good := `{"event_id":"` + eventID + `","user_id":"` + userID + `","event_type":"created","timestamp":"2026-11-24T09:00:00Z"}`
	if _, err := NewEntry([]byte(good), time.Now()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"no object":       {good, `[]`},
		"no id":           {`"event_id":"` + eventID + `",`, ``},
		"another id":      {eventID, "7"},
		"no user":         {userID, ""},
		"no type":         {`created`, ``},
		"a number":        {`"created"`, `1`},
		"no time":         {`"timestamp"`, `"time"`},
		"time without Z":  {`09:00:00Z"`, `09:00:00","schema_version":2`},
		"a task's number": {`{"event_id"`, `{"task_id":1,"event_id"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if _, err := NewEntry([]byte(bad), time.Now()); !errors.Is(err, ErrUnstorable) {
			t.Errorf("%s: got %v, want ErrUnstorable", name, err)
		}
	}
}
