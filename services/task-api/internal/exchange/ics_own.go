package exchange

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// restore sets the fields from the X-TASKWIRE-… properties of Taskwire's own export. A value that another program has changed since
// then wins.
func (t *icsTask) restore() {
	if len(t.own) == 0 {
		return
	}
	t.restoreMoment("due", t.due)
	t.restoreMoment("start", t.start)
	if t.ownValue("start") == none && t.start != nil && t.due != nil && t.start.value == t.due.value {
		delete(t.item.Fields, "start_at")
		delete(t.item.Fields, "start_date")
	}
	restoreStamp(&t.item.CreatedAt, t.ownValue("created_at"))
	restoreStamp(&t.item.CompletedAt, t.ownValue("completed_at"))
	if text, _ := t.item.member("remind_at"); text != "" {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			reminder := &at
			restoreStamp(&reminder, t.ownValue("remind_at"))
			t.item.set("remind_at", instant(*reminder))
		}
	}
	t.restoreRule()
	t.item.ownSeries(t.ownValue("series_id"), t.ownValue("occurrence_no"))
	t.item.ownClocks(t.ownValue("clocks"))
	t.item.ownPattern(t.ownValue("series"))
}

func (t *icsTask) ownValue(field string) string {
	return t.own[strings.TrimPrefix(ownICS(field), ownICS(""))]
}

// restoreMoment sets the day or the exact instant, if the property still has the time that Taskwire wrote for it.
func (t *icsTask) restoreMoment(name string, m *moment) {
	if m == nil {
		return
	}
	stillSays := func(at time.Time) bool {
		return slices.Contains([]string{at.UTC().Format(icsStamp), at.In(m.loc).Format(icsWall)}, m.value)
	}
	if day := t.ownValue(name + "_date"); day != "" {
		if at, ok := dayInstant(name, day, m.loc); ok && stillSays(at) {
			delete(t.item.Fields, name+"_at")
			t.item.set(name+"_date", day)
		}
	}
	if exact, err := time.Parse(time.RFC3339Nano, t.ownValue(name+"_at")); err == nil && stillSays(exact) {
		t.item.set(name+"_at", instant(exact))
	}
}

// restoreRule sets the recurrence, if RRULE is as Taskwire wrote it. Other exceptions than those that Taskwire wrote win.
func (t *icsTask) restoreRule() {
	if t.recurs == nil || t.ownValue("rrule") != t.ruleText {
		return
	}
	var own events.Recurrence
	text := t.ownValue("recurrence")
	if json.Unmarshal([]byte(text), &own) != nil {
		return
	}
	var days []string
	for _, m := range t.exdates {
		days = append(days, m.wall.Format(time.DateOnly))
	}
	slices.Sort(days)
	var fromFile struct{ ExDates json.RawMessage }
	if json.Unmarshal(t.item.Fields["recurrence"], &fromFile) != nil {
		return
	}
	t.item.ownRecurrence(text)
	written := slices.DeleteFunc(own.ExDates, func(day string) bool { return day == t.from().wall.Format(time.DateOnly) }) // see icsTodo.rule
	if slices.Equal(days, written) {
		return
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(t.item.Fields["recurrence"], &members) != nil || members == nil {
		return
	}
	if members["exdates"] = fromFile.ExDates; fromFile.ExDates == nil {
		delete(members, "exdates")
	}
	t.item.set("recurrence", members)
}
