package schematest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/taskwire/taskwire/pkg/events"
)

const (
	schemaDir   = "../schema"
	currentDir  = "../testdata/current"
	originalDir = "../testdata/original"
	upcastDir   = "../testdata/upcast"
)

// decoders has a decoder for each kind of document, by the name of its schema.
var decoders = map[string]func([]byte) error{
	"task-event":           func(b []byte) error { _, err := events.DecodeTaskEvent(b); return err },
	"task-update-event":    func(b []byte) error { _, err := events.DecodeTaskUpdateEvent(b); return err },
	"reminder-event":       func(b []byte) error { _, err := events.DecodeReminderEvent(b); return err },
	"notification-event":   func(b []byte) error { _, err := events.DecodeNotificationEvent(b); return err },
	"account-event":        func(b []byte) error { _, err := events.DecodeAccountEvent(b); return err },
	"session-update-event": func(b []byte) error { _, err := events.DecodeSessionUpdateEvent(b); return err },
	"dead-letter":          func(b []byte) error { _, err := events.DecodeDeadLetter(b); return err },
}

// schemas compiles every committed schema, with format checks, and returns them by name.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(schemaDir, "*.json"))
	if err != nil || len(files) != len(decoders) {
		t.Fatalf("schemas %v, %v: want one for each of the %d kinds of document", files, err, len(decoders))
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, file := range files {
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft2020)
		c.AssertFormat()
		s, err := c.Compile(file)
		if err != nil {
			t.Fatalf("compile %s: %v", file, err)
		}
		compiled[strings.TrimSuffix(filepath.Base(file), ".json")] = s
	}
	return compiled
}

func read(t *testing.T, file string) any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return doc
}

func TestEveryGoldenDocumentIsValid(t *testing.T) {
	compiled := schemas(t)
	checked := 0
	for _, dir := range []string{currentDir, originalDir, upcastDir} {
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("golden documents in %s: %v, %v", dir, files, err)
		}
		for _, file := range files {
			kind, _, _ := strings.Cut(filepath.Base(file), ".")
			if err := compiled[kind].Validate(read(t, file)); err != nil {
				t.Errorf("%s is not valid by its schema: %v", file, err)
			}
			checked++
		}
	}
	t.Logf("%d documents are valid", checked)
}

func TestSchemasHaveTheirDraftAndID(t *testing.T) {
	for name := range schemas(t) {
		doc := read(t, filepath.Join(schemaDir, name+".json")).(map[string]any)
		if doc["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s: $schema is %v, want draft 2020-12", name, doc["$schema"])
		}
		if id, _ := doc["$id"].(string); !strings.HasSuffix(id, "/pkg/events/schema/"+name+".json") {
			t.Errorf("%s: $id is %v, want its own name", name, doc["$id"])
		}
	}
}

// edit sets or removes a field of a document. The parts of the path are separated by dots.
type edit struct {
	path  string
	value any // absent removes the field
}

type absence struct{}

var absent absence

func (e edit) apply(doc any) {
	object := doc.(map[string]any)
	parts := strings.Split(e.path, ".")
	for _, p := range parts[:len(parts)-1] {
		object = object[p].(map[string]any)
	}
	last := parts[len(parts)-1]
	if e.value == absent {
		delete(object, last)
	} else {
		object[last] = e.value
	}
}

