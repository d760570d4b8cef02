package exchange

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// This file reads one component, up to its END, in bounded memory.

// propertyCost is what a property costs in memory besides its text, in bytes.
const propertyCost = 100

// component is a VTODO, VALARM, VTIMEZONE, STANDARD or DAYLIGHT.
type component struct {
	kind    string
	line    int
	list    []property
	parts   []component
	size    int    // of the texts and the properties, in bytes
	left    int    // properties that were left out, because the component has MaxTask bytes without them
	content []byte // what identifies an entry without an id
}

// icsParts has the components that are read inside another one. All others are passed over.
var icsParts = map[string][]string{"VTODO": {"VALARM"}, "VTIMEZONE": {"STANDARD", "DAYLIGHT"}}

// icsNeeded has the properties that are read also from a component that is too large, once each: what the task is. All others are side
// data, for which no task is refused.
var icsNeeded = []string{"UID", "RECURRENCE-ID", "SUMMARY", "STATUS", "COMPLETED", "PERCENT-COMPLETE", "DTSTART", "DUE", "DURATION", "RRULE", "PRIORITY", "CREATED"}

// mostNeeded bounds a value of icsNeeded in a component that is too large: some times the longest title.
const mostNeeded = 4 << 10

// icsTexts has the properties whose value may go on in a line that is not folded as it should be.
var icsTexts = []string{"SUMMARY", "DESCRIPTION", "COMMENT", "LOCATION", "CONTACT", "RESOURCES", "CATEGORIES"}

func begins(text string) (kind string, ok bool) { return markerOf(text, "BEGIN:") }

func ends(text string) (kind string, ok bool) { return markerOf(text, "END:") }

func markerOf(text, marker string) (kind string, ok bool) {
	if len(text) < len(marker) || !strings.EqualFold(text[:len(marker)], marker) {
		return "", false
	}
	return strings.ToUpper(strings.TrimSpace(text[len(marker):])), true
}

// maxMarker bounds a line that can begin or end a component.
const maxMarker = 100

// marker returns the text of a line that may begin or end a component.
func marker(c contentLine) string {
	if len(c.text) > maxMarker {
		return ""
	}
	return strings.TrimSpace(string(c.text))
}

// component reads a component whose BEGIN was read. Without keep it reads up to the end, and returns nothing. The error is a *Refused
// if the component has no end; the next line is then the one that shows it.
func (r *icsReader) component(kind string, line int, keep bool) (component, error) {
	c := component{kind: kind, line: line}
	var inner []string // the components that are passed over
	for {
		l, err := r.lines.next()
		if errors.Is(err, io.EOF) {
			return c, fmt.Errorf("%w: the file ends inside the %.50s that begins on line %d: it may be cut", ErrFile, kind, line)
		}
		if err != nil {
			return c, err
		}
		text := marker(l)
		begun, isBegin := begins(text)
		ended, isEnd := ends(text)
		switch {
		case isBegin && outermost[begun], isEnd && ended == "VCALENDAR":
			r.lines.unread()
			return c, &Refused{line, kind, fmt.Sprintf("has no END before line %d", l.no)}
		case isBegin && keep && len(inner) == 0 && slices.Contains(icsParts[kind], begun):
			part, err := r.component(begun, l.no, true)
			if refused := (*Refused)(nil); errors.As(err, &refused) {
				return c, &Refused{line, kind, refused.Reason}
			} else if err != nil {
				return c, err
			}
			if c.size += part.size + propertyCost; c.size <= MaxTask {
				c.parts = append(c.parts, part)
			} else {
				c.left++
			}
		case isBegin:
			if inner = append(inner, begun); len(inner) > maxNesting {
				return c, fmt.Errorf("%w: line %d begins a component inside %d others", ErrFile, l.no, maxNesting)
			}
		case isEnd && len(inner) > 0 && slices.Contains(inner, ended):
			inner = inner[:slices.Index(inner, ended)]
		case isEnd && ended == kind:
			return c, nil
		case isEnd && outermost[ended]: // the end of this part is missing
			r.lines.unread()
			return c, nil
		case keep && len(inner) == 0:
			c.add(l)
		}
	}
}

// outermost has the components that are never inside another one, except VCALENDAR.
var outermost = map[string]bool{"VCALENDAR": true, "VTODO": true, "VEVENT": true, "VJOURNAL": true, "VFREEBUSY": true, "VTIMEZONE": true}

// maxNesting bounds the components inside each other. iCalendar needs four.
const maxNesting = 20

// add reads a line of the component itself.
func (c *component) add(l contentLine) {
	p, ok := parseProperty(l)
	if !ok {
		c.addTorn(l)
		return
	}
	if p.name == "ATTACH" && (strings.EqualFold(p.params["ENCODING"], "BASE64") || strings.HasPrefix(p.value, "data:")) {
		p.left, p.value = p.left+len(p.value), "" // its size is reported
	}
	size := len(p.value) + propertyCost
	if c.size+size > MaxTask {
		needed := slices.Contains(icsNeeded, p.name) && len(p.value) <= mostNeeded && !slices.ContainsFunc(c.list, func(o property) bool { return o.name == p.name })
		if !needed {
			c.left++
			return
		}
	}
	if p.name != "DTSTAMP" && p.name != "LAST-MODIFIED" { // these depend on the time of the export
		c.content = append(c.content, p.name+":"+p.value+"\n"...)
	}
	c.size += size
	c.list = append(c.list, p)
}

// addTorn takes a line that is no property as the rest of the text before it, or as a property without a name.
func (c *component) addTorn(l contentLine) {
	text, _ := validUTF8(l.text, l.left > 0)
	if c.size += len(text) + propertyCost; c.size > MaxTask {
		c.left++
		return
	}
	name, _, _ := strings.Cut(strings.ReplaceAll(text, ";", ":"), ":")
	broken := name != text && isPropertyName([]byte(name)) && name == strings.ToUpper(name) // a property, with an error in its parameters
	if n := len(c.list); n > 0 && !broken && slices.Contains(icsTexts, c.list[n-1].name) {
		p := &c.list[n-1]
		p.value += `\n` + text
		p.torn = l.no
		return
	}
	c.list = append(c.list, property{value: text, line: l.no})
}
