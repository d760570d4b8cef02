package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// twTask is an object of `task export` on its way to an item.
type twTask struct {
	item    Item
	members map[string]json.RawMessage
	zone    *time.Location
	texts   []string // the annotations
	has     map[string]bool
	place   int64 // among the instances of a series
}

// twSilent has the attributes that Taskwarrior computes itself, or that have done their work when the task is imported.
var twSilent = []string{"id", "urgency", "modified", "mask", "imask", "rtype", "template", "last", "parent", "recur", "uuid", "entry", "end"}

func newTWTask(members map[string]json.RawMessage, line int, content string, zone *time.Location) *twTask {
	t := &twTask{item: Item{Line: line, Content: content}, members: members, zone: zone}
	t.item.Source = t.text("uuid")
	return t
}

func (t *twTask) text(name string) string {
	raw := t.members[name]
	if raw == nil || string(raw) == "null" {
		return ""
	}
	return strings.TrimSpace(textOf(raw))
}

// isTemplate reports whether the task is one from which Taskwarrior makes instances.
func (t *twTask) isTemplate() bool {
	return t.text("status") == "recurring" || t.text("recur") != "" && t.text("parent") == "" && t.open()
}

func (t *twTask) open() bool {
	return !slices.Contains([]string{"completed", "deleted"}, t.text("status"))
}

// seriesKey returns the uuid of the template of an open task, or "" for a task that belongs to no series. A deleted template counts,
// because its instances do not recur any more.
func (t *twTask) seriesKey() string {
	parent := t.text("parent")
	switch {
	case t.isTemplate(), t.text("recur") != "" && parent == "" && t.text("mask") != "":
		return t.item.Source
	case t.open():
		return parent
	}
	return ""
}

// plain returns the item of a task that does not recur.
func (t *twTask) plain() (Item, error) {
	if err := t.fill(); err != nil {
		return Item{}, err
	}
	t.date("due", "due_date", "due_at")
	if t.members["scheduled"] != nil {
		t.start("scheduled")
		t.keepAttribute("wait")
	} else {
		t.start("wait")
	}
	t.keepAttribute("until")
	if recur := t.text("recur"); recur != "" && t.open() {
		t.item.keep(t.item.Line, "recur", recur)
	}
	return t.finish()
}

// fill sets the fields that have nothing to do with recurrence.
func (t *twTask) fill() error {
	if t.text("status") == "deleted" && t.text(own("status")) != string(events.StatusCancelled) {
		return &Skipped{t.item.Line, "status", "is deleted: not imported"}
	}
	t.item.Fields = map[string]json.RawMessage{"title": t.members["description"]}
	if t.members["description"] == nil {
		delete(t.item.Fields, "title")
	}
	if tags := t.members["tags"]; tags != nil {
		t.item.Fields["tags"] = tags
	}
	t.item.set("status", t.status())
	t.item.set("priority", t.priority())
	t.item.CreatedAt = t.stamp("entry")
	if end := t.stamp("end"); end != nil && t.text("status") == "pending" {
		t.item.keep(t.item.Line, "end", t.text("end"))
	} else if t.text("status") == "completed" {
		t.item.CompletedAt = end
	}
	t.annotations()
	return nil
}

func (t *twTask) status() events.Status {
	status := events.StatusPending
	switch s := t.text("status"); {
	case s == "completed":
		status = events.StatusCompleted
	case s == "deleted":
		status = events.StatusCancelled
	case !slices.Contains([]string{"pending", "waiting", "recurring", ""}, s):
		t.item.keep(t.item.Line, "status", s)
	case t.text("start") != "":
		status = events.StatusInProgress
	}
	return status
}

var (
	twPriorities = map[string]events.Priority{"H": events.PriorityHigh, "M": events.PriorityMedium, "L": events.PriorityLow, "": events.PriorityMedium}
	twLetters    = map[events.Priority]string{events.PriorityUrgent: "H", events.PriorityHigh: "H", events.PriorityMedium: "M", events.PriorityLow: "L"}
)

func (t *twTask) priority() events.Priority {
	letter := t.text("priority")
	if exact := events.Priority(t.text(own("priority"))); exact != "" && twLetters[exact] == letter {
		return exact
	}
	priority, ok := twPriorities[letter]
	if !ok {
		t.item.keep(t.item.Line, "priority", letter)
		return events.PriorityMedium
	}
	return priority
}

// stamp reads a time that is side data.
func (t *twTask) stamp(name string) *time.Time {
	text := t.text(name)
	if text == "" {
		return nil
	}
	at, _, ok := readTime(text, t.zone)
	if !ok {
		t.item.keep(t.item.Line, name, text)
		return nil
	}
	return &at
}

// date sets one of two fields: a day, or an instant.
func (t *twTask) date(name, dayField, field string) (at time.Time, day, ok bool) {
	text := t.text(name)
	if text == "" {
		return at, false, false
	}
	at, day, ok = readTime(text, t.zone)
	switch {
	case !ok:
		t.item.keep(t.item.Line, name, text)
	case day:
		t.item.set(dayField, at.Format(time.DateOnly))
	default:
		t.item.set(field, instant(at))
	}
	return at, day, ok
}

// start makes the time from which a task is planned, or up to which it is hidden, its start. The text stays in the report, because
// Taskwire does not hide a task before its start.
func (t *twTask) start(name string) {
	if t.text(name) == "" {
		return
	}
	if t.isOwn() {
		t.date(name, "start_date", "start_at")
		return
	}
	if due, _, ok := readTime(t.text("due"), t.zone); ok {
		if at, _, ok := readTime(t.text(name), t.zone); ok && at.After(due) {
			t.keepAttribute(name)
			return
		}
	}
	if _, _, ok := t.date(name, "start_date", "start_at"); ok {
		t.item.note(name, fmt.Sprintf("%.50q is the start of the task", t.text(name)))
	}
}

// isOwn reports whether Taskwire wrote the object.
func (t *twTask) isOwn() bool { return t.members[own("status")] != nil }

func (t *twTask) keepAttribute(name string) {
	if text := t.text(name); text != "" {
		t.item.keep(t.item.Line, name, text)
	}
}

// annotations reads a list of objects with a description, or of texts.
func (t *twTask) annotations() {
	raw := t.members["annotations"]
	if raw == nil {
		return
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	dated := false
	for _, one := range list {
		var annotation struct{ Entry, Description json.RawMessage }
		if json.Unmarshal(one, &annotation) != nil || annotation.Description == nil {
			annotation.Description = one
		}
		dated = dated || annotation.Entry != nil
		t.annotate(textOf(annotation.Description))
	}
	if dated && !t.isOwn() {
		t.item.note("annotations", "are the description; their dates are not imported")
	}
}

// annotate adds a text that the task does not have.
func (t *twTask) annotate(text string) {
	if text == "" || t.has[text] {
		return
	}
	if t.has == nil {
		t.has = map[string]bool{}
	}
	t.has[text], t.texts = true, append(t.texts, text)
}

// finish sets the description, keeps the attributes that a task cannot hold, and restores what Taskwire itself wrote.
func (t *twTask) finish() (Item, error) {
	if len(t.texts) > 0 {
		t.item.set("description", strings.Join(t.texts, "\n\n"))
	}
	handled := []string{"description", "status", "priority", "tags", "annotations", "due", "scheduled", "wait", "until"}
	for _, name := range sorted(t.members) {
		if strings.HasPrefix(name, own("")) || slices.Contains(handled, name) || slices.Contains(twSilent, name) || name == "start" && t.isOwn() {
			continue
		}
		t.keepAttribute(name)
	}
	t.restore()
	return t.item, nil
}
