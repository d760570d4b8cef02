package domain

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/optional"
)

// Fields has the values that a client may write into a task. For a new task and for PUT, an absent or null member takes its default.
// For PATCH, a JSON Merge Patch (RFC 7396), an absent member stays, and a null member is removed.
type Fields struct {
	Title, Description, StartDate, DueDate, Timezone optional.Field[string]
	Status                                           optional.Field[events.Status]
	Priority                                         optional.Field[events.Priority]
	Tags                                             optional.Field[[]string]
	StartAt, DueAt, RemindAt                         optional.Field[Moment]
	Recurrence                                       optional.Field[RecurrenceFields]
	Position                                         optional.Field[float64]
	Scope                                            optional.Field[Scope]
	readOnly                                         map[string]json.RawMessage
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
	"start_date":  func(f *Fields, raw json.RawMessage) *badMember { return read(&f.StartDate, raw, "a string") },
	"start_at":    func(f *Fields, raw json.RawMessage) *badMember { return readMoment(&f.StartAt, raw) },
	"due_date":    func(f *Fields, raw json.RawMessage) *badMember { return read(&f.DueDate, raw, "a string") },
	"due_at":      func(f *Fields, raw json.RawMessage) *badMember { return readMoment(&f.DueAt, raw) },
	"timezone":    func(f *Fields, raw json.RawMessage) *badMember { return read(&f.Timezone, raw, "a string") },
	"remind_at":   func(f *Fields, raw json.RawMessage) *badMember { return readMoment(&f.RemindAt, raw) },
	"recurrence":  readRecurrence,
	"position":    readPosition,
	"scope":       func(f *Fields, raw json.RawMessage) *badMember { return read(&f.Scope, raw, "a string") },
}

// readOnlyFields has the members that only the server sets. A body may contain them with their current values, so that a client can
// change the resource that it read and PUT it back.
var readOnlyFields = []string{"id", "user_id", "series_id", "occurrence_no", "series_ends", "version", "seq", "created_at", "updated_at", "completed_at", "deleted_at"}

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

func readPosition(f *Fields, raw json.RawMessage) *badMember {
	if err := read(&f.Position, raw, "a number"); err != nil {
		return err
	}
	if p := f.Position.Value; math.IsNaN(p) || math.Abs(p) > MaxPosition {
		return &badMember{reason: "must be a number from -1e15 to 1e15"}
	}
	return nil
}
