package exchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// fitter makes the items of a format's reader acceptable to the domain, so that no task is refused because of side data. What a
// task cannot hold goes into the description and into the notes. A task without any text is not fitted: the domain refuses it.
type fitter struct {
	inner  Reader
	text   *decoder
	format Format
	o      Options
	// contents has the digest of the content of each item by the digest of its Source. The importer bounds the number of items.
	contents map[digest]digest
}

// digest is half of a SHA-256. Files of one user do not need more.
type digest [16]byte

func digestOf(s string) (d digest) {
	sum := sha256.Sum256([]byte(s))
	copy(d[:], sum[:])
	return d
}

// properties has the name of each field in a format, for the notes. A field that is not listed has its own name.
var properties = map[Format]map[string]string{
	CSV: {
		"title": "CONTENT", "description": "DESCRIPTION", "tags": "CONTENT", "priority": "PRIORITY", "due_date": "DATE", "due_at": "DATE",
		"recurrence": "DATE", "start_date": "DATE", "start_at": "DATE", "timezone": "TIMEZONE",
	},
	ICS: {
		"title": "SUMMARY", "description": "DESCRIPTION", "tags": "CATEGORIES", "priority": "PRIORITY", "status": "STATUS",
		"start_date": "DTSTART", "start_at": "DTSTART", "due_date": "DUE", "due_at": "DUE", "remind_at": "TRIGGER", "recurrence": "RRULE",
		"created_at": "CREATED", "completed_at": "COMPLETED", "source": "UID",
	},
	Taskwarrior: {
		"title": "description", "description": "annotations", "start_at": "scheduled", "due_at": "due", "recurrence": "recur",
		"created_at": "entry", "completed_at": "end", "source": "uuid",
	},
	JSONL: {"source": "id"},
}

func (f *fitter) property(field string) string {
	if name := properties[f.format][field]; name != "" {
		return name
	}
	return field
}

// Next implements Reader.
func (f *fitter) Next() (Item, error) {
	item, err := f.inner.Next()
	if err != nil {
		return item, err
	}
	if f.text.note != "" {
		item.Notes = append([]Note{{1, "file", f.text.note}}, item.Notes...)
		f.text.note = ""
	}
	f.source(&item)
	f.pattern(&item)
	f.broken(&item)
	f.texts(&item)
	f.tags(&item)
	f.past(&item, "created_at", &item.CreatedAt)
	f.past(&item, "completed_at", &item.CompletedAt)
	f.rest(&item)
	f.describe(&item)
	item.kept, item.broken = nil, nil
	return item, nil
}

// pattern fits the values of the series of an exception. What is wrong with them is reported for the exception too.
func (f *fitter) pattern(item *Item) {
	if item.series == nil {
		return
	}
	f.texts(item.series)
	f.tags(item.series)
	f.rest(item.series)
	f.describe(item.series)
	item.Pattern, item.PatternClocks, item.series = item.series.Fields, item.series.Clocks, nil
}

// source gives a task its own identity if it has the id of an earlier task with other values. Otherwise it would count as present.
func (f *fitter) source(item *Item) {
	if item.Source == "" {
		return
	}
	id, content := digestOf(item.Source), digestOf(item.Content)
	switch first, ok := f.contents[id]; {
	case !ok:
		f.contents[id] = content
	case first != content:
		item.Source = ""
		f.note(item, "source", "is also that of an earlier task with other values: imported as a task of its own")
	}
}

// broken reports the bytes that Item.set replaced.
func (f *fitter) broken(item *Item) {
	for _, field := range item.broken {
		f.note(item, field, "has bytes that are not UTF-8: each became �")
	}
}

func (f *fitter) note(item *Item, field, reason string) { item.note(f.property(field), reason) }

// member returns a member of the item as text. A number is read as text. It returns "" for a member that is absent or null.
func (item *Item) member(field string) (value string, isText bool) {
	raw := bytes.TrimSpace(item.Fields[field])
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	if err := json.Unmarshal(raw, &value); err == nil {
		return value, true
	}
	return string(raw), false
}

// past drops a time of the other program that cannot be, or that is ahead of this clock. The time of the import takes its place.
func (f *fitter) past(item *Item, field string, at **time.Time) {
	switch t := *at; {
	case t == nil:
	case t.Year() < domain.MinYear:
		f.note(item, field, fmt.Sprintf("is before the year %d (%s): not imported", domain.MinYear, instant(*t)))
		*at = nil
	case t.After(f.o.Now):
		f.note(item, field, fmt.Sprintf("lies in the future (%s): the time of the import is used", instant(*t)))
		*at = nil
	}
}

// mostRounds bounds the attempts of rest: each attempt drops at least one field, and a task has fewer fields.
const mostRounds = 20

// someUser stands for the user and for the task in an attempt.
const someUser = "00000000-0000-4000-8000-000000000000"

// rest asks the domain, and drops the fields that it refuses.
func (f *fitter) rest(item *Item) {
	for range mostRounds {
		var invalid *domain.Invalid
		if !errors.As(f.attempt(item), &invalid) {
			return
		}
		dropped := false
		for _, bad := range invalid.Fields {
			dropped = f.drop(item, bad) || dropped
		}
		if !dropped {
			return
		}
	}
}

func (f *fitter) attempt(item *Item) error {
	fields, err := domain.ParseFields(item.Fields)
	if err != nil {
		return err
	}
	origin := domain.Origin{OccurrenceNo: item.Occurrence, CreatedAt: item.CreatedAt, CompletedAt: item.CompletedAt, Clocks: item.Clocks, PatternClocks: item.PatternClocks}
	if item.Series != "" {
		origin.SeriesID = someUser
	}
	if item.Pattern != nil {
		if origin.Pattern, err = domain.ParseFields(item.Pattern); err != nil {
			return err
		}
	}
	_, err = domain.Import(someUser, someUser, fields, origin, domain.Defaults{Timezone: f.o.Zone, Now: f.o.Now})
	return err
}

// drop removes a field that the domain refuses, and reports whether there was one to remove. The value stays in the description.
func (f *fitter) drop(item *Item, bad domain.FieldError) bool {
	field, _, _ := strings.Cut(bad.Field, ".")
	field, _, _ = strings.Cut(field, "[")
	value, _ := item.member(field)
	switch {
	case field == "title" || field == "description" || field == "tags":
		return false // fitted before
	case field == "completed_at" && item.CompletedAt != nil:
		value, item.CompletedAt = instant(*item.CompletedAt), nil
	case field == "created_at" && item.CreatedAt != nil:
		value, item.CreatedAt = instant(*item.CreatedAt), nil
	case field == "occurrence_no" && (item.Series != "" || item.Occurrence != 0):
		value, item.Series, item.Occurrence = fmt.Sprint(item.Occurrence), "", 0
	case item.Fields[field] != nil:
		delete(item.Fields, field)
	default:
		return false
	}
	name := f.property(field)
	item.note(name, fmt.Sprintf("%s: %.100q is in the description only", bad.Message, value))
	item.kept = append(item.kept, name+": "+value)
	return true
}

// keep puts a value that a task cannot hold into the description, and reports it.
func (item *Item) keep(line int, property, value string) {
	item.kept = append(item.kept, property+": "+value)
	item.Notes = append(item.Notes, Note{line, fmt.Sprintf("%.50s", property), "is kept in the description"})
}

// cutRunes returns the first n characters of s.
func cutRunes(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

func runes(s string) int { return utf8.RuneCountInString(s) }
