package events_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// checkField requires a *ValidationError about that field, or no error if the field is "".
func checkField(t *testing.T, call string, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("%s = %v, want no error", call, err)
		}
		return
	}
	var invalid *events.ValidationError
	if !errors.As(err, &invalid) || !errors.Is(err, events.ErrInvalid) {
		t.Errorf("%s = %v, want a *ValidationError about %s", call, err, want)
		return
	}
	if invalid.Field != want || invalid.Reason == "" {
		t.Errorf("%s = %v, want it to be about %s", call, err, want)
	}
}

func ptr[T any](v T) *T { return &v }

// yearTenThousand is in the year 9999 in its own zone, and in the year 10000 in UTC.
var yearTenThousand = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -12*3600))

func TestTaskDataRules(t *testing.T) {
	type task = events.TaskData
	tests := []struct {
		name  string
		edit  func(*task)
		field string // that the error names; "" for a valid task
	}{
		{"as it is", func(*task) {}, ""},
		{"no id", func(d *task) { d.ID = "" }, "task_data.id"},
		{"an id that is not the event's", func(d *task) { d.ID = seriesID }, "task_data.id"},
		{"no user", func(d *task) { d.UserID = "" }, "task_data.user_id"},
		{"a user that is not the event's", func(d *task) { d.UserID = seriesID }, "task_data.user_id"},
		{"title of 1", func(d *task) { d.Title = "x" }, ""},
		{"title of 500 characters of 4 bytes", func(d *task) { d.Title = strings.Repeat("🌿", 500) }, ""},
		{"title of 501", func(d *task) { d.Title = strings.Repeat("x", 501) }, "task_data.title"},
		{"no title", func(d *task) { d.Title = "" }, "task_data.title"},
		{"title with NUL", func(d *task) { d.Title = "a\x00b" }, "task_data.title"},
		{"title that is not UTF-8", func(d *task) { d.Title = "a\xff" }, "task_data.title"},
		{"no description", func(d *task) { d.Description = "" }, ""},
		{"description of 10,000", func(d *task) { d.Description = strings.Repeat("ß", 10_000) }, ""},
		{"description of 10,001", func(d *task) { d.Description = strings.Repeat("ß", 10_001) }, "task_data.description"},
		{"in progress", func(d *task) { d.Status = events.StatusInProgress }, ""},
		{"no status", func(d *task) { d.Status = "" }, "task_data.status"},
		{"another status", func(d *task) { d.Status = "done" }, "task_data.status"},
		{"no priority", func(d *task) { d.Priority = "" }, "task_data.priority"},
		{"another priority", func(d *task) { d.Priority = "High" }, "task_data.priority"},
		{"no tags", func(d *task) { d.Tags = nil }, ""},
		{"20 tags of 50", func(d *task) { d.Tags = repeat(strings.Repeat("é", 50), 20) }, ""},
		{"21 tags", func(d *task) { d.Tags = repeat("x", 21) }, "task_data.tags"},
		{"a tag of 51", func(d *task) { d.Tags = []string{"x", strings.Repeat("x", 51)} }, "task_data.tags[1]"},
		{"an empty tag", func(d *task) { d.Tags = []string{"x", "y", ""} }, "task_data.tags[2]"},
		{"a due date", func(d *task) { d.DueAt, d.DueDate = nil, "2028-02-29" }, ""},
		{"a day that does not exist", func(d *task) { d.DueAt, d.DueDate = nil, "2027-02-29" }, "task_data.due_date"},
		{"a due date with a time", func(d *task) { d.DueAt, d.DueDate = nil, "2027-02-28T10:00:00Z" }, "task_data.due_date"},
		{"the year 0", func(d *task) { d.DueAt, d.DueDate = nil, "0000-02-28" }, "task_data.due_date"},
		{"a start date", func(d *task) { d.StartAt, d.StartDate = nil, "2028-02-29" }, ""},
		{"a start that does not exist", func(d *task) { d.StartAt, d.StartDate = nil, "2027-02-29" }, "task_data.start_date"},
		{"both starts", func(d *task) { d.StartDate = "2026-02-28" }, "task_data.start_at"},
		{"no catch-up", func(d *task) { d.Recurrence.CatchUp = "" }, ""},
		{"an unknown catch-up", func(d *task) { d.Recurrence.CatchUp = "some" }, "task_data.recurrence.catch_up"},
		{"an excluded day that does not exist", func(d *task) { d.Recurrence.ExDates = []string{"2027-02-28", "2027-02-29"} }, "task_data.recurrence.exdates[1]"},
		{"100 excluded days", func(d *task) { d.Recurrence.ExDates = slices.Repeat([]string{"2027-02-28"}, events.MaxExDates) }, ""},
		{"101 excluded days", func(d *task) { d.Recurrence.ExDates = slices.Repeat([]string{"2027-02-28"}, events.MaxExDates+1) }, "task_data.recurrence.exdates"},
		{"both due dates", func(d *task) { d.DueDate = "2028-02-29" }, "task_data.due_at"},
		{"a due instant that is not set", func(d *task) { d.DueAt = &time.Time{} }, "task_data.due_at"},
		{"a due instant that JSON cannot express", func(d *task) { d.DueAt = &yearTenThousand }, "task_data.due_at"},
		{"no zone", func(d *task) { d.Timezone = "" }, "task_data.timezone"},
		{"UTC", func(d *task) { d.Timezone = "UTC" }, ""},
		{"a zone that is not IANA's", func(d *task) { d.Timezone = "Mars/Olympus_Mons" }, "task_data.timezone"},
		{"the machine's own zone", func(d *task) { d.Timezone = "Local" }, "task_data.timezone"},
		{"the machine's own zone file", func(d *task) { d.Timezone = "localtime" }, "task_data.timezone"},
		{"a zone with leap seconds", func(d *task) { d.Timezone = "right/Europe/Berlin" }, "task_data.timezone"},
		{"a path", func(d *task) { d.Timezone = "../../etc/passwd" }, "task_data.timezone"},
		{"a long zone", func(d *task) { d.Timezone = strings.Repeat("x", 10_000) }, "task_data.timezone"},
		{"a reminder that is not set", func(d *task) { d.RemindAt = &time.Time{} }, "task_data.remind_at"},
		{"no recurrence", func(d *task) { d.Recurrence = nil }, ""},
		{"no rule", func(d *task) { d.Recurrence.RRule = "" }, "task_data.recurrence.rrule"},
		{"a long rule", func(d *task) { d.Recurrence.RRule = strings.Repeat("x", 501) }, "task_data.recurrence.rrule"},
		{"another anchor", func(d *task) { d.Recurrence.Anchor = "due" }, "task_data.recurrence.anchor"},
		{"no zone of the rule", func(d *task) { d.Recurrence.Timezone = "" }, "task_data.recurrence.timezone"},
		{"no series", func(d *task) { d.SeriesID = "" }, ""},
		{"a series that is no UUID", func(d *task) { d.SeriesID = "7" }, "task_data.series_id"},
		{"an occurrence before the first", func(d *task) { d.OccurrenceNo = -1 }, "task_data.occurrence_no"},
		{"a position that is not a number", func(d *task) { d.Position = math.NaN() }, "task_data.position"},
		{"an infinite position", func(d *task) { d.Position = math.Inf(-1) }, "task_data.position"},
		{"no version", func(d *task) { d.Version = 0 }, "task_data.version"},
		{"a version that is not the event's", func(d *task) { d.Version++ }, "task_data.version"},
		{"no seq", func(d *task) { d.Seq = 0 }, "task_data.seq"},
		{"a seq that is not the event's", func(d *task) { d.Seq++ }, "task_data.seq"},
		{"not created", func(d *task) { d.CreatedAt = time.Time{} }, "task_data.created_at"},
		{"not updated", func(d *task) { d.UpdatedAt = time.Time{} }, "task_data.updated_at"},
		{"a completion that is not set", func(d *task) { d.CompletedAt = &time.Time{} }, "task_data.completed_at"},
		{"a deletion that is not set", func(d *task) { d.DeletedAt = &time.Time{} }, "task_data.deleted_at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, u := sampleTaskEvent(events.Updated), sampleTaskUpdateEvent(events.Updated)
			tt.edit(&e.TaskData)
			tt.edit(&u.TaskData)
			checkField(t, "TaskEvent.Validate()", e.Validate(), tt.field)
			checkField(t, "TaskUpdateEvent.Validate()", u.Validate(), tt.field)
			_, err := e.Encode()
			checkField(t, "TaskEvent.Encode()", err, tt.field)
		})
	}
}

