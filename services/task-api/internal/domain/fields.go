package domain

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/optional"
)

// Fields has the values that a client may write into a task. For a new task and for PUT, an absent or null member takes its default.
// For PATCH, a JSON Merge Patch (RFC 7396), an absent member stays, and a null member is removed.
type Fields struct {
	Title, Description, DueDate, Timezone optional.Field[string]
	Status                                optional.Field[events.Status]
	Priority                              optional.Field[events.Priority]
	Tags                                  optional.Field[[]string]
	DueAt, RemindAt                       optional.Field[time.Time]
	Recurrence                            optional.Field[events.Recurrence]
	Position                              optional.Field[float64]
	readOnly                              map[string]json.RawMessage
}

// badMember is the reason why a member of a body cannot be read. inner is the wrong member of a nested object, or "".
type badMember struct{ inner, reason string }

// fieldReaders has the function that reads each member. It is the only list of the members that a body may have.
var fieldReaders = map[string]func(f *Fields, raw json.RawMessage) *badMember{
	"title":       func(f *Fields, raw json.RawMessage) *badMember { return read(&f.Title, raw, "a string") },
	"description": func(f *Fields, raw json.RawMessage) *badMember { return read(&f.Description, raw, "a string") },
	"status":      func(f *Fields, raw json.RawMessage) *badMember { return read(&f.Status, raw, "a string") },
	"priority":    func(f *Fields, raw json.RawMessage) *badMember { return read(&f.Priority, raw, "a string") },
	"tags":        readTags,
	"due_date":    func(f *Fields, raw json.RawMessage) *badMember { return read(&f.DueDate, raw, "a string") },
	"due_at":      func(f *Fields, raw json.RawMessage) *badMember { return readInstant(&f.DueAt, raw) },
	"timezone":    func(f *Fields, raw json.RawMessage) *badMember { return read(&f.Timezone, raw, "a string") },
	"remind_at":   func(f *Fields, raw json.RawMessage) *badMember { return readInstant(&f.RemindAt, raw) },
	"recurrence":  readRecurrence,
	"position":    readPosition,
}

// readOnlyFields has the members that only the server sets. A body may contain them with their current values, so that a client can
// change the resource that it read and PUT it back.
var readOnlyFields = []string{"id", "user_id", "series_id", "occurrence_no", "version", "seq", "created_at", "updated_at", "completed_at", "deleted_at"}

// ParseFields reads the members of a body. The error is a malformed *Invalid that names each member that cannot be read.
func ParseFields(body map[string]json.RawMessage) (Fields, error) {
	var f Fields
	var p problems
	for _, name := range slices.Sorted(maps.Keys(body)) { // sorted, so that the same body gives the same message
		if reader, ok := fieldReaders[name]; ok {
			if bad := reader(&f, body[name]); bad != nil {
				field := name
				if bad.inner != "" {
					field += "." + bad.inner
				}
				p.add(field, bad.reason)
			}
			continue
		}
		if !slices.Contains(readOnlyFields, name) {
			p.add(name, "is not a field of a task")
			continue
		}
		if f.readOnly == nil {
			f.readOnly = map[string]json.RawMessage{}
		}
		f.readOnly[name] = body[name]
	}
	return f, p.err(true)
}

// read reads one member. want is the type that the error message names.
func read[T any](o *optional.Field[T], raw json.RawMessage, want string) *badMember {
	if o.UnmarshalJSON(raw) != nil {
		return &badMember{reason: "must be " + want}
	}
	return nil
}

func readTags(f *Fields, raw json.RawMessage) *badMember {
	var tags optional.Field[[]*string]
	if err := read(&tags, raw, "a list of strings"); err != nil {
		return err
	}
	f.Tags.Set, f.Tags.Null = true, tags.Null
	for _, tag := range tags.Value {
		if tag == nil {
			return &badMember{reason: "must be a list of strings"}
		}
		f.Tags.Value = append(f.Tags.Value, *tag)
	}
	return nil
}

func readInstant(o *optional.Field[time.Time], raw json.RawMessage) *badMember {
	var text optional.Field[string]
	const want = "an instant with its offset, like 2030-01-31T15:04:05Z"
	if err := read(&text, raw, want); err != nil {
		return err
	}
	o.Set, o.Null = true, text.Null
	if text.Null {
		return nil
	}
	t, err := time.Parse(time.RFC3339, text.Value)
	if err != nil {
		return &badMember{reason: "must be " + want}
	}
	o.Value = Instant(t)
	return nil
}

func readRecurrence(f *Fields, raw json.RawMessage) *badMember {
	f.Recurrence.Set = true
	if string(raw) == "null" {
		f.Recurrence.Null = true
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return &badMember{reason: "must be an object with rrule, and optionally anchor and timezone"}
	}
	r := &f.Recurrence.Value
	targets := map[string]any{"rrule": &r.RRule, "anchor": &r.Anchor, "timezone": &r.Timezone}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		target, ok := targets[name]
		if !ok {
			return &badMember{name, "is not a field of a recurrence"}
		}
		if bytes.Equal(members[name], []byte("null")) {
			continue // the same as absent
		}
		if err := json.Unmarshal(members[name], target); err != nil {
			return &badMember{name, "must be a string"}
		}
	}
	return nil
}

func readPosition(f *Fields, raw json.RawMessage) *badMember {
	if err := read(&f.Position, raw, "a number"); err != nil {
		return err
	}
	if p := f.Position.Value; math.IsNaN(p) || math.Abs(p) > MaxPosition {
		return &badMember{reason: "must be a number from -1e15 to 1e15"}
	}
	return nil
}
