package events_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestOriginalTaskDataIsReadLeniently(t *testing.T) {
	type task = events.TaskData
	at := func(s string) *time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return &v
	}
	base := func() task {
		return task{ID: taskID, UserID: userID, Title: "t", Status: events.StatusPending, Priority: events.PriorityMedium, Tags: []string{}, Timezone: "UTC"}
	}
	tests := []struct {
		name string
		typ  events.Type
		data string
		want func(*task)
	}{
		{"a title alone", events.Created, `{"title":"t"}`, func(*task) {}},
		{"numeric ids", events.Updated, `{"id":17,"user_id":4,"title":"t"}`, func(*task) {}},
		{"ids that are null", events.Updated, `{"id":null,"user_id":null,"title":"t"}`, func(*task) {}},
		{"ids that are not UUIDs", events.Updated, `{"id":"17","user_id":"ann","title":"t"}`, func(*task) {}},
		{"nulls", events.Updated, `{"title":"t","description":null,"status":null,"priority":null,"tags":null,"due_date":null,"recurrence":null,"timezone":null}`, func(*task) {}},
		{"empty strings", events.Updated, `{"title":"t","status":"","priority":"","due_date":"","remind_at":"","created_at":"","recurrence":"","timezone":""}`, func(*task) {}},
		{"completed true", events.Updated, `{"title":"t","completed":true}`, func(d *task) { d.Status = events.StatusCompleted }},
		{"completed false", events.Completed, `{"title":"t","completed":false}`, func(*task) {}},
		{"a status and completed", events.Updated, `{"title":"t","completed":true,"status":"cancelled"}`, func(d *task) { d.Status = events.StatusCancelled }},
		{"completed of another type", events.Completed, `{"title":"t","completed":"x"}`, func(d *task) { d.Status = events.StatusCompleted }},
		{"a completed event without status", events.Completed, `{"title":"t"}`, func(d *task) { d.Status = events.StatusCompleted }},
		{"a day", events.Updated, `{"title":"t","due_date":"2025-12-31"}`, func(d *task) { d.DueDate = "2025-12-31" }},
		{"a due date with a time", events.Updated, `{"title":"t","due_date":"2025-12-31T10:00:00+02:00"}`, func(d *task) { d.DueAt = at("2025-12-31T08:00:00Z") }},
		{"a due date with a time without zone", events.Updated, `{"title":"t","due_date":"2025-12-31T10:00:00.5"}`, func(d *task) { d.DueAt = at("2025-12-31T10:00:00.5Z") }},
		{"times with a space", events.Updated, `{"title":"t","created_at":"2025-12-01 10:00:00","updated_at":"2025-12-02 10:00:00.25"}`,
			func(d *task) { d.CreatedAt, d.UpdatedAt = *at("2025-12-01T10:00:00Z"), *at("2025-12-02T10:00:00.25Z") }},
		{"no recurrence", events.Updated, `{"title":"t","recurrence":"None"}`, func(*task) {}},
		{"a rule alone", events.Updated, `{"title":"t","timezone":"Asia/Tokyo","recurrence":{"rrule":"FREQ=DAILY"}}`, func(d *task) {
			d.Timezone = "Asia/Tokyo"
			d.Recurrence = &events.Recurrence{RRule: "FREQ=DAILY", Anchor: events.AnchorSchedule, Timezone: "Asia/Tokyo", CatchUp: events.CatchUpNext}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc := edited(t, originalTaskEvent, map[string]any{"event_type": tt.typ, "task_data": json.RawMessage(tt.data)})
			e, err := events.DecodeTaskEvent(doc)
			want := base()
			tt.want(&want)
			if err != nil || asJSON(t, e.TaskData) != asJSON(t, want) || e.SchemaVersion != 1 {
				t.Errorf("DecodeTaskEvent(%s)\n got %s, version %d, %v\nwant %s", doc, asJSON(t, e.TaskData), e.SchemaVersion, err, asJSON(t, want))
			}
			u, err := events.DecodeTaskUpdateEvent(doc)
			if err != nil || asJSON(t, u.TaskData) != asJSON(t, want) {
				t.Errorf("DecodeTaskUpdateEvent(%s)\n got %s, %v\nwant %s", doc, asJSON(t, u.TaskData), err, asJSON(t, want))
			}
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOriginalFormRefusesValuesItWouldLose(t *testing.T) {
	tests := []struct {
		path  string
		value any
		field string
	}{
		{"task_id", 17, "task_id"},
		{"task_data", nil, "task_data.title"},
		{"task_data", null, "task_data.title"},
		{"task_data", "x", "task_data"},
		{"task_data.id", seriesID, "task_data.id"}, // another task
		{"task_data.title", "", "task_data.title"},
		{"task_data.status", "done", "task_data.status"},
		{"task_data.due_date", "next week", "task_data.due_date"},
		{"task_data.recurrence", "weekly", "task_data.recurrence"},
		{"task_data.created_at", "yesterday", "task_data.created_at"},
		{"timestamp", "", "timestamp"},
		{"timestamp", "yesterday", "timestamp"},
		{"timestamp", nil, "timestamp"},
	}
	for _, tt := range tests {
		doc := edited(t, originalTaskEvent, map[string]any{tt.path: tt.value})
		_, err := events.DecodeTaskEvent(doc)
		checkField(t, "DecodeTaskEvent("+string(doc)+")", err, tt.field)
	}
}

func TestSchemaVersionSelectsTheOriginalForm(t *testing.T) {
	for _, version := range []any{nil, null, 0, 1} {
		doc := edited(t, originalTaskEvent, map[string]any{"schema_version": version, "timestamp": "2025-12-02T09:30:15"})
		e, err := events.DecodeTaskEvent(doc)
		if err != nil || e.SchemaVersion != 1 || !e.Timestamp.Equal(time.Date(2025, 12, 2, 9, 30, 15, 0, time.UTC)) {
			t.Errorf("DecodeTaskEvent(%s) = version %d, %v, %v, want version 1 and a timestamp in UTC", doc, e.SchemaVersion, e.Timestamp, err)
		}
	}
	doc := edited(t, currentDir+"/notification-event.added.json", map[string]any{"schema_version": nil})
	_, err := events.DecodeNotificationEvent(doc)
	checkField(t, "DecodeNotificationEvent("+string(doc)+")", err, "schema_version")
}

func TestOriginalReminderOnADateIsDueAtEndOfDay(t *testing.T) {
	doc := edited(t, originalReminder, map[string]any{"due_at": "2025-12-31", "remind_at": "2025-12-31T10:00:00"})
	e, err := events.DecodeReminderEvent(doc)
	if err != nil || !e.DueAt.Equal(time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC)) || !e.RemindAt.Equal(time.Date(2025, 12, 31, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("DecodeReminderEvent(%s) = due %v, remind %v, %v, want the end of the day and 10:00 in UTC", doc, e.DueAt, e.RemindAt, err)
	}
}
