package eventdoc

import (
	"reflect"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// addOriginal adds the definition of the original form. All its fields are required, and task_data is read leniently. The
// definition describes what the decoders accept, because no producer writes this form any more.
func (d *defs) addOriginal(e entry) error {
	fields, err := d.fields(reflect.TypeOf(e.value))
	if err != nil {
		return err
	}
	properties := object{{"schema_version", object{{"enum", []any{nil, 0, 1}}}}}
	for _, f := range fields {
		if !slices.Contains(e.original, f.name) {
			continue
		}
		var s object
		switch {
		case f.typ == reflect.TypeFor[events.TaskData]():
			s = object{{"$ref", ref("OriginalTaskData")}}
		case f.typ == reflect.TypeFor[time.Time]():
			s = originalTime()
		default:
			if s, err = d.schema(f.typ, f.rule); err != nil {
				return err
			}
		}
		properties = append(properties, member{f.name, append(object{{"description", meaning(f.doc)}}, s...)})
	}
	d.list = append(d.list, member{"Original" + e.name(), object{
		{"type", "object"},
		{"description", "The form of the first version of this system. It is accepted for ever."},
		{"properties", properties},
		{"required", e.original},
	}})
	if slices.Contains(e.original, "task_data") {
		return d.addOriginalTask()
	}
	return nil
}

// originalTime is the schema of a date or a time in the original form. A time without a zone is in UTC.
func originalTime() object {
	return object{{"type", "string"}, {"pattern", "^" + originalInstant + "$"}}
}

// optionalOriginalTime is like originalTime, but the value may also be null or empty, which means absent.
func optionalOriginalTime() object {
	return object{{"type", []string{"string", "null"}}, {"pattern", "^(" + originalInstant + ")?$"}}
}

const originalInstant = `[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?`

func (d *defs) addOriginalTask() error {
	fields, err := d.fields(reflect.TypeFor[events.TaskData]())
	if err != nil {
		return err
	}
	var properties object
	for _, f := range fields {
		s, err := d.lenient(f)
		if err != nil {
			return err
		}
		properties = append(properties, member{f.name, append(object{{"description", meaning(f.doc)}}, s...)})
	}
	properties = append(properties, member{"completed", object{
		{"description", "Used when status is absent: true means completed, false means pending."},
	}})
	d.list = append(d.list, member{"OriginalTaskData", object{
		{"type", "object"},
		{"description", "The task of the original form. Only the title is required. A field that is absent, null or empty takes its default."},
		{"properties", properties},
		{"required", []string{"title"}},
	}})
	return nil
}

// lenient returns the schema of a field of the original task.
func (d *defs) lenient(f field) (object, error) {
	switch {
	case f.name == "id" || f.name == "user_id":
		return nil, nil // any value: a value that is not a UUID is replaced with the event's own id
	case f.name == "title":
		return text(f.rule), nil
	case f.name == "due_date", f.typ == reflect.TypeFor[time.Time]():
		return optionalOriginalTime(), nil
	case f.typ == reflect.TypeFor[events.Recurrence]():
		return object{{"anyOf", []object{
			{{"type", "null"}},
			{{"type", "string"}, {"pattern", "^([nN][oO][nN][eE])?$"}},
			{{"type", "object"}, {"required", []string{"rrule"}}},
		}}}, nil
	case enums[f.typ.Name()] != nil:
		values := []any{nil, ""}
		for _, v := range enums[f.typ.Name()] {
			values = append(values, v)
		}
		return object{{"enum", values}}, nil
	}
	r := f.rule
	r.min, r.least = 0, 0
	if r.format == "uuid" {
		r.format = ""
	}
	s, err := d.schema(f.typ, r)
	for i := range s {
		if s[i].key == "type" {
			s[i].value = []any{s[i].value, "null"}
		}
	}
	return s, err
}
