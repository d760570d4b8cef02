package domain

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Diff returns the fields that differ, in the order of the resource, with their values as in the API. It omits version, seq and
// updated_at, which change with every change.
func Diff(before, after Task) []events.Change {
	var d differ
	d.text("title", before.Title, after.Title)
	d.text("description", before.Description, after.Description)
	d.text("status", string(before.Status), string(after.Status))
	d.text("priority", string(before.Priority), string(after.Priority))
	if !slices.Equal(before.Tags, after.Tags) {
		d.add("tags", list(before.Tags), list(after.Tags))
	}
	d.optional("start_date", before.StartDate, after.StartDate)
	d.instant("start_at", before.StartAt, after.StartAt)
	d.optional("due_date", before.DueDate, after.DueDate)
	d.instant("due_at", before.DueAt, after.DueAt)
	d.text("timezone", before.Timezone, after.Timezone)
	d.instant("remind_at", before.RemindAt, after.RemindAt)
	if !sameRecurrence(before.Recurrence, after.Recurrence) {
		d.add("recurrence", before.Recurrence, after.Recurrence)
	}
	d.optional("series_id", before.SeriesID, after.SeriesID)
	if before.OccurrenceNo != after.OccurrenceNo {
		d.add("occurrence_no", number(before.OccurrenceNo), number(after.OccurrenceNo))
	}
	if before.SeriesEnds != after.SeriesEnds {
		d.add("series_ends", before.SeriesEnds, after.SeriesEnds)
	}
	if before.Position != after.Position {
		d.add("position", before.Position, after.Position)
	}
	d.instant("completed_at", before.CompletedAt, after.CompletedAt)
	d.instant("deleted_at", before.DeletedAt, after.DeletedAt)
	return d.changes
}

type differ struct{ changes []events.Change }

func (d *differ) add(field string, from, to any) {
	d.changes = append(d.changes, events.Change{Field: field, From: encode(from), To: encode(to)})
}

func (d *differ) text(field, from, to string) {
	if from != to {
		d.add(field, from, to)
	}
}

// optional is like text, but an empty string means that the field is absent.
func (d *differ) optional(field, from, to string) {
	if from != to {
		d.add(field, orNull(from), orNull(to))
	}
}

func (d *differ) instant(field string, from, to *time.Time) {
	if !sameInstant(from, to) {
		d.add(field, from, to)
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func number(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

func list(tags []string) []string {
	if tags == nil {
		return []string{}
	}
	return tags
}

// encode encodes a value of a task. Encoding cannot fail for these types.
func encode(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("domain: a field of a task cannot be written as JSON: " + err.Error())
	}
	return raw
}

func sameInstant(a, b *time.Time) bool {
	return a == b || (a != nil && b != nil && a.Equal(*b))
}

func sameRecurrence(a, b *events.Recurrence) bool {
	return a == b || (a != nil && b != nil && a.RRule == b.RRule && a.Anchor == b.Anchor && a.Timezone == b.Timezone &&
		a.CatchUp == b.CatchUp && slices.Equal(a.ExDates, b.ExDates))
}