// TestSchemasAndDecodersAgree checks that the schemas and the decoders refuse the same documents.
func TestSchemasAndDecodersAgree(t *testing.T) {
	long := func(n int) string { return strings.Repeat("ß", n) }
	list := func(n int, v any) []any {
		l := make([]any, n)
		for i := range l {
			l[i] = v
		}
		return l
	}
	change := map[string]any{"field": "title", "from": nil, "to": "x"}
	const (
		full, plain = currentDir + "/task-event.updated.json", currentDir + "/task-event.restored.json"
		told        = currentDir + "/task-update-event.updated.json"
		scheduled   = currentDir + "/reminder-event.scheduled.json"
		cancelled   = currentDir + "/reminder-event.cancelled.json"
		notice      = currentDir + "/notification-event.added.json"
		login       = currentDir + "/account-event.logged_in.json"
		refusal     = currentDir + "/account-event.login_refused.json"
		newRole     = currentDir + "/account-event.role_changed.json"
		sessions    = currentDir + "/session-update-event.session_ended.json"
		letter      = currentDir + "/dead-letter.json.json"
		original    = originalDir + "/task-event.updated.json"
		reminder    = originalDir + "/reminder-event.json"
	)
	tests := []struct {
		file string
		edit edit
		ok   bool
	}{
		{full, edit{"event_id", "17"}, false},
		{full, edit{"event_id", absent}, false},
		{full, edit{"task_id", 17}, false},
		{full, edit{"user_id", absent}, false},
		{full, edit{"timestamp", "yesterday"}, false},
		{full, edit{"timestamp", "2026-11-03T09:30:15"}, false},
		{full, edit{"timestamp", absent}, false},
		{full, edit{"event_type", absent}, false},
		{full, edit{"event_type", "delegated"}, false},
		{full, edit{"event_type", "deleted"}, true},
		{full, edit{"task_data", absent}, false},
		{full, edit{"task_data", []any{}}, false},
		{full, edit{"task_version", absent}, false},
		{full, edit{"task_version", 0}, false},
		{full, edit{"seq", -1}, false},
		{full, edit{"seq", 1.5}, false},
		{full, edit{"actor", absent}, false},
		{full, edit{"actor", long(100)}, true},
		{full, edit{"actor", long(101)}, false},
		{full, edit{"causation_id", long(201)}, false},
		{full, edit{"changes", absent}, true},
		{full, edit{"changes", list(50, change)}, true},
		{full, edit{"changes", list(51, change)}, false},
		{full, edit{"changes", list(1, map[string]any{"field": "", "from": nil, "to": nil})}, false},
		{full, edit{"unknown", "x"}, true},
		{full, edit{"task_data.unknown", "x"}, true},
		{full, edit{"task_data.id", absent}, false},
		{full, edit{"task_data.title", absent}, false},
		{full, edit{"task_data.title", ""}, false},
		{full, edit{"task_data.title", long(500)}, true},
		{full, edit{"task_data.title", long(501)}, false},
		{full, edit{"task_data.description", long(10_000)}, true},
		{full, edit{"task_data.description", long(10_001)}, false},
		{full, edit{"task_data.status", "done"}, false},
		{full, edit{"task_data.status", absent}, false},
		{full, edit{"task_data.priority", "none"}, false},
		{full, edit{"task_data.tags", list(20, long(50))}, true},
		{full, edit{"task_data.tags", list(21, "x")}, false},
		{full, edit{"task_data.tags", list(1, long(51))}, false},
		{full, edit{"task_data.tags", list(1, "")}, false},
		{full, edit{"task_data.tags", "home"}, false},
		{full, edit{"task_data.due_date", "2026-11-09"}, false},   // together with due_at
		{full, edit{"task_data.start_date", "2026-11-09"}, false}, // together with start_at
		{plain, edit{"task_data.start_date", "2028-02-29"}, true},
		{plain, edit{"task_data.start_date", "2027-02-29"}, false},
		{full, edit{"task_data.recurrence.catch_up", "all"}, true},
		{full, edit{"task_data.recurrence.catch_up", "some"}, false},
		{full, edit{"task_data.recurrence.exdates", list(100, "2026-11-16")}, true},
		{full, edit{"task_data.recurrence.exdates", list(101, "2026-11-16")}, false},
		{full, edit{"task_data.recurrence.exdates", list(1, "16.11.2026")}, false},
		{plain, edit{"task_data.due_date", "2028-02-29"}, true},
		{plain, edit{"task_data.due_date", "2027-02-29"}, false},
		{plain, edit{"task_data.due_date", "09.11.2026"}, false},
		{plain, edit{"task_data.due_date", absent}, true},
		{full, edit{"task_data.due_at", "2026-11-09"}, false},
		{full, edit{"task_data.due_at", absent}, true},
		{full, edit{"task_data.timezone", long(65)}, false},
		{full, edit{"task_data.remind_at", 5}, false},
		{full, edit{"task_data.recurrence", absent}, true},
		{full, edit{"task_data.recurrence", "daily"}, false},
		{full, edit{"task_data.recurrence.rrule", absent}, false},
		{full, edit{"task_data.recurrence.rrule", long(501)}, false},
		{full, edit{"task_data.recurrence.anchor", "due"}, false},
		{full, edit{"task_data.series_id", "7"}, false},
		{full, edit{"task_data.occurrence_no", -1}, false},
		{full, edit{"task_data.position", "first"}, false},
		{full, edit{"task_data.position", -0.25}, true},
		{full, edit{"task_data.version", absent}, false},
		{full, edit{"task_data.seq", absent}, false},
		{full, edit{"task_data.created_at", absent}, false},
		{full, edit{"task_data.updated_at", "now"}, false},
		{full, edit{"task_data.completed_at", "now"}, false},
		{full, edit{"task_data.deleted_at", "2026-11-09T08:00:00Z"}, true},
		{told, edit{"task_version", absent}, false},
		{told, edit{"seq", absent}, false},
		{told, edit{"task_data.title", long(501)}, false},
		{scheduled, edit{"due_at", absent}, false},
		{scheduled, edit{"remind_at", absent}, false},
		{scheduled, edit{"remind_at", "soon"}, false},
		{scheduled, edit{"event_type", absent}, true},
		{scheduled, edit{"event_type", "snoozed"}, false},
		{scheduled, edit{"title", ""}, false},
		{scheduled, edit{"task_version", 0}, false},
		{cancelled, edit{"due_at", "2026-11-09T08:00:00Z"}, true},
		{cancelled, edit{"due_at", "soon"}, false},
		{cancelled, edit{"event_type", absent}, false}, // it means scheduled, and the times are missing
		{scheduled, edit{"due_date", absent}, true},
		{scheduled, edit{"due_date", "2027-02-29"}, false},
		{scheduled, edit{"timezone", absent}, true},
		{scheduled, edit{"timezone", long(65)}, false},
		{notice, edit{"event_type", absent}, true},
		{notice, edit{"event_type", "read"}, true},
		{notice, edit{"notification_seq", absent}, true},
		{notice, edit{"notification_seq", 0}, true},
		{notice, edit{"notification_seq", -1}, false},
		{notice, edit{"unread", absent}, true},
		{notice, edit{"unread", -1}, false},
		{notice, edit{"due_date", "2026-11-09"}, true},
		{notice, edit{"due_date", "9 November"}, false},
		{notice, edit{"read_at", "now"}, false},
		{notice, edit{"notification_id", absent}, false},
		{notice, edit{"schema_version", absent}, false},
		{notice, edit{"schema_version", 1}, false},
		{notice, edit{"kind", ""}, false},
		{notice, edit{"kind", "digest"}, true},
		{notice, edit{"title", absent}, false},
		{notice, edit{"body", long(10_001)}, false},
		{notice, edit{"due_at", absent}, true},
		{notice, edit{"late", "yes"}, false},
		{login, edit{"session_id", absent}, false},
		{login, edit{"session_id", "7"}, false},
		{login, edit{"user_id", absent}, false},
		{login, edit{"schema_version", 1}, false},
		{login, edit{"timestamp", "now"}, false},
		{login, edit{"address", strings.Repeat("x", 45)}, true},
		{login, edit{"address", strings.Repeat("x", 46)}, false},
		{login, edit{"device", long(200)}, true},
		{login, edit{"device", long(201)}, false},
		{login, edit{"actor", absent}, true},
		{login, edit{"unknown", "x"}, true},
		{refusal, edit{"count", absent}, true},
		{refusal, edit{"count", -1}, false},
		{refusal, edit{"reason", long(200)}, true},
		{refusal, edit{"reason", long(201)}, false},
		{newRole, edit{"role", absent}, false},
		{newRole, edit{"role", ""}, false},
		{newRole, edit{"role", long(51)}, false},
		{sessions, edit{"session_ids", absent}, false},
		{sessions, edit{"session_ids", []any{}}, false},
		{sessions, edit{"session_ids", list(100, "0192f0c2-4444-7444-8444-444444444444")}, true},
		{sessions, edit{"session_ids", list(101, "0192f0c2-4444-7444-8444-444444444444")}, false},
		{sessions, edit{"session_ids", []any{"7"}}, false},
		{sessions, edit{"event_type", "updated"}, false},
		{sessions, edit{"task_id", absent}, false},
		{letter, edit{"event_id", ""}, true},
		{letter, edit{"topic", absent}, false},
		{letter, edit{"consumer", ""}, false},
		{letter, edit{"reason", long(2_001)}, false},
		{letter, edit{"failed_at", absent}, false},
		{letter, edit{"original", absent}, false},
		{letter, edit{"original", []any{1}}, true},
		{original, edit{"schema_version", 1}, true},
		{original, edit{"event_type", absent}, false},
		{original, edit{"event_type", "delegated"}, false},
		{original, edit{"task_id", 17}, false},
		{original, edit{"timestamp", "2025-12-02T09:30:15"}, true},
		{original, edit{"timestamp", ""}, false},
		{original, edit{"timestamp", "yesterday"}, false},
		{original, edit{"task_data", map[string]any{"title": "t"}}, true},
		{original, edit{"task_data", map[string]any{}}, false},
		{original, edit{"task_data", absent}, false},
		{original, edit{"task_data.id", 17}, true},
		{original, edit{"task_data.user_id", "ann"}, true},
		{original, edit{"task_data.title", long(501)}, false},
		{original, edit{"task_data.status", nil}, true},
		{original, edit{"task_data.status", "done"}, false},
		{original, edit{"task_data.priority", ""}, true},
		{original, edit{"task_data.tags", nil}, true},
		{original, edit{"task_data.tags", list(21, "x")}, false},
		{original, edit{"task_data.due_date", "2025-12-31T10:00:00"}, true},
		{original, edit{"task_data.due_date", "next week"}, false},
		{original, edit{"task_data.recurrence", "None"}, true},
		{original, edit{"task_data.recurrence", "weekly"}, false},
		{original, edit{"task_data.recurrence", map[string]any{"rrule": "FREQ=DAILY"}}, true},
		{original, edit{"task_data.recurrence", map[string]any{}}, false},
		{original, edit{"task_data.created_at", ""}, true},
		{original, edit{"task_data.completed", true}, true},
		{reminder, edit{"due_at", absent}, false},
		{reminder, edit{"due_at", "2025-12-31"}, true},
		{reminder, edit{"remind_at", absent}, false},
		{reminder, edit{"title", absent}, false},
	}
	compiled := schemas(t)
	for _, tt := range tests {
		doc := read(t, tt.file)
		tt.edit.apply(doc)
		data, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(filepath.Base(tt.file), ".")
		bySchema, byDecoder := compiled[kind].Validate(doc), decoders[kind](data)
		if (bySchema == nil) != tt.ok || (byDecoder == nil) != tt.ok {
			t.Errorf("%s with %s = %v\n schema:  %v\n decoder: %v\n want accepted: %v", filepath.Base(tt.file), tt.edit.path, tt.edit.value, bySchema, byDecoder, tt.ok)
		}
		if byDecoder != nil && !errors.Is(byDecoder, events.ErrInvalid) && !errors.Is(byDecoder, events.ErrUnknownType) {
			t.Errorf("%s with %s = %v: decoder says %v", filepath.Base(tt.file), tt.edit.path, tt.edit.value, byDecoder)
		}
	}
}
