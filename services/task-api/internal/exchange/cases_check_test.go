package exchange_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
)

// check returns what is wrong with the entry of a case.
func (i *imported) check(c expected) []string {
	e, ok := i.find(c.Entry)
	if !ok {
		return []string{"the file has no such entry"}
	}
	return anyOf(c.Expect, func(one map[string]any) []string { return i.checkOne(e, one) })
}

// anyOf checks a value, or each value of {"any_of": […]} until one is right.
func anyOf[T any](want any, check func(T) []string) []string {
	if m, ok := want.(map[string]any); ok && m["any_of"] != nil {
		var all []string
		for _, one := range m["any_of"].([]any) {
			problems := anyOf(one, check)
			if len(problems) == 0 {
				return nil
			}
			all = append(all, problems...)
		}
		return all
	}
	value, _ := want.(T)
	return check(value)
}

// about says of the report and of the whole entry, not of a field of the task.
var about = []string{"noted", "refused", "tasks", "open_tasks", "notifications", "in_description_of", "same_task_as"}

func (i *imported) checkOne(e entry, expect map[string]any) (problems []string) {
	tasks, reports := i.of(e)
	if other, ok := expect["same_task_as"].(string); ok {
		if len(tasks) > 0 {
			problems = append(problems, "the entry has a task of its own")
		}
		of, _ := i.find(other)
		tasks, _ = i.of(of)
	}
	fields := maps.Clone(expect)
	for _, name := range about {
		delete(fields, name)
	}
	var task *domain.Task
	switch {
	case len(tasks) > 0:
		task = &tasks[0].Task
	case len(fields) > 0:
		return append(problems, fmt.Sprintf("the entry made no task; reports %v, end %v", reports, i.end))
	}
	if len(fields) > 0 && fields["status"] == nil {
		fields["status"] = string(events.StatusPending)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		problems = append(problems, checkField(*task, name, fields[name])...)
	}
	for name, want := range expect {
		switch name {
		case "noted":
			for _, property := range want.([]any) {
				if !i.noted(e, task, reports, property.(string)) {
					problems = append(problems, fmt.Sprintf("nothing says what became of %s; reports %v", property, reports))
				}
			}
		case "refused":
			if len(tasks) > 0 || len(reports) == 0 && !i.endsIn(e) {
				problems = append(problems, fmt.Sprintf("the entry is not refused; %d tasks, reports %v, end %v", len(tasks), reports, i.end))
			}
		case "tasks":
			problems = append(problems, count(name, len(tasks), want)...)
		case "open_tasks":
			problems = append(problems, count(name, i.open(e.series), want)...)
		case "notifications":
			problems = append(problems, count(name, firing(tasks), want)...)
		case "in_description_of":
			of, _ := i.find(want.(string))
			owner, _ := i.of(of)
			if len(owner) == 0 || !strings.Contains(owner[0].Description, e.description) {
				problems = append(problems, fmt.Sprintf("its text is not in the description of %q", want))
			}
		}
	}
	return problems
}

func count(name string, got int, want any) []string {
	if float64(got) != want.(float64) {
		return []string{fmt.Sprintf("%s: got %d, want %v", name, got, want)}
	}
	return nil
}

// open counts the open tasks of a series.
func (i *imported) open(series string) (n int) {
	for _, e := range i.entries {
		tasks, _ := i.of(e)
		for _, t := range tasks {
			if e.series == series && t.Open() {
				n++
			}
		}
	}
	return n
}

// firing counts the reminders that would come at once.
func firing(tasks []importedTask) (n int) {
	for _, t := range tasks {
		if kind, ok := domain.Reminder(nil, t.Task, casesNow); ok && kind == events.Scheduled && !t.RemindAt.After(casesNow) {
			n++
		}
	}
	return n
}

// noted reports whether the report has a line about the property of the entry, or its text is in the description of the task.
func (i *imported) noted(e entry, task *domain.Task, reports []exchange.Note, property string) bool {
	if property == "file" {
		reports = i.reports
	}
	for _, r := range reports {
		if strings.EqualFold(r.Field, property) || strings.Contains(r.Reason, property) {
			return true
		}
	}
	values := e.values[property]
	return task != nil && len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool {
		return v == "" || !strings.Contains(task.Description, v)
	}) || property == "DTSTART" && task != nil && hasField(*task, "start_date", "start_at")
}

