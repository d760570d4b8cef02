package exchange

import (
	"fmt"
	"strings"
)

// This file reads the texts of a task, and keeps what a task cannot hold. The fitter makes the texts fit.

// noTitle is the title of a task that has neither a title nor a description in its file.
const noTitle = "(no title)"

// keep reports a property that a task cannot hold, and keeps its text in the description.
func (t *icsTask) keep(p property, reason string) {
	t.note(p, reason+" (its text is in the description)")
	text := icsText(p.value)
	if p.left > 0 {
		text = strings.TrimSpace(text + fmt.Sprintf(" (%d bytes are left out)", p.left))
	}
	if p.name != "" {
		text = p.name + ": " + text
	}
	t.item.kept = append(t.item.kept, text)
}

func (t *icsTask) note(p property, reason string) { t.noteLine(p.line, p.name, reason) }

func (t *icsTask) noteLine(line int, name, reason string) {
	t.item.Notes = append(t.item.Notes, Note{line, fmt.Sprintf("%.50s", name), reason})
}

// noteBytes reports what reading has changed in a value.
func (t *icsTask) noteBytes(p property) {
	if p.repaired {
		t.note(p, "has bytes that are not UTF-8: they are read as Windows-1252")
	}
	if p.torn > 0 {
		t.noteLine(p.torn, p.name, "goes on in a line that is not folded: the line is taken as part of the text")
	}
	if p.left > 0 && p.name != "ATTACH" {
		t.note(p, fmt.Sprintf("is too long: %d bytes are left out", p.left))
	}
}

// setTexts sets title, description and tags.
func (t *icsTask) setTexts() {
	title, description := t.title, strings.Join(t.descriptions, "\n\n")
	if isBlank(title) && firstLine(description) == "" {
		t.noteLine(t.item.Line, "SUMMARY", "is missing or empty: the title is "+noTitle)
		title = noTitle
	}
	t.item.set("title", title)
	if description != "" {
		t.item.set("description", description)
	}
	if len(t.tags) > 0 {
		t.item.set("tags", t.tags)
	}
}
