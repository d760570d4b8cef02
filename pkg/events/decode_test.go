package events_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// edited returns a golden document with changed fields. A nil value removes the field. The parts of a path are separated by
// dots.
func edited(t *testing.T, file string, edits map[string]any) []byte {
	t.Helper()
	var doc map[string]any
	dec := json.NewDecoder(strings.NewReader(string(readGolden(t, file))))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	for path, value := range edits {
		object := doc
		parts := strings.Split(path, ".")
		for _, p := range parts[:len(parts)-1] {
			object = object[p].(map[string]any)
		}
		if last := parts[len(parts)-1]; value == nil {
			delete(object, last)
		} else {
			object[last] = value
		}
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const (
	currentTaskEvent  = currentDir + "/task-event.updated.json"
	originalTaskEvent = originalDir + "/task-event.updated.json"
	currentReminder   = currentDir + "/reminder-event.scheduled.json"
	originalReminder  = originalDir + "/reminder-event.json"
)

// null sets a field to JSON's null in an edit.
var null = json.RawMessage("null")

func TestDecodeNamesTheFieldWithAWrongValue(t *testing.T) {
	tests := []struct {
		path  string
		value any
		field string // "" means the path
	}{
		{"event_id", 5, ""},
		{"event_id", "5", ""},
		{"schema_version", "2", ""},
		{"schema_version", 2.5, ""},
		{"schema_version", -1, ""},
		{"event_type", []int{}, ""},
		{"event_type", null, ""},
		{"event_type", nil, ""},
		{"task_id", 17, ""},
		{"user_id", "somebody", ""},
		{"timestamp", "yesterday", ""},
		{"timestamp", "2026-11-02T08:15:00", ""}, // only the original form may omit the zone
		{"timestamp", 1_700_000_000, ""},
		{"task_version", "7", ""},
		{"task_version", json.Number("9223372036854775808"), ""},
		{"seq", 7.5, ""},
		{"actor", map[string]any{}, ""},
		{"changes", "title", ""},
		{"changes", []any{"title"}, "changes[0]"},
		{"changes", []any{map[string]any{"field": "a"}, map[string]any{"field": 1}}, "changes[1].field"},
		{"task_data", nil, "task_data.id"},
		{"task_data", []any{}, ""},
		{"task_data", "{}", ""},
		{"task_data.title", 5, ""},
		{"task_data.title", nil, ""},
		{"task_data.status", true, ""},
		{"task_data.status", nil, ""}, // has no default in the current form
		{"task_data.tags", "home", ""},
		{"task_data.tags", []any{"home", 5}, "task_data.tags[1]"},
		{"task_data.due_at", "2026-11-09", ""},
		{"task_data.due_date", 20261109, ""},
		{"task_data.position", "first", ""},
		{"task_data.position", json.Number("1e999"), ""},
		{"task_data.occurrence_no", 1.5, ""},
		{"task_data.recurrence", "daily", ""},
		{"task_data.recurrence", map[string]any{"rrule": 1}, "task_data.recurrence.rrule"},
		{"task_data.recurrence", map[string]any{}, "task_data.recurrence.rrule"},
		{"task_data.created_at", "", ""},
	}
	for _, tt := range tests {
		doc := edited(t, currentTaskEvent, map[string]any{tt.path: tt.value})
		e, err := events.DecodeTaskEvent(doc)
		want := tt.field
		if want == "" {
			want = tt.path
		}
		checkField(t, "DecodeTaskEvent("+string(doc)+")", err, want)
		if tt.path != "event_id" && e.EventID != eventID {
			t.Errorf("DecodeTaskEvent with a wrong %s has event id %q, want %q for the log line", tt.path, e.EventID, eventID)
		}
	}
	doc := edited(t, currentDir+"/notification-event.added.json", map[string]any{"late": "yes"})
	_, err := events.DecodeNotificationEvent(doc)
	checkField(t, "DecodeNotificationEvent("+string(doc)+")", err, "late")
}

func TestDecodeRefusesNonDocuments(t *testing.T) {
	for _, doc := range []string{"", " ", "null", "5", `"x"`, "[]", "[{}]", "{", `{"event_id":"`, "{}{}", "\xff", "{\"a\":\"\xff\"}", strings.Repeat("[", 20_000)} {
		for kind, decode := range decoders {
			_, err := decode([]byte(doc))
			checkField(t, kind+" of "+doc, err, events.FieldDocument)
		}
	}
}

func TestUnknownTypesAreNotErrors(t *testing.T) {
	for name, file := range map[string]string{"current": currentTaskEvent, "original": originalTaskEvent} {
		t.Run(name, func(t *testing.T) {
			doc := edited(t, file, map[string]any{"event_type": "delegated", "task_data": []any{"of", "another", "form"}, "task_version": "x"})
			e, err := events.DecodeTaskEvent(doc)
			if !errors.Is(err, events.ErrUnknownType) || errors.Is(err, events.ErrInvalid) {
				t.Fatalf("DecodeTaskEvent(%s) = %v, want ErrUnknownType alone", doc, err)
			}
			if e.EventID != eventID || e.EventType != "delegated" || e.TaskID != taskID || e.UserID != userID {
				t.Errorf("DecodeTaskEvent(%s) = %+v, want what every event has", doc, e)
			}
			if _, err := events.DecodeTaskUpdateEvent(doc); !errors.Is(err, events.ErrUnknownType) {
				t.Errorf("DecodeTaskUpdateEvent(%s) = %v, want ErrUnknownType", doc, err)
			}
			if _, err := events.DecodeReminderEvent(doc); !errors.Is(err, events.ErrUnknownType) {
				t.Errorf("DecodeReminderEvent(%s) = %v, want ErrUnknownType", doc, err)
			}
			for _, bad := range []string{"event_id", "task_id", "user_id", "timestamp"} {
				doc := edited(t, file, map[string]any{"event_type": "delegated", bad: "bad"})
				_, err := events.DecodeTaskEvent(doc)
				checkField(t, "DecodeTaskEvent("+string(doc)+")", err, bad)
			}
		})
	}
	doc := edited(t, currentTaskEvent, map[string]any{"event_type": strings.Repeat("x", events.MaxEventType+1)})
	_, err := events.DecodeTaskEvent(doc)
	checkField(t, "DecodeTaskEvent of a long type", err, "event_type")
}

// An event that was published before notifications had numbers.
const unnumbered = `{"event_id":"` + eventID + `","schema_version":2,"notification_id":"` + notificationID + `","task_id":"` + taskID +
	`","user_id":"` + userID + `","kind":"reminder","title":"Water the plants","body":"Due on Monday at 09:00.",` +
	`"due_at":"2026-11-09T08:00:00Z","late":true,"timestamp":"2026-11-09T07:30:00Z"}`

func TestANotificationWithoutANumberIsAdded(t *testing.T) {
	e, err := events.DecodeNotificationEvent([]byte(unnumbered))
	if err != nil || e.EventType != events.Added || e.NotificationSeq != 0 || e.Unread != 0 || e.DueDate != "" || e.Title != "Water the plants" {
		t.Errorf("DecodeNotificationEvent(%s) = %+v, %v, want an added notification with the number 0", unnumbered, e, err)
	}
}

// A reader that lost such an event would see a hole in the numbers that nothing can fill.
func TestANotificationOfAnUnknownTypeKeepsItsNumber(t *testing.T) {
	doc := edited(t, currentDir+"/notification-event.added.json", map[string]any{"event_type": "archived"})
	e, err := events.DecodeNotificationEvent(doc)
	if err != nil || e.EventType != "archived" || e.NotificationSeq != beyondFloat || e.Unread != 3 || e.NotificationID != notificationID {
		t.Errorf("DecodeNotificationEvent(%s) = %+v, %v, want it whole", doc, e, err)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	extra := map[string]any{"color": "red", "parents": []any{1, map[string]any{}}}
	for _, kind := range []string{"task-event.updated", "task-update-event.updated", "reminder-event.scheduled", "notification-event.added", "account-event.logged_in", "session-update-event.session_ended", "dead-letter.json"} {
		file := currentDir + "/" + kind + ".json"
		want, err := decoderOf(t, file)(readGolden(t, file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := decoderOf(t, file)(edited(t, file, extra))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("decode %s with unknown fields\n got %+v, %v\nwant %+v", kind, got, err, want)
		}
	}
	doc := edited(t, currentTaskEvent, map[string]any{
		"task_data.color": 1, "task_data.recurrence.color": 1, "task_data.TITLE": 5, "EVENT_ID": 5,
		"changes": []any{map[string]any{"field": "title", "color": 1, "FIELD": 5}},
	})
	e, err := events.DecodeTaskEvent(doc)
	if err != nil || e.EventID != eventID || e.TaskData.Title != sampleTask(events.Updated).Title || e.Changes[0].Field != "title" {
		t.Errorf("DecodeTaskEvent(%s) = %+v, %v, want the unknown fields skipped", doc, e, err)
	}
}

func TestLaterSchemaVersionIsReadAsCurrent(t *testing.T) {
	e, err := events.DecodeTaskEvent(edited(t, currentTaskEvent, map[string]any{"schema_version": 7}))
	if err != nil || e.SchemaVersion != events.SchemaVersion {
		t.Errorf("DecodeTaskEvent of schema version 7 = version %d, %v, want version %d", e.SchemaVersion, err, events.SchemaVersion)
	}
}

func TestNullMeansAbsent(t *testing.T) {
	doc := edited(t, currentTaskEvent, map[string]any{
		"task_data.tags": null, "task_data.priority": null, "task_data.timezone": null, "task_data.recurrence": null,
		"task_data.due_at": null, "changes": null, "causation_id": null,
	})
	e, err := events.DecodeTaskEvent(doc)
	if err != nil {
		t.Fatalf("DecodeTaskEvent(%s) = %v", doc, err)
	}
	d := e.TaskData
	if d.Tags == nil || len(d.Tags) != 0 || d.Priority != events.PriorityMedium || d.Timezone != "UTC" || d.Recurrence != nil || d.DueAt != nil || e.Changes != nil {
		t.Errorf("DecodeTaskEvent(%s) = %+v, want the defaults", doc, e)
	}
}

func TestIntegersBeyondFloat64Survive(t *testing.T) {
	const huge = "123456789012345678901234567890"
	doc := edited(t, currentTaskEvent, map[string]any{
		"seq": json.Number("9007199254740993"), "task_data.seq": json.Number("9007199254740993"),
		"changes": []any{map[string]any{"field": "seq", "from": json.Number(huge), "to": json.RawMessage(`["\u0041",` + huge + `]`)}},
	})
	e, err := events.DecodeTaskEvent(doc)
	if err != nil || e.Seq != beyondFloat || e.TaskData.Seq != beyondFloat {
		t.Fatalf("DecodeTaskEvent(%s): seq %d, %d, %v, want %d", doc, e.Seq, e.TaskData.Seq, err, beyondFloat)
	}
	if got := mustEncode(t, e); !strings.Contains(string(got), `"from":`+huge+`,"to":["A",`+huge+`]`) {
		t.Errorf("encoded again: %s, want from and to with all their digits", got)
	}
}

func TestDecodeNormalisesValues(t *testing.T) {
	doc := edited(t, currentTaskEvent, map[string]any{
		"event_id": strings.ToUpper(eventID), "task_data.id": strings.ToUpper(taskID), "task_data.series_id": strings.ToUpper(seriesID),
		"timestamp": "2026-11-03T10:30:15.123456+01:00", "task_data.due_at": "2026-11-09T09:00:00+01:00",
		"task_data.start_at": "2026-11-09T09:00:00+01:00", "task_data.recurrence.exdates": []any{},
		"changes": []any{map[string]any{"field": "title", "to": json.RawMessage(`{ "half": "\ud800" }`)}},
	})
	e, err := events.DecodeTaskEvent(doc)
	if err != nil {
		t.Fatalf("DecodeTaskEvent(%s) = %v", doc, err)
	}
	if e.EventID != eventID || e.TaskData.ID != taskID || e.TaskData.SeriesID != seriesID {
		t.Errorf("ids %s, %s, %s, want lower case", e.EventID, e.TaskData.ID, e.TaskData.SeriesID)
	}
	if e.Timestamp != changed || *e.TaskData.DueAt != dueAt || *e.TaskData.StartAt != dueAt {
		t.Errorf("times %v, %v, %v, want %v, %v, %v", e.Timestamp, *e.TaskData.DueAt, *e.TaskData.StartAt, changed, dueAt, dueAt)
	}
	if e.TaskData.Recurrence.ExDates != nil {
		t.Errorf("exdates %#v, want nil for an empty list", e.TaskData.Recurrence.ExDates)
	}
	if from, to := string(e.Changes[0].From), string(e.Changes[0].To); from != "null" || to != "{\"half\":\"\uFFFD\"}" {
		t.Errorf("change %s, %s, want null and compact JSON without half a surrogate pair", from, to)
	}
}

func TestEncodeDoesNotChangeTheCallersEvent(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	e := sampleTaskEvent(events.Updated)
	e.TaskData.DueAt, e.TaskData.Tags = ptr(dueAt.In(berlin)), nil
	e.Changes[1].To = json.RawMessage(`[ 1 ]`)
	data := string(mustEncode(t, e))
	if !strings.Contains(data, `"due_at":"2026-11-09T08:00:00Z"`) || !strings.Contains(data, `"tags":[]`) || !strings.Contains(data, `"to":[1]`) {
		t.Errorf("Encode() = %s, want UTC, tags as a list and compact values", data)
	}
	if e.TaskData.DueAt.Location() != berlin || e.TaskData.Tags != nil || string(e.Changes[1].To) != `[ 1 ]` || e.Changes[1].From != nil {
		t.Errorf("after Encode() the event is %+v, want it unchanged", e)
	}
}

func TestReminderWithoutTypeIsScheduled(t *testing.T) {
	for _, file := range []string{currentReminder, originalReminder} {
		e, err := events.DecodeReminderEvent(edited(t, file, map[string]any{"event_type": nil}))
		if err != nil || e.EventType != events.Scheduled {
			t.Errorf("DecodeReminderEvent of %s without event_type = %q, %v, want scheduled", file, e.EventType, err)
		}
	}
}

func TestReminderWithoutTimesNamesTheField(t *testing.T) {
	for _, file := range []string{currentReminder, originalReminder} {
		for _, field := range []string{"due_at", "remind_at"} {
			for _, value := range []any{nil, null, "soon"} {
				doc := edited(t, file, map[string]any{field: value})
				_, err := events.DecodeReminderEvent(doc)
				checkField(t, "DecodeReminderEvent("+string(doc)+")", err, field)
			}
		}
	}
}
