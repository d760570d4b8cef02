package exchange

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// icsReader reads the VTODO components of an iCalendar file (RFC 5545). It holds the lines of one component at a time.
type icsReader struct {
	lines   *lines
	pending string // the line that was read ahead, unfolded so far
	at      int    // the number of its first line in the file
	begun   bool   // BEGIN:VCALENDAR was read
	done    bool   // the end of the file was reached
	zone    *time.Location
}

// property is a content line: NAME;PARAM=value:value.
type property struct {
	name, value string
	params      map[string]string
	line        int
}

var errICSTooLong = errors.New("is longer than a task can be")

// unfolded returns the next content line, joined with its continuation lines (RFC 5545, section 3.1).
func (r *icsReader) unfolded() (text string, line int, err error) {
	for {
		raw, tooLong, err := r.lines.next()
		switch {
		case errors.Is(err, io.EOF):
			if r.done {
				return "", 0, io.EOF
			}
			r.done = true
			text, line, r.pending = r.pending, r.at, ""
			return text, line, nil
		case err != nil:
			return "", 0, err
		case tooLong || len(r.pending)+len(raw) > MaxTask:
			return "", 0, fmt.Errorf("%w: line %d %w", ErrFile, r.lines.no, errICSTooLong)
		case len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t'):
			r.pending += string(raw[1:])
			continue
		}
		text, line, r.pending, r.at = r.pending, r.at, string(raw), r.lines.no
		if line > 0 { // on the first call there is no earlier line
			return text, line, nil
		}
	}
}

// parseProperty parses a content line. The value of a parameter may be in quotation marks.
func parseProperty(text string, line int) (property, bool) {
	p := property{line: line, params: map[string]string{}}
	quoted, start, parts := false, 0, []string(nil)
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case (c == ';' || c == ':') && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
		if start == i+1 && text[i] == ':' {
			p.value = text[start:]
			break
		}
		if i == len(text)-1 {
			return p, false
		}
	}
	if len(parts) == 0 {
		return p, false
	}
	p.name = strings.ToUpper(strings.TrimSpace(parts[0]))
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		p.params[strings.ToUpper(name)] = strings.Trim(value, `"`)
	}
	return p, p.name != ""
}

// Next implements Reader.
func (r *icsReader) Next() (Item, error) {
	for {
		text, line, err := r.unfolded()
		if err != nil {
			if errors.Is(err, io.EOF) && !r.begun {
				return Item{}, fmt.Errorf("%w: it is not iCalendar, because it has no BEGIN:VCALENDAR", ErrFile)
			}
			return Item{}, err
		}
		kind, ok := begins(text)
		switch {
		case !ok:
		case kind == "VCALENDAR":
			r.begun = true
		case !r.begun:
			return Item{}, fmt.Errorf("%w: it is not iCalendar, because line %d comes before BEGIN:VCALENDAR", ErrFile, line)
		case kind == "VTODO":
			return r.todo(line)
		default:
			if err := r.skip(kind, line); err != nil {
				return Item{}, err
			}
			if kind != "VTIMEZONE" {
				return Item{}, &Skipped{line, kind, "is not imported: only VTODO is"}
			}
		}
	}
}

func begins(text string) (kind string, ok bool) {
	const begin = "BEGIN:"
	if len(text) < len(begin) || !strings.EqualFold(text[:len(begin)], begin) {
		return "", false
	}
	return strings.ToUpper(strings.TrimSpace(text[len(begin):])), true
}

// skip reads up to the end of a component.
func (r *icsReader) skip(kind string, line int) error {
	for {
		text, _, err := r.unfolded()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the %.50s that begins on line %d has no end", ErrFile, kind, line)
		}
		if err != nil {
			return err
		}
		if strings.EqualFold(strings.TrimSpace(text), "END:"+kind) {
			return nil
		}
	}
}

// todo reads a VTODO up to its end and converts it.
func (r *icsReader) todo(line int) (Item, error) {
	var list, alarm []property
	inner, size := "", 0
	var bad *Refused
	for {
		text, at, err := r.unfolded()
		if errors.Is(err, io.EOF) {
			return Item{}, fmt.Errorf("%w: the VTODO that begins on line %d has no end", ErrFile, line)
		}
		if err != nil {
			return Item{}, err
		}
		if size += len(text); size > MaxTask && bad == nil {
			bad, list, alarm = &Refused{line, "VTODO", errICSTooLong.Error()}, nil, nil
		}
		trimmed := strings.ToUpper(strings.TrimSpace(text))
		kind, begun := begins(text)
		switch {
		case begun && inner == "":
			inner = kind
		case inner != "" && trimmed == "END:"+inner:
			inner = ""
		case inner == "" && trimmed == "END:VTODO":
			if bad != nil {
				return Item{}, bad
			}
			t := icsTask{item: Item{Line: line}, zone: r.zone}
			return t.read(list, alarm)
		case trimmed == "" || bad != nil:
		default:
			p, ok := parseProperty(text, at)
			switch {
			case !ok:
				bad = &Refused{at, "", "is not a line of iCalendar (NAME:value)"}
			case inner == "":
				list = append(list, p)
			case inner == "VALARM":
				alarm = append(alarm, p)
			}
		}
	}
}

// icsText decodes a value of type TEXT (RFC 5545, section 3.3.11).
func icsText(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if i++; s[i] == 'n' || s[i] == 'N' {
			b.WriteByte('\n')
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// icsList decodes a list of TEXT values that are separated by commas.
func icsList(s string) (out []string) {
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			out, start = append(out, icsText(s[start:i])), i+1
		}
	}
	return append(out, icsText(s[min(start, len(s)):]))
}

// icsDuration parses a duration like -PT15M or P1D (RFC 5545, section 3.3.6).
func icsDuration(s string) (time.Duration, bool) {
	s, before := strings.CutPrefix(s, "-")
	s, ok := strings.CutPrefix(strings.TrimPrefix(s, "+"), "P")
	var sum time.Duration
	unit := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}
	for ok && s != "" {
		if s[0] == 'T' {
			s = s[1:]
			continue
		}
		i := strings.IndexAny(s, "WDHMS")
		if i < 1 || i > 6 {
			return 0, false
		}
		n, err := strconv.Atoi(s[:i])
		if err != nil {
			return 0, false
		}
		sum += time.Duration(n) * unit[s[i]]
		s = s[i+1:]
	}
	if before {
		sum = -sum
	}
	return sum, ok
}
