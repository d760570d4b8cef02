package exchange

import (
	"bytes"
	"encoding/json"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// An occurrence that was changed alone (scope "this") has other values than its series, and its file has both. Those of the series are
// a merge patch (RFC 7396) from the task: only what differs is in it, so a value that another program changes counts for both.

// seriesMembers are the members of a task that its successor gets.
var seriesMembers = []string{"title", "description", "priority", "tags", "start_date", "start_at", "due_date", "due_at", "timezone", "remind_at", "recurrence"}

// seriesText returns the patch, with the times of day that the series means as the member clocks. It is "" if the series has the
// values of the task.
func seriesText(t domain.Task) string {
	if t.Pattern == nil {
		return ""
	}
	series := t.Series()
	if t.Recurrence != nil {
		rule := *t.Recurrence
		rule.Timezone = "" // the patch always has the zone of the rule: in the file, a rule that follows the task has none
		t.Recurrence = &rule
	}
	from, to := object(mustMarshal(t.TaskData)), object(mustMarshal(series.TaskData))
	patch := map[string]json.RawMessage{}
	for _, name := range seriesMembers {
		if value, differs := difference(from[name], to[name]); differs {
			patch[name] = value
		}
	}
	if text := clocksText(series); text != "" {
		patch["clocks"] = json.RawMessage(text)
	}
	return string(mustMarshal(patch))
}

// ownPattern makes the item an exception of the series that seriesText wrote. The other fields must be set before.
func (i *Item) ownPattern(text string) {
	if text == "" || text == "null" {
		return
	}
	patch := object([]byte(text))
	if patch == nil {
		i.keep(i.Line, "series", text)
		return
	}
	series := &Item{Line: i.Line, Fields: map[string]json.RawMessage{}}
	for _, name := range seriesMembers {
		if value := merged(i.Fields[name], patch[name]); value != nil {
			series.Fields[name] = value
		}
	}
	series.followZone("")
	series.ownClocks(string(patch["clocks"]))
	i.series = series
}

// object returns the members of an object. It returns nil for any other value.
func object(raw []byte) (members map[string]json.RawMessage) {
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members
}

// difference returns the patch that makes a value from another one, and reports whether they differ.
func difference(from, to json.RawMessage) (json.RawMessage, bool) {
	if bytes.Equal(from, to) {
		return nil, false
	}
	if to == nil {
		return json.RawMessage("null"), true
	}
	was, is := object(from), object(to)
	if was == nil || is == nil {
		return to, true
	}
	patch := map[string]json.RawMessage{}
	for name := range was {
		if is[name] == nil {
			patch[name] = json.RawMessage("null")
		}
	}
	for name, value := range is {
		if value, differs := difference(was[name], value); differs {
			patch[name] = value
		}
	}
	return mustMarshal(patch), true
}

// merged returns a value with a patch applied, or nil if the patch removes it.
func merged(value, patch json.RawMessage) json.RawMessage {
	if patch == nil {
		return value
	}
	if string(patch) == "null" {
		return nil
	}
	members, changes := object(value), object(patch)
	if changes == nil {
		return patch
	}
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	for name, change := range changes {
		if members[name] = merged(members[name], change); members[name] == nil {
			delete(members, name)
		}
	}
	return mustMarshal(members)
}
