package exchange

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// todoistRow converts a row to a task.
type todoistRow struct {
	t     *todoist
	cells []string
	item  Item
	zone  *time.Location // of DATE
}

// cell returns the value of a column; "" if the row or the file does not have it.
func (r *todoistRow) cell(column string) string {
	if i, ok := r.t.columns[column]; ok && i < len(r.cells) {
		return r.cells[i]
	}
	return ""
}

func (r *todoistRow) trimmed(column string) string { return strings.TrimSpace(r.cell(column)) }

func (r *todoistRow) read() *Item {
	r.item.Content = strings.Join(r.cells, "\x00")
	title, labels := r.labels()
	r.item.set("title", title)
	r.item.set("description", r.cell("DESCRIPTION"))
	if len(labels) > 0 {
		r.item.set("tags", labels)
	}
	r.priority()
	r.indent(title)
	r.timezone()
	r.date()
	if r.t.own {
		r.restore()
	}
	r.rest()
	return &r.item
}

// labels returns the title and the tags of CONTENT: the @labels at its end, and in a file of Taskwire the tags that it wrote there.
func (r *todoistRow) labels() (title string, labels []string) {
	content := r.cell("CONTENT")
	if own, ok := r.ownTags(); ok {
		if title, ok := strings.CutSuffix(content, labelsText(own)); ok {
			return title, own
		}
	}
	return splitLabels(content)
}

// splitLabels separates the @labels at the end of a task's text from its title. A text of labels only is a title.
func splitLabels(content string) (title string, labels []string) {
	title = strings.TrimSpace(content)
	for {
		i := strings.LastIndexAny(title, " \t\n")
		last := title[i+1:]
		if i < 0 || len(last) < 2 || last[0] != '@' {
			return title, labels
		}
		labels = append([]string{last[1:]}, labels...)
		title = strings.TrimSpace(title[:i])
	}
}

// priority reads 1 to 4. An empty cell is the default of a task.
func (r *todoistRow) priority() {
	p := r.trimmed("PRIORITY")
	if p == "" {
		return
	}
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToLower(p), "p"))
	if list := events.Priorities(); err == nil && n >= 1 && n <= len(list) {
		r.item.set("priority", list[len(list)-n])
		return
	}
	r.item.keep(r.item.Line, "PRIORITY", p)
}

// mostParents bounds the depth that INDENT can have. Todoist has five.
const mostParents = 10

// indent keeps the place of a subtask.
func (r *todoistRow) indent(title string) {
	text := r.trimmed("INDENT")
	n, err := strconv.Atoi(text)
	if text == "" {
		n, err = 1, nil
	}
	if err != nil || n < 1 || n > mostParents {
		r.item.keep(r.item.Line, "INDENT", text)
		return
	}
	if n > 1 {
		r.item.note("INDENT", "makes it a subtask: it is imported as a separate task")
		if n-2 < len(r.t.parents) {
			r.item.kept = append(r.item.kept, "INDENT: "+text+", a subtask of: "+cutRunes(r.t.parents[n-2], events.MaxTitle))
		}
	}
	r.t.parents = append(r.t.parents[:min(n-1, len(r.t.parents))], title)
}

var offsetZone = regexp.MustCompile(`^(?:GMT|UTC) ?([+-]) ?(\d{1,2})(?::?(\d{2}))?$`)

// timezone reads the IANA zone of DATE. Todoist also writes offsets, as "GMT +2:00".
func (r *todoistRow) timezone() {
	name := r.trimmed("TIMEZONE")
	r.zone = r.t.zone
	if name == "" {
		return
	}
	if zone, err := events.LoadZone(name); err == nil {
		r.zone = zone
		r.item.set("timezone", name)
		return
	}
	m := offsetZone.FindStringSubmatch(strings.ToUpper(name))
	if m == nil {
		r.item.note("TIMEZONE", fmt.Sprintf("%.50q is not an IANA time zone: the account's zone is used", name))
		return
	}
	hours, minutes := mustAtoi(m[2]), mustAtoi(m[3])
	seconds := (hours*60 + minutes) * 60
	opposite := "-" // Etc/GMT-2 is two hours ahead of UTC
	if m[1] == "-" {
		seconds, opposite = -seconds, "+"
	}
	fixed := fmt.Sprintf("Etc/GMT%s%d", opposite, hours)
	if zone, err := events.LoadZone(fixed); err == nil && minutes == 0 {
		r.zone = zone
		r.item.set("timezone", fixed)
		r.item.note("TIMEZONE", fmt.Sprintf("%.50q is read as %s, which has no summer time", name, fixed))
		return
	}
	r.zone = time.FixedZone(name, seconds)
	r.item.note("TIMEZONE", fmt.Sprintf("%.50q is no zone: the times of the row are read with this offset, and the task is in the account's zone", name))
}

// mustAtoi returns the number of digits that a regular expression has matched; 0 for none.
func mustAtoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// rest keeps what a task does not have.
func (r *todoistRow) rest() {
	for _, column := range []string{"RESPONSIBLE", "DURATION", "DEADLINE"} {
		value := r.trimmed(column)
		if value == "" || value == "None" {
			continue
		}
		if unit := r.trimmed(column + "_UNIT"); unit != "" {
			value += " " + unit
		}
		r.item.keep(r.item.Line, column, value)
	}
	if r.trimmed("AUTHOR") != "" && !r.t.author {
		r.t.author = true
		r.item.note("AUTHOR", "is not imported, here and in the other rows")
	}
	for _, i := range slices.Sorted(maps.Keys(r.t.others)) {
		if i < len(r.cells) && strings.TrimSpace(r.cells[i]) != "" {
			name := r.t.others[i]
			if name == "" {
				name = fmt.Sprintf("column %d", i+1)
			}
			r.item.keep(r.item.Line, name, r.cells[i])
		}
	}
	if columns := len(r.t.columns) + len(r.t.others); len(r.cells) > columns {
		if more := strings.Join(r.cells[columns:], ", "); strings.Trim(more, ", ") != "" {
			r.item.keep(r.item.Line, "cells after the last column", more)
		}
	}
}
