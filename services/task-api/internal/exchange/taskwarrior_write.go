package exchange

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// taskwarriorWriter writes an array for `task import`, one object a line. Values without an attribute in Taskwarrior, and instants
// with fractions of a second, are in user-defined attributes (see own.go).
type taskwarriorWriter struct {
	w     io.Writer
	begun bool
}

// twStatus returns Taskwarrior's status.
func twStatus(s events.Status) string {
	switch s {
	case events.StatusCompleted:
		return "completed"
	case events.StatusCancelled:
		return "deleted"
	default:
		return "pending"
	}
}

// Write implements Writer.
func (w *taskwarriorWriter) Write(t domain.Task) error {
	o := map[string]any{
		"uuid": t.ID, "description": t.Title, "status": twStatus(t.Status), "priority": twLetters[t.Priority],
		own("status"): t.Status, own("priority"): t.Priority, own("timezone"): t.Timezone, own("position"): t.Position,
	}
	w.stamp(o, "entry", "created_at", &t.CreatedAt)
	w.stamp(o, "end", "completed_at", t.CompletedAt)
	w.stamp(o, "due", "due_at", t.DueAt)
	w.stamp(o, "scheduled", "start_at", t.StartAt)
	if t.Status == events.StatusInProgress {
		o["start"] = t.UpdatedAt.UTC().Format(icsStamp)
	}
	if t.Description != "" {
		o["annotations"] = []map[string]string{{"entry": t.CreatedAt.UTC().Format(icsStamp), "description": t.Description}}
	}
	if len(t.Tags) > 0 {
		o["tags"] = t.Tags
	}
	w.day(o, "due", "due_date", t.DueDate, t.Timezone)
	w.day(o, "scheduled", "start_date", t.StartDate, t.Timezone)
	if t.RemindAt != nil {
		o[own("remind_at")] = instant(*t.RemindAt)
	}
	if t.Recurrence != nil {
		raw, err := json.Marshal(t.Recurrence)
		if err != nil {
			return err
		}
		o[own("recurrence")] = string(raw) // an attribute is a text or a number
	}
	if clocks := clocksText(t); clocks != "" {
		o[own("clocks")] = clocks
	}
	if series := seriesText(t); series != "" {
		o[own("series")] = series
	}
	if t.SeriesID != "" {
		o[own("series_id")], o[own("occurrence_no")] = t.SeriesID, t.OccurrenceNo
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

// stamp writes an instant, and the exact one if it has a fraction of a second.
func (w *taskwarriorWriter) stamp(o map[string]any, name, field string, at *time.Time) {
	if at == nil {
		return
	}
	o[name] = at.UTC().Format(icsStamp)
	if !at.Equal(at.Truncate(time.Second)) {
		o[own(field)] = instant(*at)
	}
}

// day writes a day as an instant for Taskwarrior, and as a day for Taskwire.
func (w *taskwarriorWriter) day(o map[string]any, name, field, day, timezone string) {
	zone, err := events.LoadZone(timezone)
	if day == "" || err != nil {
		return
	}
	if at, ok := dayInstant(name, day, zone); ok {
		o[name], o[own(field)] = at.UTC().Format(icsStamp), day
	}
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
