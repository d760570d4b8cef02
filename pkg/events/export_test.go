package events

import "reflect"

// HasReason reports whether the error about a wrong type has a text for that kind of field.
func HasReason(k reflect.Kind) bool { return kindReason[k] != "" }
