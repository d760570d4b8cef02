package exchange

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// todoist reads the CSV that Todoist exports: TYPE, CONTENT, DESCRIPTION, PRIORITY, INDENT, AUTHOR, RESPONSIBLE, DATE,
// DATE_LANG, TIMEZONE and more, in any order. It has no ids: a row's content identifies it.
//
// Priorities 1 to 4 mean urgent to low. @labels at the end of CONTENT are tags. Sections and comments are not imported. A
// subtask is imported as a separate task.
type todoist struct {
	source  *budget
	csv     *csv.Reader
	columns map[string]int
	now     time.Time
	zone    *time.Location
}

// budget bounds the bytes that one record reads: csv.Reader has no such limit.
type budget struct {
	r    io.Reader
	left int
}

var errTooLong = errors.New("is longer than a task can be")

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func newTodoist(r io.Reader, now time.Time, zone *time.Location) *todoist {
	b := &budget{r: r}
	c := csv.NewReader(b)
	c.FieldsPerRecord, c.TrimLeadingSpace = -1, false
	return &todoist{source: b, csv: c, now: now, zone: zone}
}

// Next implements Reader.
func (t *todoist) Next() (Item, error) {
	if t.columns == nil {
		if err := t.header(); err != nil {
			return Item{}, err
		}
	}
	for {
		record, line, err := t.record()
		if err != nil {
			return Item{}, err
		}
		if len(strings.Join(record, "")) == 0 {
			continue
		}
		if _, own := t.columns[extraStatus]; own {
			for i := range record {
				record[i] = unescapeFormula(record[i])
			}
		}
		return t.item(record, line)
	}
}

func (t *todoist) record() ([]string, int, error) {
	t.source.left = MaxTask
	record, err := t.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		line, _ := t.csv.FieldPos(0)
		return nil, 0, fmt.Errorf("%w: the record after line %d %w (is a quotation mark not closed?)", ErrFile, line, errTooLong)
	case errors.As(err, &parse):
		return nil, 0, &Refused{parse.StartLine, "", "is not CSV: " + parse.Err.Error()}
	case err != nil:
		return nil, 0, err
	}
	line, _ := t.csv.FieldPos(0)
	return record, line, nil
}

func (t *todoist) header() error {
	record, _, err := t.record()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it is empty", ErrFile)
	}
	var refused *Refused
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: its first line %s", ErrFile, refused.Reason)
	}
	if err != nil {
		return err
	}
	t.columns = map[string]int{}
	for i, name := range record {
		if i == 0 {
			name = string(bytes.TrimPrefix([]byte(name), byteOrderMark))
		}
		t.columns[strings.ToUpper(strings.TrimSpace(name))] = i
	}
	for _, name := range []string{"TYPE", "CONTENT"} {
		if _, ok := t.columns[name]; !ok {
			return fmt.Errorf("%w: it is not Todoist's CSV, because its first line has no column %s", ErrFile, name)
		}
	}
	return nil
}

// extra… are columns that only Taskwire writes. With them an import restores what the export wrote.
const extraZone, extraReminder, extraStatus, extraRule, extraAnchor = "TASKWIRE_TIMEZONE", "TASKWIRE_REMIND_AT", "TASKWIRE_STATUS", "TASKWIRE_RRULE", "TASKWIRE_ANCHOR"

