// How a log line of each program is read.

package console

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Level is the importance of a line.
type Level int

// The levels. Plain is a line without one.
const (
	Debug Level = iota
	Info
	Plain
	Warn
	Error
)

var levelNames = map[Level]string{Debug: "DEBUG", Info: "INFO", Plain: "", Warn: "WARN", Error: "ERROR"}

// Line is a log line in readable form.
type Line struct {
	Time  time.Time // zero where the line has none
	Level Level
	Text  string // message and attributes
}

// hidden attributes repeat in each line of a sidecar's log what the prefix says.
var hidden = map[string]bool{"app_id": true, "instance": true, "type": true, "ver": true, "scope": true, "service": true}

// postgresLine matches a severity after Postgres' log_line_prefix, which is empty or the default '%m [%p] '.
var postgresLine = regexp.MustCompile(`^(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) (\S+) \[\d+\] )?([A-Z]+): {1,2}(.*)$`)

// expectedTexts are the beginnings of warnings that every local start has and that mean nothing. Those of daprd are about
// features that are off, those of Postgres about clients that connect while it starts or stops.
var expectedTexts = []string{
	"mTLS is disabled.", "Actor runtime disabled:", "No scheduler host addresses provided.",
	"Secrets configuration added for 'kubernetes', but no matching", "Skipping programmatic ",
	"the database system is starting up", "the database system is shutting down",
}

func expected(text string) bool {
	for _, e := range expectedTexts {
		if strings.HasPrefix(text, e) {
			return true
		}
	}
	return false
}

var postgresLevels = map[string]Level{
	"LOG": Info, "INFO": Info, "NOTICE": Info, "DETAIL": Info, "HINT": Info, "CONTEXT": Info, "STATEMENT": Info,
	"WARNING": Warn, "ERROR": Error, "FATAL": Error, "PANIC": Error,
}

// Parse reads a line of a service (slog's JSON), a sidecar (Dapr's JSON), Postgres or anything else.
func Parse(raw []byte) Line {
	if len(raw) > 0 && raw[0] == '{' {
		if l, ok := parseJSON(raw); ok {
			return l
		}
	}
	if m := postgresLine.FindSubmatch(raw); m != nil {
		if level, ok := postgresLevels[string(m[3])]; ok {
			at, _ := time.Parse("2006-01-02 15:04:05.000 MST", string(m[1])+" "+string(m[2]))
			return Line{Time: at, Level: level, Text: clean(string(m[4]))}
		}
	}
	return Line{Level: Plain, Text: clean(string(raw))}
}

// parseJSON reads a JSON object. The attributes keep their order.
func parseJSON(raw []byte) (Line, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Line{}, false
	}
	l := Line{Level: Plain}
	var msg string
	var attrs strings.Builder
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return Line{}, false
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return Line{}, false
		}
		name, _ := key.(string)
		text := plain(value)
		switch {
		case name == "time":
			l.Time, _ = time.Parse(time.RFC3339Nano, text)
		case name == "level":
			l.Level = parseLevel(text)
		case name == "msg":
			msg = text
		case hidden[name]:
		default:
			attrs.WriteByte(' ')
			attrs.WriteString(name)
			attrs.WriteByte('=')
			attrs.WriteString(quote(text))
		}
	}
	if msg == "" && attrs.Len() == 0 {
		return Line{}, false
	}
	l.Text = clean(strings.TrimSpace(msg + attrs.String()))
	return l, true
}

func parseLevel(s string) Level {
	switch name, _, _ := strings.Cut(strings.ToLower(s), "+"); name {
	case "debug", "trace":
		return Debug
	case "info":
		return Info
	case "warn", "warning":
		return Warn
	case "error", "fatal", "panic":
		return Error
	}
	return Plain
}

// plain returns the content of a JSON string, or another value as it is written.
func plain(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

func quote(s string) string {
	if s == "" || strings.ContainsAny(s, " \"=\n\t") {
		out, err := json.Marshal(s)
		if err == nil {
			return string(out)
		}
	}
	return s
}

// Clean makes control characters visible, so that a foreign text cannot control the terminal.
func Clean(s string) string { return clean(s) }

// clean makes control characters visible: text from a user must not control the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == '\n':
			return '⏎'
		case r < ' ' || (r >= 0x7f && r < 0xa0) || r == utf8.RuneError:
			return '·'
		}
		return r
	}, s)
}
