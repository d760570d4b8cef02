package exchange

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// This file turns the lines of a file into content lines and properties (RFC 5545, section 3.1).

// maxContentLine bounds a content line, in bytes: the longest description with every character escaped. A longer one is an inline
// attachment. What does not fit is counted and left out.
const maxContentLine = MaxTask / 2

// contentLine is a line with its continuation lines. The text is valid until the next call of unfolder.next.
type contentLine struct {
	text []byte
	no   int // the number of its first line in the file
	left int // bytes that are not in text
}

// unfolder joins continuation lines. Its work grows linearly with the file, and it holds two content lines.
type unfolder struct {
	lines *lines
	spare []byte      // the memory of the content line that was returned last
	ahead contentLine // the line that was read ahead
	begun bool        // ahead is set
	done  bool        // the end of the file was reached
	last  contentLine // the line that was returned last
	again bool        // it is returned again
}

// unread makes next return the same line again.
func (u *unfolder) unread() { u.again = true }

// next returns the next content line. Lines are joined as bytes, because a fold may stand inside a character.
func (u *unfolder) next() (contentLine, error) {
	if u.again {
		u.again = false
		return u.last, nil
	}
	if u.done {
		return contentLine{}, io.EOF
	}
	current, begun := u.ahead, u.begun
	for {
		line, left, err := u.lines.next()
		if errors.Is(err, io.EOF) && begun {
			u.done, u.last = true, current
			return current, nil
		}
		if err != nil {
			return contentLine{}, err
		}
		switch {
		case len(line) == 0: // also after CR CR LF, which some programs write
			continue
		case begun && (line[0] == ' ' || line[0] == '\t'):
			room := min(len(line)-1, max(maxContentLine-len(current.text), 0))
			current.text = append(current.text, line[1:1+room]...)
			current.left += left + len(line) - 1 - room
			continue
		}
		room := min(len(line), maxContentLine)
		u.ahead = contentLine{append(u.spare[:0], line[:room]...), u.lines.no, left + len(line) - room}
		if begun {
			u.spare, u.last = current.text, current
			return current, nil
		}
		u.spare, u.begun, begun, current = nil, true, true, u.ahead
	}
}

// property is a parsed content line: NAME;PARAM=value:value.
type property struct {
	name, value string
	params      map[string]string // nil without parameters
	line        int
	left        int  // bytes of the value that are left out
	repaired    bool // the value had bytes that are not UTF-8
	torn        int  // the number of a line that follows and is no property, but belongs to the value
}

// parseProperty parses a content line. The value of a parameter may be in quotation marks.
func parseProperty(c contentLine) (property, bool) {
	p := property{line: c.no, left: c.left}
	quoted, start := false, 0
	var parts [][]byte
	colon := -1
	for i, b := range c.text {
		if b == '"' {
			quoted = !quoted
		}
		if b == ':' && !quoted && bytes.HasPrefix(c.text[i:], []byte("://")) && bytes.HasPrefix(bytes.ToUpper(c.text[start:i]), []byte("TZID=")) {
			continue // Microsoft writes TZID=tzone://Microsoft/Utc without quotation marks
		}
		if (b == ';' || b == ':') && !quoted {
			parts, start = append(parts, c.text[start:i]), i+1
		}
		if b == ':' && !quoted {
			colon = i
			break
		}
	}
	if colon < 0 || !isPropertyName(bytes.TrimSpace(parts[0])) {
		return p, false
	}
	p.name = strings.ToUpper(string(bytes.TrimSpace(parts[0])))
	for _, part := range parts[1:] {
		if p.params == nil {
			p.params = map[string]string{}
		}
		name, value, _ := bytes.Cut(part, []byte("="))
		text, _ := validUTF8(bytes.Trim(bytes.TrimSpace(value), `"`), false)
		p.params[strings.ToUpper(string(bytes.TrimSpace(name)))] = text
	}
	p.value, p.repaired = validUTF8(c.text[colon+1:], c.left > 0)
	return p, true
}

// isPropertyName reports whether name has only the characters of a name (RFC 5545, section 3.1).
func isPropertyName(name []byte) bool {
	return len(name) > 0 && !bytes.ContainsFunc(name, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// validUTF8 returns a value as UTF-8. It reads each byte that is not UTF-8 as Windows-1252, the most frequent other encoding, and
// reports that. With cut, the value was cut and may end inside a character: that is no repair.
func validUTF8(raw []byte, cut bool) (text string, repaired bool) {
	if cut {
		for n := 1; n < utf8.UTFMax && n <= len(raw); n++ {
			if tail := raw[len(raw)-n:]; utf8.RuneStart(tail[0]) {
				if !utf8.FullRune(tail) {
					raw = raw[:len(raw)-n]
				}
				break
			}
		}
	}
	if utf8.Valid(raw) {
		return string(raw), false
	}
	out := slices.Grow([]byte(nil), len(raw)+16)
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 {
			r = charmap.Windows1252.DecodeByte(raw[0])
		}
		out, raw = utf8.AppendRune(out, r), raw[n:]
	}
	return string(out), true
}