func repeat(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

func TestEnvelopeRules(t *testing.T) {
	tests := []struct {
		name  string
		edit  func(eventID, taskID, userID *string, version *int, at *time.Time)
		field string
	}{
		{"no event id", func(id, _, _ *string, _ *int, _ *time.Time) { *id = "" }, "event_id"},
		{"an event id that is no UUID", func(id, _, _ *string, _ *int, _ *time.Time) { *id = strings.Replace(eventID, "-", "_", 1) }, "event_id"},
		{"an event id with another digit", func(id, _, _ *string, _ *int, _ *time.Time) { *id = strings.Replace(eventID, "0", "g", 1) }, "event_id"},
		{"an event id in braces", func(id, _, _ *string, _ *int, _ *time.Time) { *id = "{" + eventID + "}" }, "event_id"},
		{"an event id in upper case", func(id, _, _ *string, _ *int, _ *time.Time) { *id = strings.ToUpper(eventID) }, "event_id"},
		{"the nil event id", func(id, _, _ *string, _ *int, _ *time.Time) { *id = "00000000-0000-0000-0000-000000000000" }, "event_id"},
		{"no task", func(_, task, _ *string, _ *int, _ *time.Time) { *task = "" }, "task_id"},
		{"no user", func(_, _, user *string, _ *int, _ *time.Time) { *user = "" }, "user_id"},
		{"no version", func(_, _, _ *string, v *int, _ *time.Time) { *v = 0 }, "schema_version"},
		{"a later version", func(_, _, _ *string, v *int, _ *time.Time) { *v = events.SchemaVersion + 1 }, "schema_version"},
		{"a negative version", func(_, _, _ *string, v *int, _ *time.Time) { *v = -1 }, "schema_version"},
		{"no timestamp", func(_, _, _ *string, _ *int, at *time.Time) { *at = time.Time{} }, "timestamp"},
		{"a timestamp that JSON cannot express", func(_, _, _ *string, _ *int, at *time.Time) { *at = yearTenThousand }, "timestamp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := sampleTaskEvent(events.Updated)
			tt.edit(&e.EventID, &e.TaskID, &e.UserID, &e.SchemaVersion, &e.Timestamp)
			checkField(t, "TaskEvent.Validate()", e.Validate(), tt.field)
			u := sampleTaskUpdateEvent(events.Updated)
			tt.edit(&u.EventID, &u.TaskID, &u.UserID, &u.SchemaVersion, &u.Timestamp)
			checkField(t, "TaskUpdateEvent.Validate()", u.Validate(), tt.field)
			r := sampleReminderEvent(events.Scheduled)
			tt.edit(&r.EventID, &r.TaskID, &r.UserID, &r.SchemaVersion, &r.Timestamp)
			checkField(t, "ReminderEvent.Validate()", r.Validate(), tt.field)
			n := sampleNotificationEvent(events.Added)
			tt.edit(&n.EventID, &n.TaskID, &n.UserID, &n.SchemaVersion, &n.Timestamp)
			checkField(t, "NotificationEvent.Validate()", n.Validate(), tt.field)
		})
	}
}

