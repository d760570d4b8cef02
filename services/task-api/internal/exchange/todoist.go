package exchange

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/events"
)

// todoist reads the CSV that Todoist exports: TYPE, CONTENT, DESCRIPTION, PRIORITY, INDENT, AUTHOR, RESPONSIBLE, DATE,
// DATE_LANG, TIMEZONE and more, in any order and with commas, semicolons or tabs. It has no ids: a row's content identifies it.
//
// Priorities 1 to 4 mean urgent to low. @labels at the end of CONTENT are tags. A comment is kept in the description of its task, and
// so is a value that a task does not have. A section is reported. A subtask is imported as a separate task.
type todoist struct {
	rows    *csvRows
	columns map[string]int
	others  map[int]string // columns that are not imported, by their index
	own     bool           // the file is an export of Taskwire
	now     time.Time
	zone    *time.Location

	held    *Item    // the last task: its comments follow it
	after   error    // what comes after held
	parents []string // the titles of the tasks above, by their INDENT
	author  bool     // AUTHOR was reported
}

func newTodoist(r io.Reader, now time.Time, zone *time.Location) *todoist {
	return &todoist{rows: newCSVRows(r), now: now, zone: zone}
}

// Next implements Reader.
func (t *todoist) Next() (Item, error) {
	if t.columns == nil {
		if err := t.header(); err != nil {
			return Item{}, err
		}
	}
	for t.after == nil {
		item, err := t.row()
		if err == nil && item == nil {
			continue
		}
		before := t.held
		t.held, t.after = item, err
		if before != nil {
			return *before, nil
		}
	}
	if before := t.held; before != nil {
		t.held = nil
		return *before, nil
	}
	err := t.after
	var refused *Refused
	var skipped *Skipped
	if errors.As(err, &refused) || errors.As(err, &skipped) {
		t.after = nil
	}
	return Item{}, err
}

// known has the columns that are imported, or belong to one that is.
var known = []string{
	"TYPE", "CONTENT", "DESCRIPTION", "PRIORITY", "INDENT", "AUTHOR", "RESPONSIBLE", "DATE", "DATE_LANG", "TIMEZONE", "DURATION",
	"DURATION_UNIT", "DEADLINE", "DEADLINE_LANG",
}

func (t *todoist) header() error {
	names, err := t.rows.header("TYPE", "CONTENT")
	if err != nil {
		return err
	}
	t.columns, t.others = map[string]int{}, map[int]string{}
	for i, name := range names {
		_, twice := t.columns[name]
		if twice || !hasAll(known, []string{name}) && !strings.HasPrefix(name, ownPrefix) {
			t.others[i] = name
			continue
		}
		t.columns[name] = i
	}
	_, t.own = t.columns[ownStatus]
	return nil
}

// row reads a row. It returns neither an item nor an error for a row that belongs to the task before it, or says nothing.
func (t *todoist) row() (*Item, error) {
	row, err := t.rows.next()
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(strings.Join(row.cells, "")) == "" {
		return nil, nil
	}
	if t.own {
		for i := range row.cells {
			row.cells[i] = unescapeFormula(row.cells[i])
		}
	}
	r := todoistRow{t: t, cells: row.cells, item: Item{Line: row.line}}
	content := r.cell("CONTENT")
	switch kind := strings.ToLower(strings.TrimSpace(r.cell("TYPE"))); kind {
	case "task":
		if row.quotes {
			r.item.note("", "has text after a closing quotation mark: it is kept as it stands")
		}
		return r.read(), nil
	case "note":
		if t.held != nil {
			t.comment(r)
			return nil, nil
		}
		return nil, &Skipped{row.line, "TYPE", "is a comment without a task: not imported"}
	case "section":
		t.parents = nil
		return nil, &Skipped{row.line, "TYPE", fmt.Sprintf("is the section %.100q: its tasks are imported without it", content)}
	case "meta", "":
		return nil, &Skipped{row.line, "TYPE", fmt.Sprintf("is %q: only tasks are imported; CONTENT is %.100q", kind, content)}
	default:
		return nil, &Refused{row.line, "TYPE", fmt.Sprintf("is %.50q: want task, section or note", kind)}
	}
}

// comment adds a comment to the description of the task before it.
func (t *todoist) comment(r todoistRow) {
	description, _ := t.held.member("description")
	if description != "" {
		description += "\n\n"
	}
	description += r.cell("CONTENT")
	if more := r.cell("DESCRIPTION"); more != "" {
		description += "\n" + more
	}
	reason := "is a comment: it is kept in the description of the task before it"
	if utf8.RuneCountInString(description) > events.MaxDescription {
		reason = fmt.Sprintf("is a comment that does not fit into the description of the task before it: %.100q", r.cell("CONTENT"))
	} else {
		t.held.set("description", description)
	}
	t.held.Notes = append(t.held.Notes, Note{r.item.Line, "TYPE", reason})
}
