package exchange

import (
	"encoding/json"
	"io"
	"maps"
	"slices"

	"github.com/taskwire/taskwire/pkg/events"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// taskwarriorWriter writes an array for `task import`, one object a line. Values without an attribute in Taskwarrior are in
// user-defined attributes. Series and occurrence numbers and fractions of a second are lost.
type taskwarriorWriter struct {
	w     io.Writer
	begun bool
}

// Write implements Writer.
func (w *taskwarriorWriter) Write(t events.TaskData) error {
	o := map[string]any{
		"uuid": t.ID, "description": t.Title, "status": "pending", "entry": t.CreatedAt.UTC().Format(icsStamp),
		"taskwire_status": t.Status, "taskwire_priority": t.Priority, "taskwire_timezone": t.Timezone, "taskwire_position": t.Position,
	}
	switch t.Status {
	case events.StatusCompleted:
		o["status"] = "completed"
	case events.StatusCancelled:
		o["status"] = "deleted"
	case events.StatusInProgress:
		o["start"] = t.UpdatedAt.UTC().Format(icsStamp)
	case events.StatusPending:
	}
	if p := map[events.Priority]string{events.PriorityUrgent: "H", events.PriorityHigh: "H", events.PriorityMedium: "M", events.PriorityLow: "L"}[t.Priority]; p != "" {
		o["priority"] = p
	}
	if t.Description != "" {
		o["annotations"] = []map[string]string{{"entry": t.CreatedAt.UTC().Format(icsStamp), "description": t.Description}}
	}
	if len(t.Tags) > 0 {
		o["tags"] = t.Tags
	}
	if due, ok, err := t.DueInstant(); ok && err == nil {
		o["due"] = due.UTC().Format(icsStamp)
	}
	if t.DueDate != "" {
		o["taskwire_due_date"] = t.DueDate
	}
	if t.RemindAt != nil {
		o["taskwire_remind_at"] = instant(*t.RemindAt)
	}
	if t.CompletedAt != nil {
		o["end"] = t.CompletedAt.UTC().Format(icsStamp)
	}
	if t.Recurrence != nil {
		o["taskwire_rrule"], o["taskwire_anchor"] = t.Recurrence.RRule, t.Recurrence.Anchor
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return err
	}
	before := ",\n"
	if !w.begun {
		before, w.begun = "[\n", true
	}
	_, err = w.w.Write(append([]byte(before), raw...))
	return err
}

// Close implements Writer.
func (w *taskwarriorWriter) Close() error {
	end := "\n]\n"
	if !w.begun {
		end = "[]\n"
	}
	_, err := io.WriteString(w.w, end)
	return err
}
