// Package exchange reads tasks out of the files of other programs and writes them. It is pure: no HTTP, no database,
// no clock.
//
// Promises:
//
//   - A reader streams: it holds one task at a time, and a task, with all that belongs to it, is MaxTask bytes at most.
//   - What cannot be taken is said with its line, its field and the reason. A task that is refused does not keep those
//     after it from being read, except where the file itself cannot be read on (ErrFile).
//   - What is taken otherwise than it stands in the file is a Note. Nothing is cut to fit: a title that is too long is
//     refused by the domain, like that of any other request.
//   - Whatever a reader gives back goes through domain.ParseFields and domain.Import; it checks nothing twice.
package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// Format is a kind of file.
type Format string

// The formats. CSV is Todoist's.
const (
	JSONL       Format = "jsonl"
	CSV         Format = "csv"
	ICS         Format = "ics"
	Taskwarrior Format = "taskwarrior"
)

// Formats returns every format.
func Formats() []Format { return []Format{JSONL, CSV, ICS, Taskwarrior} }

// MaxTask bounds a task in a file: the longest description with every character escaped, and as much again.
const MaxTask = 256 << 10

// Options are what a file leaves open.
type Options struct {
	Zone string    // of times that name none; IANA
	Now  time.Time // of recurrences that name no first day
}

// Item is a task of a file.
type Item struct {
	Line int
	// Source is the id that the task has in the file, "" where it has none. Content stands for it then.
	Source  string
	Content string
	// Fields are those of a request of the API.
	Fields map[string]json.RawMessage
	// Series, Occurrence, CreatedAt and CompletedAt are as in the file; zero where it does not say.
	Series                 string
	Occurrence             int
	CreatedAt, CompletedAt *time.Time
	Notes                  []Note
}

// Note says what of a task was not taken, or taken otherwise.
type Note struct {
	Line   int    `json:"line"`
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// Refused is a line, or what begins there, that is no task. Reading can go on.
type Refused Note

func (r *Refused) Error() string { return fmt.Sprintf("line %d: %s %s", r.Line, r.Field, r.Reason) }

// Skipped is a line that is left out because it is none of ours to take. Reading can go on.
type Skipped Note

func (s *Skipped) Error() string { return fmt.Sprintf("line %d: %s %s", s.Line, s.Field, s.Reason) }

// ErrFile says that the file cannot be read on.
var ErrFile = errors.New("the file cannot be read on")

// Reader gives back the tasks of a file, one after the other. Next returns io.EOF at the end, *Refused and *Skipped for
// what is no task, and any other error where the file cannot be read on.
type Reader interface{ Next() (Item, error) }

// Writer writes tasks into a file. Close ends it and does not close what it writes to.
type Writer interface {
	Write(t events.TaskData) error
	Close() error
}

// NewReader makes the reader of a format.
func NewReader(f Format, r io.Reader, o Options) (Reader, error) {
	zone, err := time.LoadLocation(o.Zone)
	if err != nil {
		return nil, fmt.Errorf("time zone of the import: %w", err)
	}
	switch f {
	case JSONL:
		return &jsonlReader{newLines(r)}, nil
	case CSV:
		return newTodoist(r, o.Now, zone), nil
	case ICS:
		return &icsReader{lines: newLines(r), zone: zone}, nil
	case Taskwarrior:
		return newTaskwarrior(r), nil
	}
	return nil, fmt.Errorf("there is no format %q", f)
}

// NewWriter makes the writer of a format, and writes what stands before the first task.
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

// set puts a field of the API into an item.
func (i *Item) set(field string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("exchange: a field cannot be written as JSON: " + err.Error()) // texts, lists of texts and times can
	}
	if i.Fields == nil {
		i.Fields = map[string]json.RawMessage{}
	}
	i.Fields[field] = raw
}

func (i *Item) note(field, reason string) {
	i.Notes = append(i.Notes, Note{i.Line, field, reason})
}

// instant is how the API takes a time.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