func hasField(task domain.Task, names ...string) bool {
	members := membersOf(task)
	return slices.ContainsFunc(names, func(name string) bool { return members[name] != nil })
}

func membersOf(task domain.Task) (members map[string]any) {
	raw, err := json.Marshal(task.TaskData)
	if err == nil {
		err = json.Unmarshal(raw, &members)
	}
	if err != nil {
		panic(err) // cannot happen: the answers of the API are made so
	}
	return members
}

func checkField(task domain.Task, name string, want any) []string {
	wrong := func(got, want any) []string { return []string{fmt.Sprintf("%s: got %v, want %v", name, got, want)} }
	got := membersOf(task)[name]
	switch name {
	case "title_max":
		if n := utf8.RuneCountInString(task.Title); float64(n) > want.(float64) {
			return wrong(n, want)
		}
		return nil
	case "description_has":
		for _, text := range want.([]any) {
			if !strings.Contains(task.Description, text.(string)) {
				return wrong(task.Description, text)
			}
		}
		return nil
	case "recurrence":
		return anyOf(want, func(want map[string]any) []string {
			if got := task.Recurrence; got != nil && want != nil && hasField(task, "start_date", "start_at") && string(got.Anchor) == want["anchor"] {
				return nil // the rule counts from the start, and names other days than one that counts from the due date: next_due compares them
			}
			if got := task.Recurrence; (got == nil) != (want == nil) || got != nil && (!equalRules(got.RRule, want["rrule"].(string)) || string(got.Anchor) != want["anchor"]) {
				return wrong(got, want)
			}
			return nil
		})
	case "next_due":
		list, ok := want.([]any)
		if !ok {
			list = []any{want}
		}
		next := following(task.TaskData, len(list))
		for i, one := range list {
			if !equalValues(next[i], one) {
				return wrong(next, list)
			}
		}
		return nil
	}
	return anyOf(want, func(want any) []string {
		if !equalValues(got, want) {
			return wrong(got, want)
		}
		return nil
	})
}

// equalValues compares a member of a task with the value that is wanted: times as instants, texts with each run of white space as
// one blank. An empty list is the same as none.
func equalValues(got, want any) bool {
	switch want := want.(type) {
	case nil:
		return got == nil
	case string:
		text, ok := got.(string)
		if !ok || want == "*" {
			return want == "*" && got != nil
		}
		a, err1 := time.Parse(time.RFC3339, text)
		b, err2 := time.Parse(time.RFC3339, want)
		if err1 == nil && err2 == nil {
			return a.Equal(b)
		}
		return slices.Equal(strings.Fields(text), strings.Fields(want))
	case map[string]any:
		text, _ := got.(string)
		at, err := time.Parse(time.RFC3339, text)
		zone, err2 := time.LoadLocation(fmt.Sprint(want["zone"]))
		return err == nil && err2 == nil && at.In(zone).Format(time.DateOnly) == want["on"]
	case []any:
		list, _ := got.([]any)
		return slices.EqualFunc(list, want, equalValues)
	}
	return got == want
}

// equalRules compares rules without the order of their parts, INTERVAL=1 and the plus sign of +1MO.
func equalRules(a, b string) bool {
	parts := func(rule string) []string {
		list := strings.Split(strings.ReplaceAll(rule, "+", ""), ";")
		slices.Sort(list)
		return slices.DeleteFunc(list, func(part string) bool { return part == "INTERVAL=1" })
	}
	return slices.Equal(parts(a), parts(b))
}

// following returns when the next n occurrences are due, each completed in time, and then "end" if the series ends.
func following(t events.TaskData, n int) []any {
	out := make([]any, n)
	for i := range n {
		completed, ok, err := t.DueInstant()
		if err != nil || !ok {
			return out
		}
		s, ok, err := recurrence.SuccessorOf(t, completed)
		switch {
		case err != nil:
			out[i] = err.Error()
			return out
		case !ok:
			out[i] = "end"
			return out
		}
		t.OccurrenceNo, t.StartDate, t.StartAt, t.DueDate, t.DueAt = s.OccurrenceNo, s.StartDate, s.StartAt, s.DueDate, s.DueAt
		out[i] = s.DueDate
		if s.DueAt != nil {
			out[i] = s.DueAt.Format(time.RFC3339)
		}
	}
	return out
}
