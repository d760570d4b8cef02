package exchange

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/taskwire/taskwire/pkg/events"
	"golang.org/x/text/unicode/norm"
)

// texts fits title and description. A title that is too long, or missing, is taken from the beginning of the text, and the whole
// text stays in the description.
func (f *fitter) texts(item *Item) {
	for _, field := range []string{"title", "description", "timezone", "priority", "status"} {
		if text, isText := item.member(field); !isText {
			f.note(item, field, "is not a text: read as one")
			item.set(field, text)
		}
	}
	title, _ := item.member("title")
	description, _ := item.member("description")
	if clean := visible(description, "\n\t"); clean != description {
		f.note(item, "description", "has control characters: they are left out")
		description = clean
	}
	line := oneLine(title)
	if line != norm.NFC.String(strings.TrimSpace(title)) {
		f.note(item, "title", "has line breaks or control characters: they became blanks")
	}
	if isBlank(line) {
		if line = firstLine(description); line == "" {
			return
		}
		f.note(item, "title", "is empty: the beginning of the description is used")
	}
	if n := runes(line); n > events.MaxTitle {
		f.note(item, "title", fmt.Sprintf("has %d characters: the first %d are the title, the whole is in the description", n, events.MaxTitle))
		description = strings.TrimRight(title+"\n\n"+description, "\n")
		line = strings.TrimSpace(cutRunes(line, events.MaxTitle))
	}
	item.set("title", line)
	if description != "" || item.Fields["description"] != nil {
		item.set("description", description)
	}
}

// firstLine returns the beginning of a text as a title.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = oneLine(line); !isBlank(line) {
			return strings.TrimSpace(cutRunes(line, events.MaxTitle))
		}
	}
	return ""
}

// oneLine returns a text in the form of a title: in NFC, with a blank for each run of line breaks and control characters.
func oneLine(s string) string {
	s = norm.NFC.String(s)
	isBreak := func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
	if strings.IndexFunc(s, isBreak) < 0 {
		return strings.TrimSpace(s)
	}
	return strings.TrimSpace(strings.Join(strings.FieldsFunc(s, isBreak), " "))
}

// isBlank reports whether a line has nothing that can be seen.
func isBlank(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsSpace(r) && !unicode.In(r, unicode.Cf, unicode.Cc) }) < 0
}

// visible returns s without control characters other than those in keep. Each form of a line break becomes a line feed.
func visible(s, keep string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n", "\v", "\n", "\f", "\n").Replace(s)
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune(keep, r) {
			return -1
		}
		return r
	}, s)
}

// tags fits the tags: a text with commas is a list, and tags that are too long or too many go into the description.
func (f *fitter) tags(item *Item) {
	list, ok := item.tagList()
	if !ok {
		return
	}
	var tags, left []string
	seen := map[string]bool{}
	for _, tag := range list {
		clean := oneLine(tag)
		switch folded := strings.ToLower(clean); {
		case isBlank(clean) || seen[folded]:
		case runes(clean) > events.MaxTag || len(tags) == events.MaxTags:
			left = append(left, clean)
		default:
			tags, seen[folded] = append(tags, clean), true
		}
	}
	item.set("tags", append([]string{}, tags...))
	if len(left) > 0 {
		text := strings.Join(left, ", ")
		f.note(item, "tags", fmt.Sprintf("are more than %d, or have more than %d characters: %.200q is in the description only", events.MaxTags, events.MaxTag, text))
		item.kept = append(item.kept, f.property("tags")+": "+text)
	}
}

// tagList reads the tags as a list of texts or numbers, or as a text with commas.
func (item *Item) tagList() (list []string, ok bool) {
	raw := item.Fields["tags"]
	if raw == nil || string(raw) == "null" {
		return nil, false
	}
	var members []any
	if json.Unmarshal(raw, &members) != nil {
		text, _ := item.member("tags")
		return strings.Split(text, ","), true
	}
	for _, m := range members {
		if m != nil {
			list = append(list, fmt.Sprint(m))
		}
	}
	return list, true
}

// describe adds the kept values to the description, and cuts its own text if it gets too long.
func (f *fitter) describe(item *Item) {
	text, _ := item.member("description")
	kept := visible(strings.Join(item.kept, "\n"), "\n\t")
	if kept != "" {
		kept = cutRunes(kept, events.MaxDescription/2)
		if text != "" {
			kept = "\n\n" + kept
		}
	}
	text, kept = norm.NFC.String(text), norm.NFC.String(kept)
	if n, room := runes(text), events.MaxDescription-runes(kept); n > room {
		f.note(item, "description", fmt.Sprintf("has %d characters: the last %d are left out", n, n-room))
		text = cutRunes(text, room)
	}
	if text+kept != "" {
		item.set("description", text+kept)
	}
}
