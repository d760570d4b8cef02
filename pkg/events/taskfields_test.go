package events_test

import (
	"slices"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestTaskFieldsAreTheNamesInJSON(t *testing.T) {
	got := events.TaskFields()
	for _, name := range []string{"id", "title", "due_at", "recurrence", "deleted_at"} {
		if !slices.Contains(got, name) {
			t.Errorf("TaskFields: got %v, want %s among them", got, name)
		}
	}
	if slices.Contains(got, "Title") || slices.Contains(got, "") {
		t.Errorf("TaskFields: got %v, want names in JSON only", got)
	}
}
