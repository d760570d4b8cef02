package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Optional is one member of a request body: left out, null, or a value.
type Optional[T any] struct {
	Set, Null bool
	Value     T
}

// has reports whether there is a value.
func (o Optional[T]) has() bool { return o.Set && !o.Null }

// Fields is what a client may write into a task. For a new task and for PUT a member that is left out or null takes
// its default; for PATCH, a JSON Merge Patch (RFC 7396), one that is left out stays and one that is null is removed.
type Fields struct {
	Title, Description, DueDate, Timezone Optional[string]
	Status                                Optional[events.Status]
	Priority                              Optional[events.Priority]
	Tags                                  Optional[[]string]
	DueAt, RemindAt                       Optional[time.Time]
	Recurrence                            Optional[events.Recurrence]
	Position                              Optional[float64]
	readOnly                              map[string]json.RawMessage
}

// fieldReaders say how each member is read. The map is the one list of the members that a body may have.
var fieldReaders = map[string]func(f *Fields, raw json.RawMessage) error{
	"title":       func(f *Fields, raw json.RawMessage) error { return read(&f.Title, raw, "a string") },
	"description": func(f *Fields, raw json.RawMessage) error { return read(&f.Description, raw, "a string") },
	"status":      func(f *Fields, raw json.RawMessage) error { return read(&f.Status, raw, "a string") },
	"priority":    func(f *Fields, raw json.RawMessage) error { return read(&f.Priority, raw, "a string") },
	"tags":        readTags,
	"due_date":    func(f *Fields, raw json.RawMessage) error { return read(&f.DueDate, raw, "a string") },
	"due_at":      func(f *Fields, raw json.RawMessage) error { return readInstant(&f.DueAt, raw) },
	"timezone":    func(f *Fields, raw json.RawMessage) error { return read(&f.Timezone, raw, "a string") },
	"remind_at":   func(f *Fields, raw json.RawMessage) error { return readInstant(&f.RemindAt, raw) },
	"recurrence":  readRecurrence,
	"position":    readPosition,
}

// readOnlyFields are the members of the resource that the server sets. A body may have them as they are, so that a
// client can change what it got and PUT it back.
var readOnlyFields = []string{"id", "user_id", "series_id", "occurrence_no", "version", "seq", "created_at", "updated_at", "completed_at", "deleted_at"}

// ParseFields reads the members of a body. What it cannot read is a malformed *Invalid that names each field.
func ParseFields(body map[string]json.RawMessage) (Fields, error) {
	var f Fields
	var p problems
	names := make([]string, 0, len(body))
	for name := range body {
		names = append(names, name)
	}
	slices.Sort(names) // the same message for the same body
	for _, name := range names {
		if reader, ok := fieldReaders[name]; ok {
			if err := reader(&f, body[name]); err != nil {
				field, reason := name, err.Error()
				if inner, rest, ok := strings.Cut(reason, ": "); ok {
					field, reason = name+"."+inner, rest
				}
				p.add(field, reason)
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

// read reads one member; null is kept apart from a value.
func read[T any](o *Optional[T], raw json.RawMessage, want string) error {
	o.Set = true
	if string(raw) == "null" {
		o.Null = true
		return nil
	}
	if err := json.Unmarshal(raw, &o.Value); err != nil {
		return fmt.Errorf("must be %s", want)
	}
	return nil
}

func readTags(f *Fields, raw json.RawMessage) error {
	var tags Optional[[]*string]
	if err := read(&tags, raw, "a list of strings"); err != nil {
		return err
	}
	f.Tags.Set, f.Tags.Null = true, tags.Null
	for _, tag := range tags.Value {
		if tag == nil {
			return fmt.Errorf("must be a list of strings")
		}
		f.Tags.Value = append(f.Tags.Value, *tag)
	}
	return nil
}

func readInstant(o *Optional[time.Time], raw json.RawMessage) error {
	var text Optional[string]
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
		return fmt.Errorf("must be %s", want)
	}
	o.Value = Instant(t)
	return nil
}

func readRecurrence(f *Fields, raw json.RawMessage) error {
	f.Recurrence.Set = true
	if string(raw) == "null" {
		f.Recurrence.Null = true
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return fmt.Errorf("must be an object with rrule, and optionally anchor and timezone")
	}
	r := &f.Recurrence.Value
	targets := map[string]any{"rrule": &r.RRule, "anchor": &r.Anchor, "timezone": &r.Timezone}
	for _, name := range slices.Sorted(keys(members)) {
		target, ok := targets[name]
		if !ok {
			return fmt.Errorf("%s: is not a field of a recurrence", name)
		}
		if bytes.Equal(members[name], []byte("null")) {
			continue // as if left out
		}
		if err := json.Unmarshal(members[name], target); err != nil {
			return fmt.Errorf("%s: must be a string", name)
		}
	}
	return nil
}

func keys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func readPosition(f *Fields, raw json.RawMessage) error {
	if err := read(&f.Position, raw, "a number"); err != nil {
		return err
	}
	if p := f.Position.Value; math.IsNaN(p) || math.Abs(p) > MaxPosition {
		return fmt.Errorf("must be a number from -1e15 to 1e15")
	}
	return nil
}
