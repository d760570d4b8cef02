package domain

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

const (
	taskID = "01890a5d-ac96-774b-bcce-b302099a8057"
	userID = "01890a5d-ac96-774b-bcce-b302099a8058"
)

var (
	noon     = time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	defaults = Defaults{Timezone: "Europe/London", Now: noon, Position: PositionStep}
)

func fields(t testing.TB, body string) Fields {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatalf("body %s: %v", body, err)
	}
	f, err := ParseFields(members)
	if err != nil {
		t.Fatalf("ParseFields(%s): %v", body, err)
	}
	return f
}

func newTask(t testing.TB, body string) Task {
	t.Helper()
	task, err := New(taskID, userID, fields(t, body), defaults)
	if err != nil {
		t.Fatalf("New(%s): %v", body, err)
	}
	task.Version, task.Seq = 1, 1
	return task
}

// wantRefused checks that err is an *Invalid that names the field.
func wantRefused(t *testing.T, call string, err error, malformed bool, field string) {
	t.Helper()
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		t.Errorf("%s: got %v, want an *Invalid", call, err)
		return
	}
	for _, f := range invalid.Fields {
		if f.Field == field {
			if invalid.Malformed != malformed {
				t.Errorf("%s: got malformed %v, want %v", call, invalid.Malformed, malformed)
			}
			return
		}
	}
	t.Errorf("%s: got %v, want one that names %q", call, err, field)
}

// valid checks that an event can carry the task.
func valid(t *testing.T, call string, task Task) {
	t.Helper()
	e := events.TaskUpdateEvent{
		EventID: taskID, SchemaVersion: events.SchemaVersion, EventType: events.Created, TaskID: task.ID, UserID: task.UserID,
		TaskData: task.TaskData, TaskVersion: task.Version, Seq: task.Seq, Timestamp: noon,
	}
	if err := e.Validate(); err != nil {
		t.Errorf("%s: got a task that no event can carry: %v", call, err)
	}
}
