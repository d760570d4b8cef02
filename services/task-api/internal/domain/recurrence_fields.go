package domain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/optional"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// RecurrenceFields has the members of a recurrence in a request. They are merged into the rule of the task (RFC 7396): an absent
// member stays, and a null member takes its default.
type RecurrenceFields struct {
	RRule, Text, Timezone optional.Field[string]
	Anchor                optional.Field[events.Anchor]
	CatchUp               optional.Field[events.CatchUp]
	ExDates               optional.Field[[]string]
}

func readRecurrence(f *Fields, raw json.RawMessage) *badMember {
	f.Recurrence.Set = true
	if string(raw) == "null" {
		f.Recurrence.Null = true
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return &badMember{reason: "must be an object with rrule or text, and optionally anchor, timezone, catch_up and exdates"}
	}
	r := &f.Recurrence.Value
	targets := map[string]json.Unmarshaler{
		"rrule": &r.RRule, "text": &r.Text, "anchor": &r.Anchor, "timezone": &r.Timezone, "catch_up": &r.CatchUp, "exdates": &r.ExDates,
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		target, ok := targets[name]
		if !ok {
			return &badMember{name, "is not a field of a recurrence"}
		}
		if target.UnmarshalJSON(members[name]) != nil {
			if name == "exdates" {
				return &badMember{name, "must be a list of dates, like 2030-01-31"}
			}
			return &badMember{name, "must be a string"}
		}
	}
	return nil
}

// setRecurrence merges the members of a request into the rule. A task that begins to recur becomes the first occurrence of a new
// series. It stays in the series when the rule is changed or removed later.
func (t *Task) setRecurrence(p *problems, f Fields, d Defaults, whole bool) {
	if !f.Recurrence.Set && !whole {
		return
	}
	if !f.Recurrence.HasValue() {
		t.Recurrence, t.RuleZone = nil, false
		return
	}
	var r events.Recurrence
	shown := "" // the zone that the client read
	if t.Recurrence != nil {
		shown = t.Recurrence.Timezone
		if !whole {
			r = *t.Recurrence
		}
	}
	given := f.Recurrence.Value
	if given.Text.HasValue() && !given.RRule.HasValue() {
		t.phrase(p, &r, &f, d)
	} else {
		setRule(p, &r, given)
	}
	setMember(p, "recurrence.anchor", &r.Anchor, given.Anchor, events.AnchorSchedule, events.Anchor.Valid, "must be schedule or completion")
	setMember(p, "recurrence.catch_up", &r.CatchUp, given.CatchUp, events.CatchUpNext, events.CatchUp.Valid, "must be next or all")
	switch tz := given.Timezone; {
	case tz.HasValue() && tz.Value == shown && !t.RuleZone: // as the client read it
	case tz.HasValue():
		r.Timezone, t.RuleZone = tz.Value, true
		if _, ok := Zone(r.Timezone); !ok {
			p.add("recurrence.timezone", "must be an IANA time zone, like Europe/London")
		}
	case tz.Set || whole:
		t.RuleZone = false
	}
	if given.ExDates.Set {
		r.ExDates = exdates(p, given.ExDates.Value)
	}
	t.Recurrence = &r
	if t.SeriesID == "" {
		t.SeriesID, t.OccurrenceNo = uuid.NewString(), 1
	}
}

func setRule(p *problems, r *events.Recurrence, given RecurrenceFields) {
	switch {
	case given.Text.HasValue() && given.RRule.HasValue():
		p.add("recurrence.text", "must not be set together with rrule")
		return
	case given.RRule.Set && given.RRule.Null:
		p.add("recurrence.rrule", "must not be null: set recurrence to null to remove the rule")
		return
	case given.RRule.HasValue():
		r.RRule = strings.ToUpper(strings.TrimSpace(given.RRule.Value))
	case r.RRule == "":
		p.add("recurrence.rrule", "is missing")
		return
	}
	if _, err := recurrence.Parse(r.RRule); err != nil {
		p.add("recurrence.rrule", err.Error())
	}
}

// setMember sets a member with a closed set of values. A null member and one that never had a value get the default.
func setMember[T ~string](p *problems, field string, target *T, given optional.Field[T], byDefault T, valid func(T) bool, message string) {
	switch {
	case given.HasValue():
		if *target = given.Value; !valid(*target) {
			p.add(field, message)
		}
	case given.Set, *target == "":
		*target = byDefault
	}
}

// exdates returns the stored form of a list of days: ascending, each once.
func exdates(p *problems, list []string) []string {
	if len(list) > events.MaxExDates {
		p.add("recurrence.exdates", fmt.Sprintf("must be at most %d", events.MaxExDates))
		return nil
	}
	for i, day := range list {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			p.add(fmt.Sprintf("recurrence.exdates[%d]", i), "must be a date, like 2030-01-31")
		}
	}
	list = slices.Clone(list)
	slices.Sort(list)
	if list = slices.Compact(list); len(list) == 0 {
		return nil
	}
	return list
}
