package exchange

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// ownTags returns the tags that Taskwire wrote.
func (r *todoistRow) ownTags() (tags []string, ok bool) {
	if _, ok := r.t.columns[ownTags]; !ok || !r.t.own {
		return nil, false
	}
	text := r.cell(ownTags)
	return tags, text == "" || json.Unmarshal([]byte(text), &tags) == nil
}

// restore sets the fields from the columns that Taskwire wrote. A cell of Todoist's columns that was changed since then wins over
// Taskwire's own.
func (r *todoistRow) restore() {
	r.item.Source = r.trimmed(ownID)
	for column, field := range map[string]string{ownStatus: "status", ownReminder: "remind_at", ownZone: "timezone"} {
		if v := r.trimmed(column); v != "" {
			r.item.set(field, v)
		}
	}
	if n, err := strconv.ParseFloat(r.trimmed(ownPosition), 64); err == nil && n-n == 0 { // finite
		r.item.set("position", n)
	}
	switch start := r.trimmed(ownStart); {
	case strings.Contains(start, "T"):
		r.item.set("start_at", start)
	case start != "":
		r.item.set("start_date", start)
	}
	r.item.CreatedAt, r.item.CompletedAt = r.ownStamp(ownCreated), r.ownStamp(ownCompleted)
	r.item.ownSeries(r.cell(ownSeriesID), r.cell(ownOccurrence))
	exact := r.ownStamp(ownDue)
	unchanged := exact != nil && todoistDue(events.TaskData{DueAt: exact, Timezone: r.trimmed("TIMEZONE")}) == r.trimmed("DATE")
	if unchanged {
		r.item.set("due_at", instant(*exact))
	}
	if unchanged || exact == nil && r.item.Fields["due_date"] != nil {
		r.item.Clocks = domain.Clocks{}
	}
	r.item.ownClocks(r.cell(ownClockSet))
	r.restoreRule()
	r.item.ownPattern(r.cell(ownSeries))
}

func (r *todoistRow) restoreRule() {
	if r.item.Fields["recurrence"] != nil { // DATE has another rule now
		return
	}
	if rule := r.cell(ownRule); rule != "" {
		r.item.ownRecurrence(rule)
	} else if rule := r.cell(ownRRule); rule != "" {
		r.item.recur(rule, r.cell(ownAnchor))
	}
}

func (r *todoistRow) ownStamp(column string) *time.Time {
	at, err := time.Parse(time.RFC3339Nano, r.trimmed(column))
	if err != nil {
		return nil
	}
	return &at
}
