package main

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/taskwire/taskwire/services/task-api/internal/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// The reasons of the quotas stand at the constants, and a tag cannot name a constant.
func TestTheDefaultQuotasAreThoseOfThePackages(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]int{
		"TasksPerAccount": tasks.DefaultQuota, "WritesPerMinute": httpapi.DefaultWrites, "ImportsPerHour": httpapi.DefaultImports,
	} {
		f, ok := reflect.TypeFor[settings]().FieldByName(field)
		if got := f.Tag.Get("envDefault"); !ok || got != strconv.Itoa(want) {
			t.Errorf("%s: got the default %q, want %d", field, got, want)
		}
	}
}
