package events

import "reflect"

// HasReason reports whether a value of that kind has a text for the error when it does not fit.
func HasReason(k reflect.Kind) bool { return kindReason[k] != "" }
