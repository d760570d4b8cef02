package exchange

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// taskwarrior reads the output of `task export`: a JSON array of objects, or one object a line.
//
// A recurring task (with status recurring, or with recur and no parent) is imported as one recurring task. Its pending
// instances, which name it as their parent, are skipped: Taskwire creates them itself.
//
// json.Decoder is not used for the array: it cannot continue after an object with an error, and does not bound an object.
type taskwarrior struct {
	r    *bufio.Reader
	line int
}

func newTaskwarrior(r io.Reader, _ *time.Location) *taskwarrior {
	return &taskwarrior{r: bufio.NewReaderSize(r, 64<<10), line: 1}
}

// object returns the next top-level object and its line. It finds the end of an object by its braces, so that the reader can
// continue after an object with an error.
func (t *taskwarrior) object() (raw []byte, line int, err error) {
	depth, inText, escaped, tooLong := 0, false, false, false
	for {
		c, err := t.r.ReadByte()
		if errors.Is(err, io.EOF) && depth > 0 {
			return nil, 0, fmt.Errorf("%w: the object that begins on line %d has no end", ErrFile, line)
		}
		if err != nil {
			return nil, 0, err
		}
		if c == '\n' {
			t.line++
		}
		if depth == 0 {
			switch {
			case c == '{':
				depth, raw, line = 1, append(raw, c), t.line
			case strings.IndexByte(" \t\r\n,[]\xef\xbb\xbf", c) < 0:
				return nil, 0, fmt.Errorf("%w: it is not the output of `task export`, because of line %d", ErrFile, t.line)
			}
			continue
		}
		if raw = append(raw, c); len(raw) > MaxTask {
			raw, tooLong = raw[:0], true
		}
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = c == '\\', c != '"'
		case c == '"':
			inText = true
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		if depth == 0 {
			if tooLong {
				return nil, 0, &Refused{line, "", errTooLong.Error()}
			}
			return raw, line, nil
		}
	}
}

// twTask has the imported attributes of an exported task.
type twTask struct {
	UUID, Description, Status, Priority, Due, Entry, End, Start, Recur, Parent string
	Tags                                                                       []string
	Annotations                                                                []struct{ Description string }
	// Attributes that only Taskwire writes; to Taskwarrior they are user-defined attributes.
	TaskwireStatus, TaskwirePriority, TaskwireRRule, TaskwireAnchor, TaskwireTimezone, TaskwireDueDate, TaskwireRemindAt string
	TaskwirePosition                                                                                                     *float64
}

// twComputed has the attributes that Taskwarrior computes. They are ignored without a note.
var twComputed = map[string]bool{"id": true, "urgency": true, "modified": true, "mask": true, "imask": true, "rtype": true, "template": true, "last": true}

// Next implements Reader.
func (t *taskwarrior) Next() (Item, error) {
	raw, line, err := t.object()
	if err != nil {
		return Item{}, err
	}
	var members map[string]json.RawMessage
	if err := httpx.UnmarshalStrict(raw, &members); err != nil {
		return Item{}, &Refused{line, "", "cannot be read: " + reason(err)}
	}
	var w twTask
	targets := map[string]any{
		"uuid": &w.UUID, "description": &w.Description, "status": &w.Status, "priority": &w.Priority, "due": &w.Due, "entry": &w.Entry,
		"end": &w.End, "start": &w.Start, "recur": &w.Recur, "parent": &w.Parent, "tags": &w.Tags, "annotations": &w.Annotations,
		"taskwire_status": &w.TaskwireStatus, "taskwire_priority": &w.TaskwirePriority, "taskwire_rrule": &w.TaskwireRRule,
		"taskwire_anchor": &w.TaskwireAnchor, "taskwire_timezone": &w.TaskwireTimezone, "taskwire_due_date": &w.TaskwireDueDate,
		"taskwire_remind_at": &w.TaskwireRemindAt, "taskwire_position": &w.TaskwirePosition,
	}
	for name, target := range targets {
		if raw, ok := members[name]; ok && json.Unmarshal(raw, target) != nil {
			return Item{}, &Refused{line, name, "has the wrong type"}
		}
	}
	item := Item{Line: line, Source: w.UUID, Content: string(raw)}
	for _, name := range sorted(members) {
		if targets[name] == nil && !twComputed[name] {
			item.note(fmt.Sprintf("%.50s", name), "is not imported")
		}
	}
	return item, w.into(&item)
}

