// Package optional distinguishes a JSON field that is absent from one that is null and from one with a value.
package optional

import (
	"encoding/json"
	"reflect"
)

// Field is one field of a request body, for example of a JSON Merge Patch (RFC 7396). The zero value is absent.
type Field[T any] struct {
	Set   bool // the field is in the body
	Null  bool // its value is null
	Value T
}

// HasValue reports whether the field is in the body and not null.
func (f Field[T]) HasValue() bool { return f.Set && !f.Null }

// UnmarshalJSON implements json.Unmarshaler.
func (f *Field[T]) UnmarshalJSON(b []byte) error {
	f.Set = true
	if string(b) == "null" {
		f.Null = true
		return nil
	}
	return json.Unmarshal(b, &f.Value)
}

// ValueType returns the type of the value, for code that looks inside a struct type.
func (Field[T]) ValueType() reflect.Type { return reflect.TypeFor[T]() }
