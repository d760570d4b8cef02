package events

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// fields is a JSON object whose values are not decoded yet.
type fields map[string]json.RawMessage

func readFields(data []byte) (fields, error) {
	if !json.Valid(data) {
		return nil, &ValidationError{FieldDocument, "is not JSON"}
	}
	var f fields
	if json.Unmarshal(data, &f) != nil || f == nil {
		return nil, &ValidationError{FieldDocument, "is not an object"}
	}
	return f, nil
}

// null reports whether the field is absent or null.
func (f fields) null(name string) bool {
	raw, ok := f[name]
	return !ok || string(raw) == "null"
}

// empty reports whether the field is absent, null or "".
func (f fields) empty(name string) bool {
	return f.null(name) || string(f[name]) == `""`
}

// text returns the field if it is a string, and otherwise "".
func (f fields) text(name string) string {
	var s string
	if raw, ok := f[name]; ok && json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func (f fields) setText(name, s string) {
	f[name], _ = json.Marshal(s) // cannot fail for a string
}

// into decodes the fields into the struct that dst points to. The error names the first field with a wrong type.
func (f fields) into(dst any) error {
	if err := f.fill(reflect.ValueOf(dst).Elem(), ""); err != nil {
		return err
	}
	return nil
}

func (f fields) fill(dst reflect.Value, prefix string) *ValidationError {
	for i := range dst.NumField() {
		name, _, _ := strings.Cut(dst.Type().Field(i).Tag.Get("json"), ",")
		if f.null(name) {
			continue
		}
		if err := assign(f[name], dst.Field(i), prefix+name); err != nil {
			return err
		}
	}
	return nil
}

// assign decodes raw into dst; path is dst's name in an error. If json.Unmarshal refuses the whole value, assign decodes its
// parts one by one to find the wrong one. It then matches names exactly, so it skips an unknown field whose name differs
// from a known one only by case.
func assign(raw json.RawMessage, dst reflect.Value, path string) *ValidationError {
	if json.Unmarshal(raw, dst.Addr().Interface()) == nil {
		return nil
	}
	if dst.Kind() == reflect.Pointer {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	dst.SetZero()
	switch t := dst.Type(); {
	case t == reflect.TypeFor[time.Time]():
		return &ValidationError{path, "is not an RFC 3339 time"}
	case t.Kind() == reflect.Struct:
		f, err := readFields(raw)
		if err != nil {
			return &ValidationError{path, "is not an object"}
		}
		return f.fill(dst, path+".")
	case t.Kind() == reflect.Slice:
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return &ValidationError{path, "is not a list"}
		}
		dst.Set(reflect.MakeSlice(t, len(list), len(list)))
		for i, item := range list {
			if err := assign(item, dst.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil
	default:
		return &ValidationError{path, kindReason[t.Kind()]}
	}
}

// kindReason is the reason of an error for a value of the wrong type, by the kind of the field. A test checks that it has
// every kind that the events use.
var kindReason = map[reflect.Kind]string{
	reflect.String:  "is not a string",
	reflect.Bool:    "is not true or false",
	reflect.Int:     "is not a whole number in range",
	reflect.Int64:   "is not a whole number in range",
	reflect.Float64: "is not a number in range",
}
