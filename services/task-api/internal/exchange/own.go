package exchange

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// This file has the values that only Taskwire writes into the files of other programs, so that an import restores every field. A value
// that another program has changed since then wins over Taskwire's own.

// own returns the name of the user-defined attribute of Taskwarrior for a field.
func own(field string) string { return "taskwire_" + field }

// restore sets the fields from the attributes that Taskwire wrote.
func (t *twTask) restore() {
	if !t.isOwn() {
		return
	}
	get := func(field string) string { return t.text(own(field)) }
	if status := events.Status(get("status")); twStatus(status) == t.text("status") && (status == events.StatusInProgress) == (t.text("start") != "") {
		t.item.set("status", status)
	}
	for _, field := range []string{"timezone", "remind_at"} {
		if v := get(field); v != "" {
			t.item.set(field, v)
		}
	}
	if raw := t.members[own("position")]; raw != nil {
		t.item.Fields["position"] = raw
	}
	t.restoreTime("due", "due_date", "due_at")
	t.restoreTime("scheduled", "start_date", "start_at")
	restoreStamp(&t.item.CreatedAt, get("created_at"))
	restoreStamp(&t.item.CompletedAt, get("completed_at"))
	switch rule := get("recurrence"); {
	case rule != "":
		t.item.ownRecurrence(rule)
	case get("rrule") != "": // of an earlier version
		t.item.recur(get("rrule"), get("anchor"))
	}
	t.item.ownSeries(get("series_id"), get("occurrence_no"))
	t.item.ownClocks(get("clocks"))
	t.item.ownPattern(get("series"))
}

// restoreTime sets a day or an exact instant, if the attribute still has the time that Taskwire wrote for it.
func (t *twTask) restoreTime(name, dayField, field string) {
	written, _, ok := readTime(t.text(name), t.zone)
	if !ok {
		return
	}
	if day := t.text(own(dayField)); day != "" {
		zone := t.zone
		if loc, err := events.LoadZone(t.text(own("timezone"))); err == nil {
			zone = loc
		}
		if at, ok := dayInstant(name, day, zone); ok && at.Equal(written) {
			delete(t.item.Fields, field)
			t.item.set(dayField, day)
		}
	}
	if exact, err := time.Parse(time.RFC3339Nano, t.text(own(field))); err == nil && exact.Truncate(time.Second).Equal(written) {
		t.item.set(field, instant(exact))
	}
}

// dayInstant returns the instant that stands for a day in Taskwarrior: its end for a due date, its beginning for a start.
func dayInstant(name, day string, zone *time.Location) (time.Time, bool) {
	if name == "due" {
		at, ok, err := events.TaskData{DueDate: day, Timezone: zone.String()}.DueInstant()
		return at, ok && err == nil
	}
	wall, err := time.Parse(time.DateOnly, day)
	return atWall(wall, zone), err == nil
}

// restoreStamp sets the exact instant, if at still has its second.
func restoreStamp(at **time.Time, text string) {
	if exact, err := time.Parse(time.RFC3339Nano, text); err == nil && *at != nil && exact.Truncate(time.Second).Equal(**at) {
		*at = &exact
	}
}

// ownRecurrence sets the recurrence as Taskwire wrote it, in JSON. A zone that is the task's is left out: the rule follows the task.
func (i *Item) ownRecurrence(text string) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		i.keep(i.Line, "recurrence", text)
		return
	}
	i.set("recurrence", members)
	i.followZone("")
}

// followZone takes the zone out of a recurrence if it is the task's: then the rule follows the task's zone. account is the zone of a
// task that names none.
func (i *Item) followZone(account string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(i.Fields["recurrence"], &members) != nil || members["timezone"] == nil {
		return
	}
	zone := account
	if own, _ := i.member("timezone"); own != "" {
		zone = own
	}
	if textOf(members["timezone"]) == zone {
		delete(members, "timezone")
		i.set("recurrence", members)
	}
}

// ownSeries sets series and number.
func (i *Item) ownSeries(series, no string) {
	if err := json.Unmarshal([]byte(no), &i.Occurrence); err == nil {
		i.Series = strings.TrimSpace(series)
	}
}

// ownICS returns the name of the property of iCalendar for a field.
func ownICS(field string) string {
	return "X-TASKWIRE-" + strings.ToUpper(strings.ReplaceAll(field, "_", "-"))
}

// clocks are domain.Clocks in a file, as HH:MM:SS with a fraction.
type clocks struct {
	Start  string `json:"start,omitempty"`
	Due    string `json:"due,omitempty"`
	Remind string `json:"remind,omitempty"`
}

const clockLayout = "15:04:05.999999999"

// clocksText returns the times of day that a task means, in JSON, or "" if it has them all.
func clocksText(t domain.Task) string {
	text := func(clock *time.Duration) string {
		if clock == nil {
			return ""
		}
		return time.Time{}.Add(*clock).Format(clockLayout)
	}
	if c := (clocks{text(t.StartClock), text(t.DueClock), text(t.RemindClock)}); c != (clocks{}) {
		return string(mustMarshal(c))
	}
	return ""
}

// ownClocks sets the times of day. The domain ignores one that does not belong to its instant.
func (i *Item) ownClocks(text string) {
	var c clocks
	if json.Unmarshal([]byte(text), &c) != nil {
		return
	}
	clock := func(text string) *time.Duration {
		at, err := time.Parse(clockLayout, text)
		if err != nil {
			return nil
		}
		d := at.Sub(at.Truncate(24 * time.Hour))
		return &d
	}
	i.Clocks = domain.Clocks{Start: clock(c.Start), Due: clock(c.Due), Remind: clock(c.Remind)}
}
