package events_test

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestTopicsIncludeTheirDeadLetterTopics(t *testing.T) {
	want := []events.Topic{
		{Name: "task-events", Partitions: 12}, {Name: "task-updates", Partitions: 12},
		{Name: "reminders", Partitions: 6}, {Name: "notifications", Partitions: 6}, {Name: "account-events", Partitions: 6},
		{Name: "task-events.dlq", Partitions: 1}, {Name: "task-updates.dlq", Partitions: 1},
		{Name: "reminders.dlq", Partitions: 1}, {Name: "notifications.dlq", Partitions: 1}, {Name: "account-events.dlq", Partitions: 1},
		{Name: "audit-checkpoints", Partitions: 1},
	}
	if got := events.Topics(); !reflect.DeepEqual(got, want) {
		t.Errorf("Topics() = %v, want %v", got, want)
	}
}

func TestEventsReturnTheirPublishMetadata(t *testing.T) {
	for _, tt := range []struct {
		event       events.Event
		name, topic string
		subject     string
	}{
		{sampleTaskEvent(events.Created), "TaskEvent", "task-events", taskID},
		{sampleTaskUpdateEvent(events.Created), "TaskUpdateEvent", "task-updates", taskID},
		{sampleReminderEvent(events.Scheduled), "ReminderEvent", "reminders", taskID},
		{sampleNotificationEvent(events.Added), "NotificationEvent", "notifications", taskID},
		{sampleAccountEvent(events.AccountLoggedIn), "AccountEvent", "account-events", userID},
		{sampleSessionUpdateEvent(), "SessionUpdateEvent", "task-updates", userID},
	} {
		got := []string{tt.event.ID(), tt.event.Name(), tt.event.Topic(), tt.event.Key(), tt.event.Subject()}
		want := []string{eventID, tt.name, tt.topic, userID, tt.subject}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%T: ID, Name, Topic, Key, Subject = %v, want %v", tt.event, got, want)
		}
	}
}

func TestEnumsReportValidValues(t *testing.T) {
	if !events.StatusCancelled.Valid() || events.Status("").Valid() || events.Status("done").Valid() {
		t.Error("Status.Valid does not tell the statuses from others")
	}
	if !events.PriorityUrgent.Valid() || events.Priority("").Valid() || events.Priority("High").Valid() {
		t.Error("Priority.Valid does not tell the priorities from others")
	}
	if !events.AnchorCompletion.Valid() || events.Anchor("").Valid() || events.Anchor("due").Valid() {
		t.Error("Anchor.Valid does not tell the anchors from others")
	}
}

// TestEveryKindOfFieldHasAReason checks that an error about a wrong type has a text for every kind of field.
func TestEveryKindOfFieldHasAReason(t *testing.T) {
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Pointer:
			walk(typ.Elem(), path)
		case reflect.Slice:
			if typ.Elem().Kind() != reflect.Uint8 {
				walk(typ.Elem(), path)
			}
		case reflect.Struct:
			for i := range typ.NumField() {
				if typ != reflect.TypeFor[time.Time]() {
					walk(typ.Field(i).Type, path+"."+typ.Field(i).Name)
				}
			}
		default:
			if !events.HasReason(typ.Kind()) {
				t.Errorf("%s is a %s, for which there is no reason", path, typ.Kind())
			}
		}
	}
	for _, e := range []any{events.TaskEvent{}, events.TaskUpdateEvent{}, events.ReminderEvent{}, events.NotificationEvent{}, events.AccountEvent{}, events.SessionUpdateEvent{}, events.DeadLetter{}} {
		walk(reflect.TypeOf(e), reflect.TypeOf(e).Name())
	}
}

func TestModuleNeedsOnlyTheStandardLibrary(t *testing.T) {
	data, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "require") {
		t.Errorf("go.mod requires a module:\n%s", data)
	}
}
