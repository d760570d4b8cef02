package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxDepth bounds the nesting of a document. Ours are nested far less, and 32 levels cost little.
const maxDepth = 32

// walker reads a document token by token and compares it with the type that it is decoded into. encoding/json accepts
// duplicate keys and names in any case, and reports an unknown field without its path.
type walker struct {
	body []byte
	dec  *json.Decoder
}

func walk(body []byte, dst reflect.Type) error {
	w := &walker{body: body, dec: json.NewDecoder(bytes.NewReader(body))}
	w.dec.UseNumber()
	root := shape(dst)
	if root.Kind() == reflect.Struct && string(bytes.TrimSpace(body)) == "null" {
		return wrongType("", root)
	}
	if err := w.value(root, "", 0); err != nil {
		return err
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return Invalid("", fmt.Sprintf("The body has more after its JSON value, at byte %d.", w.dec.InputOffset()))
	}
	return nil
}

// value reads one value. t is nil when the type accepts any value.
func (w *walker) value(t reflect.Type, path string, depth int) error {
	if depth > maxDepth {
		return Invalid(path, fmt.Sprintf("is nested more than %d deep.", maxDepth))
	}
	start := w.dec.InputOffset()
	tok, err := w.dec.Token()
	if err != nil {
		return w.syntax(err)
	}
	switch v := tok.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			return Invalid(path, "must not contain a NUL character.")
		}
	case json.Delim:
		if v == '{' {
			err = w.object(t, path, depth)
		} else {
			err = w.list(t, path, depth)
		}
		if err != nil {
			return err
		}
	}
	if t != nil && decodesItself(t) {
		return w.try(t, path, w.body[start:w.dec.InputOffset()])
	}
	return nil
}

func (w *walker) object(t reflect.Type, path string, depth int) error {
	var fields map[string]reflect.Type
	var elem reflect.Type
	if t != nil && !decodesItself(t) {
		switch t.Kind() {
		case reflect.Struct:
			fields = fieldsOf(t)
		case reflect.Map:
			elem = shape(t.Elem())
		default: // json.Unmarshal reports the wrong type
		}
	}
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return w.syntax(err)
		}
		key, _ := tok.(string)
		at := join(path, key)
		if strings.ContainsRune(key, 0) {
			return Invalid(path, "has a name with a NUL character.")
		}
		if seen[key] {
			return Invalid(at, "is given twice.")
		}
		seen[key] = true
		child := elem
		if fields != nil {
			ft, known := fields[key]
			if !known {
				return Invalid(at, "is not a field of this request.")
			}
			child = ft
		}
		if err := w.value(child, at, depth+1); err != nil {
			return err
		}
	}
	if _, err := w.dec.Token(); err != nil { // the closing brace
		return w.syntax(err)
	}
	return nil
}

func (w *walker) list(t reflect.Type, path string, depth int) error {
	var elem reflect.Type
	if t != nil && !decodesItself(t) && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = shape(t.Elem())
	}
	for i := 0; w.dec.More(); i++ {
		if err := w.value(elem, path+"["+strconv.Itoa(i)+"]", depth+1); err != nil {
			return err
		}
	}
	if _, err := w.dec.Token(); err != nil { // the closing bracket
		return w.syntax(err)
	}
	return nil
}

func (w *walker) syntax(err error) error {
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf("The body is not valid JSON, at byte %d.", w.dec.InputOffset()), Err: err}
}

// try decodes the value of a type that decodes itself, to report an error with its path.
func (w *walker) try(t reflect.Type, path string, raw []byte) error {
	raw = bytes.TrimLeft(raw, " \t\r\n:,")
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	if err == nil {
		return nil
	}
	var own *Error
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &own):
		return &Error{Code: own.Code, Message: path + ": " + own.Message, Fields: []FieldError{{path, own.Message}}, Err: err}
	case t == reflect.TypeFor[time.Time]():
		return Invalid(path, "must be a time like 2026-03-01T09:00:00Z (RFC 3339).")
	case errors.As(err, &wrong):
		return wrongType(path, wrong.Type)
	default:
		return &Error{Code: CodeInvalid, Message: path + ": is not valid.", Fields: []FieldError{{path, "is not valid."}}, Err: err}
	}
}

// shape returns t without pointers and optional.Field.
func shape(t reflect.Type) reflect.Type {
	for t != nil {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
			continue
		}
		if o, ok := reflect.Zero(t).Interface().(interface{ ValueType() reflect.Type }); ok {
			t = o.ValueType()
			continue
		}
		break
	}
	return t
}

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[interface{ UnmarshalText([]byte) error }]()
)

// decodesItself reports whether t implements json.Unmarshaler or encoding.TextUnmarshaler.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() != reflect.Interface && t != reflect.TypeFor[json.RawMessage]() && (p.Implements(unmarshaler) || p.Implements(textUnmarshaler))
}

var fieldCache sync.Map // reflect.Type → map[string]reflect.Type

// fieldsOf returns the fields of a struct by their exact names in JSON.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if m, ok := fieldCache.Load(t); ok {
		return m.(map[string]reflect.Type) // only this function stores
	}
	m := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() || (f.Anonymous && name == "" && shape(f.Type).Kind() == reflect.Struct) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		m[name] = shape(f.Type)
	}
	fieldCache.Store(t, m)
	return m
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
