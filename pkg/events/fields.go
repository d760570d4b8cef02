package events

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// fields is an object of JSON whose values are not read yet.
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
	f[name], _ = json.Marshal(s) // a string can always be written
}

// into reads the fields into the struct that dst points to. The error names the first field that does not fit.
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

// assign reads raw into dst; path is dst's name in an error. What json.Unmarshal does not take in one go is taken
// apart, which finds the value that is to blame. Names are matched exactly then, so that an unknown field whose name
// differs from a known one by case alone is skipped too.
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

// kindReason says what a value should have been. The kinds are those of the fields of the events; a test checks that
// none is left out.
var kindReason = map[reflect.Kind]string{
	reflect.String:  "is not a string",
	reflect.Bool:    "is not true or false",
	reflect.Int:     "is not a whole number in range",
	reflect.Int64:   "is not a whole number in range",
	reflect.Float64: "is not a number in range",
}
