package exchange

import "github.com/taskwire/taskwire/pkg/recurrence"

// recur puts a recurrence into an item. A rule that Taskwire does not have is noted, and the task is taken without it:
// its other fields are still of use.
func (i *Item) recur(rule, anchor string) {
	if _, err := recurrence.Parse(rule); err != nil {
		i.note("recurrence", "is not taken: "+err.Error())
		return
	}
	members := map[string]string{"rrule": rule}
	if anchor != "" {
		members["anchor"] = anchor
	}
	i.set("recurrence", members)
}