func (t *todoist) item(record []string, line int) (Item, error) {
	get := func(name string) string {
		if i, ok := t.columns[name]; ok && i < len(record) {
			return record[i]
		}
		return ""
	}
	switch kind := strings.ToLower(strings.TrimSpace(get("TYPE"))); kind {
	case "task":
	case "section", "note", "meta", "":
		return Item{}, &Skipped{line, "TYPE", fmt.Sprintf("is %q: only tasks are imported", kind)}
	default:
		return Item{}, &Refused{line, "TYPE", fmt.Sprintf("is %.50q: want task, section or note", kind)}
	}
	item := Item{Line: line, Content: strings.Join(record, "\x00")}
	title, labels := splitLabels(get("CONTENT"))
	item.set("title", title)
	item.set("description", get("DESCRIPTION"))
	if len(labels) > 0 {
		item.set("tags", labels)
	}
	if p := strings.TrimSpace(get("PRIORITY")); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > len(events.Priorities()) {
			return Item{}, &Refused{line, "PRIORITY", "must be 1 to 4"}
		}
		item.set("priority", events.Priorities()[len(events.Priorities())-n])
	}
	if indent := strings.TrimSpace(get("INDENT")); indent != "" && indent != "1" {
		item.note("INDENT", "makes it a subtask: imported as a separate task")
	}
	for _, name := range []string{"RESPONSIBLE", "DURATION", "DEADLINE"} {
		if v := strings.TrimSpace(get(name)); v != "" && v != "None" {
			item.note(name, "is not imported")
		}
	}
	zone := t.zone
	if name := strings.TrimSpace(get("TIMEZONE")); name != "" {
		if loc, err := time.LoadLocation(name); err == nil && name != "Local" {
			zone = loc
			item.set("timezone", name)
		} else {
			item.note("TIMEZONE", "is not an IANA time zone: the account's zone is used")
		}
	}
	for column, field := range map[string]string{extraReminder: "remind_at", extraStatus: "status", extraZone: "timezone"} {
		if v := get(column); v != "" {
			item.set(field, v)
		}
	}
	t.date(&item, strings.TrimSpace(get("DATE")), strings.TrimSpace(get("DATE_LANG")), zone)
	if rule := get(extraRule); rule != "" {
		item.set("recurrence", map[string]string{"rrule": rule, "anchor": get(extraAnchor)})
	}
	return item, nil
}

// splitLabels separates the @labels at the end of a task's text from its title.
func splitLabels(content string) (title string, labels []string) {
	title = strings.TrimSpace(content)
	for {
		i := strings.LastIndexAny(title, " \t")
		last := title[i+1:]
		if i < 0 || len(last) < 2 || last[0] != '@' {
			return title, labels
		}
		labels = append([]string{strings.ReplaceAll(last[1:], "_", " ")}, labels...)
		title = strings.TrimSpace(title[:i])
	}
}

// todoistWriter writes the same columns and Taskwire's own. No cell is a formula to a spreadsheet (see escapeFormula). Spaces in
// tags become underscores. Position, series, and the times of creation and completion are lost, and so is the difference
// between a space and an underscore in a tag.
type todoistWriter struct{ csv *csv.Writer }

var todoistColumns = []string{"TYPE", "CONTENT", "DESCRIPTION", "PRIORITY", "INDENT", "DATE", "DATE_LANG", "TIMEZONE", extraZone, extraReminder, extraStatus, extraRule, extraAnchor}

func newTodoistWriter(w io.Writer) (*todoistWriter, error) {
	c := csv.NewWriter(w)
	return &todoistWriter{c}, c.Write(todoistColumns)
}

// Write implements Writer.
func (w *todoistWriter) Write(t domain.Task) error {
	content := t.Title
	for _, tag := range t.Tags {
		content += " @" + strings.ReplaceAll(tag, " ", "_")
	}
	priority := len(events.Priorities())
	for i, p := range events.Priorities() {
		if p == t.Priority {
			priority = len(events.Priorities()) - i
		}
	}
	var rule events.Recurrence
	if t.Recurrence != nil {
		rule = *t.Recurrence
	}
	date, reminder := t.DueDate, ""
	if t.DueAt != nil {
		date = instant(*t.DueAt)
	}
	if t.RemindAt != nil {
		reminder = instant(*t.RemindAt)
	}
	record := []string{"task", content, t.Description, strconv.Itoa(priority), "1", date, "en", t.Timezone, t.Timezone, reminder, string(t.Status), rule.RRule, string(rule.Anchor)}
	for i := range record {
		record[i] = escapeFormula(record[i])
	}
	err := w.csv.Write(record)
	w.csv.Flush() // the caller has a buffer
	return errors.Join(err, w.csv.Error())
}

// Close implements Writer.
func (w *todoistWriter) Close() error {
	w.csv.Flush()
	return w.csv.Error()
}
