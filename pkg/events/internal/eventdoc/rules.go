package eventdoc

import (
	"fmt"
	"strings"

	"github.com/taskwire/taskwire/pkg/events"
)

// rule is a limit that the field's Go type does not express. It repeats a rule of Validate in the events package. The tests in
// schematest check that the two agree.
type rule struct {
	format   string // of a string: uuid or date
	min, max int    // characters of a string
	least    int    // smallest value of an integer
	fewest   int    // smallest number of entries of a list
	items    int    // largest number of entries of a list
	item     *rule  // of each entry
}

func chars(lo, hi int) rule { return rule{min: lo, max: hi} }

var uuid = rule{format: "uuid"}

// rules has the rules by type and wire name. A star means every type that has no rule of its own for the name.
var rules = map[string]rule{
	"*.event_id":       uuid,
	"*.schema_version": {least: events.SchemaVersion},
	"*.task_id":        uuid,
	"*.user_id":        uuid,
	"*.title":          chars(1, events.MaxTitle),
	"*.task_version":   {least: 1},
	"*.seq":            {least: 1},
	"*.timezone":       chars(1, events.MaxTimezone),
	"*.due_date":       {format: "date"},

	"TaskData.id":          uuid,
	"TaskData.description": chars(0, events.MaxDescription),
	"TaskData.tags":        {items: events.MaxTags, item: &rule{min: 1, max: events.MaxTag}},
	"TaskData.start_date":  {format: "date"},
	"TaskData.series_id":   uuid,
	"TaskData.version":     {least: 1},
	"Recurrence.rrule":     chars(1, events.MaxRRule),
	"Recurrence.exdates":   {items: events.MaxExDates, item: &rule{format: "date"}},
	"Change.field":         chars(1, events.MaxFieldName),

	"TaskEvent.changes":      {items: events.MaxChanges},
	"TaskEvent.actor":        chars(1, events.MaxActor),
	"TaskEvent.causation_id": chars(0, events.MaxCausationID),

	"NotificationEvent.notification_id": uuid,
	"NotificationEvent.kind":            chars(1, events.MaxKind),
	"NotificationEvent.body":            chars(0, events.MaxBody),

	"AccountEvent.session_id":        uuid,
	"AccountEvent.actor":             chars(0, events.MaxActor),
	"AccountEvent.address":           chars(0, events.MaxAddress),
	"AccountEvent.device":            chars(0, events.MaxDevice),
	"AccountEvent.reason":            chars(0, events.MaxSessionReason),
	"AccountEvent.role":              chars(0, events.MaxRole),
	"SessionUpdateEvent.session_ids": {fewest: 1, items: events.MaxSessionIDs, item: &uuid},

	"DeadLetter.event_id": chars(0, events.MaxName),
	"DeadLetter.topic":    chars(1, events.MaxName),
	"DeadLetter.consumer": chars(1, events.MaxName),
	"DeadLetter.reason":   chars(1, events.MaxReason),
}

// requiredAnyway corrects the fields whose Go type gives the wrong answer. Only the original form may omit the first three:
// their zero value is not written. A reader fills in the others.
var requiredAnyway = map[string]bool{
	"TaskData.created_at":      true,
	"TaskData.updated_at":      true,
	"TaskEvent.actor":          true,
	"ReminderEvent.event_type": false,

	"NotificationEvent.event_type":       false,
	"NotificationEvent.notification_seq": false,
	"NotificationEvent.unread":           false,
}

// enums are the closed sets of the string types.
var enums = map[string][]string{
	"Status":   words(events.Statuses()),
	"Priority": words(events.Priorities()),
	"Anchor":   words(events.Anchors()),
	"CatchUp":  words(events.CatchUps()),
}

func words[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// words returns the rule as text for the page.
func (r rule) words() string {
	var parts []string
	if r.fewest > 0 {
		parts = append(parts, fmt.Sprintf("at least %d", r.fewest))
	}
	if r.items > 0 {
		parts = append(parts, fmt.Sprintf("at most %d", r.items))
	}
	if r.item != nil {
		parts = append(parts, "each "+r.item.words())
	}
	switch {
	case r.max > 0 && r.min > 0:
		parts = append(parts, fmt.Sprintf("%d–%d characters", r.min, r.max))
	case r.max > 0:
		parts = append(parts, fmt.Sprintf("at most %d characters", r.max))
	}
	if r.least > 0 {
		parts = append(parts, fmt.Sprintf("at least %d", r.least))
	}
	return strings.Join(parts, ", ")
}
