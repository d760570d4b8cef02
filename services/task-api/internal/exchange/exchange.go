// Package exchange reads tasks from the files of other programs, and writes tasks into such files. It uses no HTTP, no
// database and no clock.
//
// Promises:
//
//   - A reader streams. It holds one task at a time, and a task with everything that belongs to it has at most MaxTask bytes. Series
//     wait until their last entry can have come, in bounded memory.
//   - A reader reports what it cannot import with line, field and reason. It continues after a refused task, unless the rest
//     of the file cannot be read (ErrFile).
//   - A file in another encoding than UTF-8 is converted and reported, or refused with the name of what was found.
//   - A Note reports a value that is imported with a change, or not imported. Such a value also stays in the description, if the
//     task has room for it. A task is refused only if it has no text at all.
//   - The caller passes each item to domain.ParseFields and domain.Import, and they accept it. A reader of a format does not repeat
//     their checks: fitter asks them.
//
// # Why there is no iCalendar library
//
// The Go libraries do not keep these promises. emersion/go-ical (f41e73efc392) returns a whole calendar, has no limit for a line,
// and panics on a property whose parameters have no colon after them. arran4/golang-ical (v0.3.4) can read single components,
// but has no limit for a line, gives no line numbers, and leaves the rest of a refused component unread. apognu/gocal (v0.9.1)
// reads events only, no tasks.
package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// Format is a file format.
type Format string

// The formats. CSV is the one that Todoist exports.
const (
	JSONL       Format = "jsonl"
	CSV         Format = "csv"
	ICS         Format = "ics"
	Taskwarrior Format = "taskwarrior"
)

// Formats returns every format.
func Formats() []Format { return []Format{JSONL, CSV, ICS, Taskwarrior} }

// MaxTask bounds a task in a file, in bytes: the longest description with every character escaped, and as much for the rest.
const MaxTask = 256 << 10

// Options are values that a file may not contain.
type Options struct {
	Zone string    // the IANA zone of times without a zone
	Now  time.Time // the start of recurrences without a first day
}

// Item is a task that was read from a file.
type Item struct {
	Line int
	// Source is the id of the task in the file. If it is empty, Content identifies the task.
	Source  string
	Content string
	// Fields are the members of an API request that would create the task.
	Fields map[string]json.RawMessage
	// Series, Occurrence, CreatedAt and CompletedAt are from the file; zero if it does not have them.
	Series                 string
	Occurrence             int
	CreatedAt, CompletedAt *time.Time
	// Clocks are the times of day that start, due date and reminder mean, where the clocks skip them (see domain.Task).
	Clocks domain.Clocks `json:",omitzero"`
	Notes  []Note

	// Pattern has the fields of the series, if this occurrence of it has others (scope "this"); else it is nil.
	Pattern       map[string]json.RawMessage `json:",omitempty"`
	PatternClocks domain.Clocks              `json:",omitzero"`

	series *Item    // becomes Pattern
	kept   []string // lines for the description: values that a task cannot hold
	broken []string // fields whose text had bytes that are not UTF-8
}

// Note reports a value of a task that was not imported, or imported with a change.
type Note struct {
	Line   int    `json:"line"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// Refused reports an invalid entry, with the line where it begins. The reader can continue.
type Refused Note

func (r *Refused) Error() string { return fmt.Sprintf("line %d: %s %s", r.Line, r.Field, r.Reason) }

// Skipped reports an entry that is valid but is not imported. The reader can continue.
type Skipped Note

func (s *Skipped) Error() string { return fmt.Sprintf("line %d: %s %s", s.Line, s.Field, s.Reason) }

// ErrFile means that the rest of the file cannot be read.
var ErrFile = errors.New("the rest of the file cannot be read")

// Reader reads the tasks of a file one by one. Next returns io.EOF at the end. It returns *Refused or *Skipped for an entry that
// is not imported; the next call continues after it. After any other error the reader cannot continue.
type Reader interface{ Next() (Item, error) }

// Writer writes tasks into a file. Close completes the file. It does not close the underlying io.Writer.
type Writer interface {
	Write(t domain.Task) error
	Close() error
}

// NewReader returns a reader of the format. The error says that o.Zone or f is unknown.
func NewReader(f Format, r io.Reader, o Options) (Reader, error) {
	zone, err := time.LoadLocation(o.Zone)
	if err != nil {
		return nil, fmt.Errorf("time zone of the import: %w", err)
	}
	text := newDecoder(r, f)
	inner, err := newFormatReader(f, text, o, zone)
	if err != nil {
		return nil, err
	}
	return &fitter{inner: inner, text: text, format: f, o: o, contents: map[digest]digest{}}, nil
}

func newFormatReader(f Format, r io.Reader, o Options, zone *time.Location) (Reader, error) {
	switch f {
	case JSONL:
		return &jsonlReader{newLines(r), zone}, nil
	case CSV:
		return newTodoist(r, o.Now, zone), nil
	case ICS:
		return newICS(r, o.Now, zone), nil
	case Taskwarrior:
		return newTaskwarrior(r, zone), nil
	}
	return nil, fmt.Errorf("there is no format %q", f)
}

// NewWriter returns a writer of the format. It writes the beginning of the file.
func NewWriter(f Format, w io.Writer) (Writer, error) {
	switch f {
	case JSONL:
		return jsonlWriter{json.NewEncoder(w)}, nil
	case CSV:
		return newTodoistWriter(w)
	case ICS:
		return newICSWriter(w)
	case Taskwarrior:
		return &taskwarriorWriter{w: w}, nil
	}
	return nil, fmt.Errorf("there is no format %q", f)
}

// set sets a field of the API request. It replaces bytes that are not UTF-8, as json.Marshal does, and remembers the field.
func (i *Item) set(field string, v any) {
	switch text := v.(type) {
	case string:
		if !utf8.ValidString(text) {
			v, i.broken = string([]rune(text)), append(i.broken, field)
		}
	case []string:
		if slices.ContainsFunc(text, func(s string) bool { return !utf8.ValidString(s) }) {
			i.broken = append(i.broken, field)
		}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic("exchange: a field cannot be written as JSON: " + err.Error()) // cannot happen for strings, lists of strings, maps and numbers
	}
	if i.Fields == nil {
		i.Fields = map[string]json.RawMessage{}
	}
	i.Fields[field] = raw
}

func (i *Item) note(field, reason string) {
	i.Notes = append(i.Notes, Note{i.Line, field, reason})
}

// instant formats a time as the API expects it.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
