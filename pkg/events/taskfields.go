package events

import (
	"reflect"
	"strings"
)

// TaskFields returns the names of the fields of a task in JSON, in the order of TaskData. A Change names one of them.
func TaskFields() []string {
	var names []string
	for f := range reflect.TypeFor[TaskData]().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}