func TestTaskEventRules(t *testing.T) {
	type event = events.TaskEvent
	change := events.Change{Field: "title"}
	tests := []struct {
		name  string
		edit  func(*event)
		field string
	}{
		{"no type", func(e *event) { e.EventType = "" }, "event_type"},
		{"a reminder's type", func(e *event) { e.EventType = events.Scheduled }, "event_type"},
		{"no task version", func(e *event) { e.TaskVersion = 0 }, "task_version"},
		{"a task version below 1", func(e *event) { e.TaskVersion = -7 }, "task_version"},
		{"no seq", func(e *event) { e.Seq = 0 }, "seq"},
		{"no actor", func(e *event) { e.Actor = "" }, "actor"},
		{"a long actor", func(e *event) { e.Actor = strings.Repeat("x", 101) }, "actor"},
		{"no cause", func(e *event) { e.CausationID = "" }, ""},
		{"a long cause", func(e *event) { e.CausationID = strings.Repeat("x", 201) }, "causation_id"},
		{"no changes", func(e *event) { e.Changes = nil }, ""},
		{"50 changes", func(e *event) { e.Changes = make50(change) }, ""},
		{"51 changes", func(e *event) { e.Changes = append(make50(change), change) }, "changes"},
		{"a change without a field", func(e *event) { e.Changes = []events.Change{change, {}} }, "changes[1].field"},
		{"a value that is not JSON", func(e *event) { e.Changes[0].From = json.RawMessage(`{`) }, "changes[0].from"},
		{"a value with NUL", func(e *event) { e.Changes[0].To = json.RawMessage(`{"a":["\u0000"]}`) }, "changes[0].to"},
		{"a name with NUL", func(e *event) { e.Changes[0].To = json.RawMessage(`{"\u0000":1}`) }, "changes[0].to"},
		{"an escaped backslash before u0000", func(e *event) { e.Changes[0].To = json.RawMessage(`"\\u0000"`) }, ""},
		{"a value that is not UTF-8", func(e *event) { e.Changes[0].To = json.RawMessage("\"\xff\"") }, "changes[0].to"},
		{"a value that is empty but set", func(e *event) { e.Changes[0].To = json.RawMessage{} }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := sampleTaskEvent(events.Updated)
			tt.edit(&e)
			_, err := e.Encode()
			checkField(t, "Encode()", err, tt.field)
		})
	}
}

func make50(c events.Change) []events.Change {
	list := make([]events.Change, 50)
	for i := range list {
		list[i] = c
	}
	return list
}

