package eventdoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// object is a JSON object with ordered members, so that a schema has the order of the Go type.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		value, err := marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.key, err)
		}
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

const (
	draft  = "https://json-schema.org/draft/2020-12/schema"
	idBase = "https://github.com/taskwire/taskwire/pkg/events/schema/"
)

// schemaFile returns the schema of one document. If the document has an original form, schema_version decides which of the
// two definitions applies.
func (g *generator) schemaFile(e entry) ([]byte, error) {
	t := reflect.TypeOf(e.value)
	d := &defs{generator: g, types: e.types}
	if err := d.add(t); err != nil {
		return nil, err
	}
	doc := object{
		{"$schema", draft},
		{"$id", idBase + e.file + ".json"},
		{"title", e.name()},
		{"description", g.typeDocs[e.name()]},
	}
	if e.original == nil {
		doc = append(doc, member{"$ref", ref(e.name())})
	} else {
		if err := d.addOriginal(e); err != nil {
			return nil, err
		}
		doc = append(doc,
			member{"type", "object"},
			member{"if", object{
				{"properties", object{{"schema_version", object{{"type", "integer"}, {"minimum", events.SchemaVersion}}}}},
				{"required", []string{"schema_version"}},
			}},
			member{"then", object{{"$ref", ref(e.name())}}},
			member{"else", object{{"$ref", ref("Original" + e.name())}}},
		)
	}
	doc = append(doc, member{"$defs", d.list})
	compact, err := marshal(doc)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func ref(name string) string { return "#/$defs/" + name }

// defs collects the definitions of one schema.
type defs struct {
	*generator
	types []string
	list  object
}

func (d *defs) has(name string) bool {
	return slices.ContainsFunc(d.list, func(m member) bool { return m.key == name })
}

// add adds the definition of a struct before the definitions of its nested structs.
func (d *defs) add(t reflect.Type) error {
	if d.has(t.Name()) {
		return nil
	}
	at := len(d.list)
	d.list = append(d.list, member{key: t.Name()})
	fields, err := d.fields(t)
	if err != nil {
		return err
	}
	var properties object
	var required []string
	for _, f := range fields {
		s, err := d.schema(f.typ, f.rule)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", t.Name(), f.name, err)
		}
		properties = append(properties, member{f.name, append(object{{"description", meaning(f.doc)}}, s...)})
		if f.required {
			required = append(required, f.name)
		}
	}
	d.list[at].value = slices.Concat(object{
		{"type", "object"},
		{"description", d.typeDocs[t.Name()]},
		{"properties", properties},
		{"required", required},
	}, conditions[t.Name()])
	return nil
}

// conditions are the rules that involve more than one field.
var conditions = map[string]object{
	"AccountEvent": {{"allOf", []object{
		requires("session_id", sessionTypes...),
		requires("role", events.AccountRoleChanged),
	}}},
	"TaskData": {{"allOf", []object{
		{{"not", object{{"required", []string{"start_date", "start_at"}}}}},
		{{"not", object{{"required", []string{"due_date", "due_at"}}}}},
	}}},
	"ReminderEvent": {
		{"if", object{
			{"properties", object{{"event_type", object{{"const", events.Cancelled}}}}},
			{"required", []string{"event_type"}},
		}},
		{"else", object{{"required", []string{"due_at", "remind_at"}}}},
	},
}

// sessionTypes are the types of an AccountEvent that name a session.
var sessionTypes = []events.AccountEventType{events.AccountLoggedIn, events.AccountLoggedOut, events.AccountSessionEnded, events.AccountTokenCreated, events.AccountTokenRevoked}

// requires is the condition that a document of one of the types has the field, which is not empty.
func requires(field string, types ...events.AccountEventType) object {
	return object{
		{"if", object{{"properties", object{{"event_type", object{{"enum", words(types)}}}}}, {"required", []string{"event_type"}}}},
		{"then", object{{"properties", object{{field, object{{"minLength", 1}}}}}, {"required", []string{field}}}},
	}
}

// isEventType reports whether a field has the type of an event_type.
func isEventType(t reflect.Type) bool {
	return t == reflect.TypeFor[events.Type]() || t == reflect.TypeFor[events.AccountEventType]()
}

// schema returns the schema of a field.
func (d *defs) schema(t reflect.Type, r rule) (object, error) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}, nil
	case t == reflect.TypeFor[json.RawMessage]():
		return nil, nil // any value
	case isEventType(t):
		return object{{"enum", d.types}}, nil
	case enums[t.Name()] != nil:
		return object{{"enum", enums[t.Name()]}}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return text(r), nil
	case reflect.Bool:
		return object{{"type", "boolean"}}, nil
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}, {"minimum", r.least}}, nil
	case reflect.Float64:
		return object{{"type", "number"}}, nil
	case reflect.Struct:
		return object{{"$ref", ref(t.Name())}}, d.add(t)
	case reflect.Slice:
		var item rule
		if r.item != nil {
			item = *r.item
		}
		items, err := d.schema(t.Elem(), item)
		list := object{{"type", "array"}, {"maxItems", r.items}, {"items", items}}
		if r.fewest > 0 {
			list = append(list, member{"minItems", r.fewest})
		}
		return list, err
	default:
		return nil, fmt.Errorf("no schema for %s", t)
	}
}

func text(r rule) object {
	s := object{{"type", "string"}}
	if r.format != "" {
		s = append(s, member{"format", r.format})
	}
	if r.min > 0 {
		s = append(s, member{"minLength", r.min})
	}
	if r.max > 0 {
		s = append(s, member{"maxLength", r.max})
	}
	return s
}