// into fills in the item.
func (w twTask) into(item *Item) error {
	done := w.Status == "completed"
	switch w.Status {
	case "deleted":
		if w.TaskwireStatus == string(events.StatusCancelled) {
			break
		}
		return &Skipped{item.Line, "status", "is deleted: not imported"}
	case "pending", "waiting", "recurring", "completed", "":
	default:
		return &Refused{item.Line, "status", "must be pending, waiting, recurring, completed or deleted"}
	}
	if w.Parent != "" && w.Recur != "" && !done {
		return &Skipped{item.Line, "parent", "makes it an instance of a recurring task, which is imported as a whole"}
	}
	status := events.StatusPending
	switch {
	case w.TaskwireStatus != "":
		status = events.Status(w.TaskwireStatus)
	case done:
		status = events.StatusCompleted
	case w.Start != "":
		status = events.StatusInProgress
	}
	priority := map[string]string{"H": "high", "M": "medium", "L": "low", "": "medium"}[w.Priority]
	if w.TaskwirePriority != "" {
		priority = w.TaskwirePriority
	}
	if priority == "" {
		return &Refused{item.Line, "priority", "must be H, M or L"}
	}
	item.set("title", w.Description)
	item.set("status", status)
	item.set("priority", priority)
	if len(w.Tags) > 0 {
		item.set("tags", w.Tags)
	}
	var texts []string
	for _, a := range w.Annotations {
		texts = append(texts, a.Description)
	}
	item.set("description", strings.Join(texts, "\n\n"))
	for field, v := range map[string]string{"timezone": w.TaskwireTimezone, "remind_at": w.TaskwireRemindAt} {
		if v != "" {
			item.set(field, v)
		}
	}
	if w.TaskwirePosition != nil {
		item.set("position", *w.TaskwirePosition)
	}
	item.CreatedAt = w.time(item, "entry", w.Entry)
	if end := w.time(item, "end", w.End); status == events.StatusCompleted {
		item.CompletedAt = end
	}
	due := w.time(item, "due", w.Due)
	switch {
	case w.TaskwireDueDate != "":
		item.set("due_date", w.TaskwireDueDate)
	case due != nil:
		item.set("due_at", instant(*due))
	}
	switch rule := twRule(w.Recur); {
	case w.TaskwireRRule != "":
		item.recur(w.TaskwireRRule, w.TaskwireAnchor)
	case w.Recur == "" || done:
	case rule == "":
		item.note("recur", fmt.Sprintf("%.50q is not imported: Taskwire has no such rule", w.Recur))
	default:
		item.recur(rule, "")
	}
	return nil
}

func (twTask) time(item *Item, field, s string) *time.Time {
	if s == "" {
		return nil
	}
	at, err := time.Parse(icsStamp, s)
	if err != nil {
		item.note(field, "is not a time like 20300131T150405Z: not imported")
		return nil
	}
	return &at
}

var (
	twCount = regexp.MustCompile(`^(\d{1,3}) ?(d|days?|w|weeks?|wks?|mo|months?|y|years?|yrs?)$`)
	twISO   = regexp.MustCompile(`^P(\d{1,3})([DWMY])$`)
	twNames = map[string]string{
		"daily": "FREQ=DAILY", "day": "FREQ=DAILY", "weekdays": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "weekly": "FREQ=WEEKLY",
		"biweekly": "FREQ=WEEKLY;INTERVAL=2", "fortnight": "FREQ=WEEKLY;INTERVAL=2", "monthly": "FREQ=MONTHLY",
		"bimonthly": "FREQ=MONTHLY;INTERVAL=2", "quarterly": "FREQ=MONTHLY;INTERVAL=3", "semiannual": "FREQ=MONTHLY;INTERVAL=6",
		"annual": "FREQ=YEARLY", "yearly": "FREQ=YEARLY", "biannual": "FREQ=YEARLY;INTERVAL=2", "biyearly": "FREQ=YEARLY;INTERVAL=2",
	}
)

// twRule converts a recurrence of Taskwarrior to a rule. It returns "" if there is no such rule.
func twRule(recur string) string {
	recur = strings.TrimSpace(recur)
	if rule, ok := twNames[strings.ToLower(recur)]; ok {
		return rule
	}
	m := twISO.FindStringSubmatch(recur)
	if m == nil {
		m = twCount.FindStringSubmatch(strings.ToLower(recur))
	}
	if m == nil {
		return ""
	}
	freq := map[byte]string{'d': "DAILY", 'w': "WEEKLY", 'm': "MONTHLY", 'y': "YEARLY"}[strings.ToLower(m[2])[0]]
	return "FREQ=" + freq + ";INTERVAL=" + m[1]
}
