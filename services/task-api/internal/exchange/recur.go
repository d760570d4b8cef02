package exchange

import "github.com/taskwire/taskwire/pkg/recurrence"

// weekdays are the names of the days in a rule, by time.Weekday.
var weekdays = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

// recur sets the recurrence of an item. If Taskwire does not support the rule, recur adds a note and the task is imported
// without it: the other fields are still useful.
func (i *Item) recur(rule, anchor string) {
	if _, err := recurrence.Parse(rule); err != nil {
		i.note("recurrence", "is not imported: "+err.Error())
		return
	}
	members := map[string]string{"rrule": rule}
	if anchor != "" {
		members["anchor"] = anchor
	}
	i.set("recurrence", members)
}
