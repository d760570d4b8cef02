package domain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/fold"
	"golang.org/x/text/unicode/norm"
)

// line returns the stored form of one line of text: in NFC, without white space around it. Lengths are checked after that. A
// text that must not be empty needs a character that a reader can see.
func line(p *problems, field, s string, lo, hi int) string {
	s = strings.TrimSpace(norm.NFC.String(s))
	if i := strings.IndexFunc(s, isControl); i >= 0 {
		p.add(field, "must not have control characters or line breaks")
		return s
	}
	if lo > 0 && s != "" && utf8.ValidString(s) && !fold.Visible(s) {
		p.add(field, "must not be empty: it needs a character that is visible")
		return s
	}
	length(p, field, s, lo, hi)
	return s
}

// lineEnds are the characters that end a line in pasted texts (Unicode, section 5.8).
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// text returns the stored form of text with several lines: in NFC, with each end of a line as a line feed. It keeps tabs and
// white space around the text.
func text(p *problems, field, s string, hi int) string {
	s = lineEnds.Replace(norm.NFC.String(s))
	if i := strings.IndexFunc(s, func(r rune) bool { return isControl(r) && r != '\n' && r != '\t' }); i >= 0 {
		p.add(field, "must not have control characters other than line feeds and tabs")
		return s
	}
	length(p, field, s, 0, hi)
	return s
}

func length(p *problems, field, s string, lo, hi int) {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		p.add(field, "must be valid UTF-8")
	case n < lo:
		p.add(field, "must not be empty")
	case n > hi:
		p.add(field, fmt.Sprintf("must have at most %d characters", hi))
	}
}

// isControl reports whether r is a control character (C0 or C1), or one of the two Unicode separators that end a line.
func isControl(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// tags normalises each tag like a line and keeps the order. Of several spellings of a tag it keeps the first.
func tags(p *problems, list []string) []string {
	out, seen := make([]string, 0, min(len(list), events.MaxTags)), map[string]bool{}
	for i, tag := range list {
		var own problems
		tag = line(&own, "", tag, 1, events.MaxTag)
		for _, f := range own.list {
			p.add(fmt.Sprintf("tags[%d]", i), f.Message)
		}
		if folded := fold.Tag(tag); !seen[folded] {
			seen[folded] = true
			out = append(out, tag)
		}
		if len(out) > events.MaxTags {
			p.add("tags", fmt.Sprintf("must be at most %d", events.MaxTags))
			return out
		}
	}
	return out
}

// Line applies the rules of a title to another text of one line. It returns the stored form, and an error message or "".
func Line(s string, lo, hi int) (stored, message string) {
	var p problems
	stored = line(&p, "", s, lo, hi)
	if len(p.list) > 0 {
		message = p.list[0].Message
	}
	return stored, message
}
