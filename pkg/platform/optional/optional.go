// Package optional distinguishes an absent member of a JSON object from null and from a value. A JSON Merge Patch
// (RFC 7396) needs this: an absent member stays, and null removes it.
package optional

import (
	"encoding/json"
	"reflect"
)

// Field is a member of a JSON object. The zero value is an absent member.
type Field[T any] struct {
	Set   bool // the member is present
	Null  bool // the member is present and null
	Value T    // the zero value unless Has
}

// Has reports whether the member is present and not null.
func (f Field[T]) Has() bool { return f.Set && !f.Null }

// UnmarshalJSON implements json.Unmarshaler.
func (f *Field[T]) UnmarshalJSON(b []byte) error {
	f.Set = true
	if string(b) == "null" {
		f.Null = true
		return nil
	}
	return json.Unmarshal(b, &f.Value)
}

// JSONType returns T. A strict decoder uses it to check the value.
func (Field[T]) JSONType() reflect.Type { return reflect.TypeFor[T]() }