func TestEncodeRefusesTooLongEvents(t *testing.T) {
	e := sampleTaskEvent(events.Updated)
	e.Changes[0].To = json.RawMessage(`"` + strings.Repeat("x", events.MaxEventBytes) + `"`)
	_, err := e.Encode()
	checkField(t, "Encode() of a change that is too long", err, events.FieldDocument)
}

func TestLongestTextsFitIntoAnEvent(t *testing.T) {
	const worst = "\u0001" // six bytes in JSON
	e := sampleTaskEvent(events.Updated)
	e.TaskData.Title, e.TaskData.Description = strings.Repeat(worst, events.MaxTitle), strings.Repeat(worst, events.MaxDescription)
	e.TaskData.Tags = repeat(strings.Repeat(worst, events.MaxTag), events.MaxTags)
	for _, v := range []any{e.TaskData.Title, e.TaskData.Description, e.TaskData.Tags} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		e.Changes = append(e.Changes, events.Change{Field: "x", From: raw, To: raw})
	}
	if data := mustEncode(t, e); len(data) > events.MaxEventBytes/2 {
		t.Errorf("the longest event has %d bytes, want at most half of MaxEventBytes (%d)", len(data), events.MaxEventBytes)
	}
}

func TestReminderEventRules(t *testing.T) {
	type event = events.ReminderEvent
	tests := []struct {
		name  string
		typ   events.Type
		edit  func(*event)
		field string
	}{
		{"scheduled without due date", events.Scheduled, func(e *event) { e.DueAt = time.Time{} }, "due_at"},
		{"scheduled without time", events.Scheduled, func(e *event) { e.RemindAt = time.Time{} }, "remind_at"},
		{"cancelled with neither", events.Cancelled, func(*event) {}, ""},
		{"cancelled with both", events.Cancelled, func(e *event) { e.DueAt, e.RemindAt = dueAt, remindAt }, ""},
		{"no type", events.Scheduled, func(e *event) { e.EventType = "" }, "event_type"},
		{"a task's type", events.Scheduled, func(e *event) { e.EventType = events.Created }, "event_type"},
		{"no title", events.Scheduled, func(e *event) { e.Title = "" }, "title"},
		{"no task version", events.Scheduled, func(e *event) { e.TaskVersion = 0 }, "task_version"},
		{"neither day nor zone", events.Scheduled, func(e *event) { e.DueDate, e.Timezone = "", "" }, ""},
		{"a day that does not exist", events.Scheduled, func(e *event) { e.DueDate = "2027-02-29" }, "due_date"},
		{"a zone that does not exist", events.Scheduled, func(e *event) { e.Timezone = "Mars" }, "timezone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := sampleReminderEvent(tt.typ)
			tt.edit(&e)
			_, err := e.Encode()
			checkField(t, "Encode()", err, tt.field)
		})
	}
}

func TestNotificationEventRules(t *testing.T) {
	type event = events.NotificationEvent
	tests := []struct {
		name  string
		edit  func(*event)
		field string
	}{
		{"no notification id", func(e *event) { e.NotificationID = "" }, "notification_id"},
		{"the original version", func(e *event) { e.SchemaVersion = 1 }, "schema_version"},
		{"no kind", func(e *event) { e.Kind = "" }, "kind"},
		{"an unknown kind", func(e *event) { e.Kind = "digest" }, ""},
		{"no title", func(e *event) { e.Title = "" }, "title"},
		{"no body", func(e *event) { e.Body = "" }, ""},
		{"a long body", func(e *event) { e.Body = strings.Repeat("x", 10_001) }, "body"},
		{"no due date", func(e *event) { e.DueAt = nil }, ""},
		{"a due date that is not set", func(e *event) { e.DueAt = ptr(time.Time{}) }, "due_at"},
		{"a day that does not exist", func(e *event) { e.DueDate = "2027-02-29" }, "due_date"},
		{"no type", func(e *event) { e.EventType = "" }, "event_type"},
		{"the type of a later version", func(e *event) { e.EventType = "archived" }, ""},
		{"no number", func(e *event) { e.NotificationSeq = 0 }, ""},
		{"a negative number", func(e *event) { e.NotificationSeq = -1 }, "notification_seq"},
		{"nothing unread", func(e *event) { e.Unread = 0 }, ""},
		{"less than nothing unread", func(e *event) { e.Unread = -1 }, "unread"},
		{"a reading that is not set", func(e *event) { e.ReadAt = ptr(time.Time{}) }, "read_at"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := sampleNotificationEvent(events.Added)
			tt.edit(&e)
			_, err := e.Encode()
			checkField(t, "Encode()", err, tt.field)
		})
	}
}

func TestValidationErrorsDoNotContainTheValue(t *testing.T) {
	e := sampleTaskEvent(events.Updated)
	e.TaskData.Status = "a secret"
	if err := e.Validate(); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Validate() = %v, want an error without the value", err)
	}
}
