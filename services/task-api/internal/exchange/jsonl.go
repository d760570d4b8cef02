package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
)

// jsonlReader reads Taskwire's own format: one task a line, as the API returns it. It imports all fields that a client can write,
// and series_id, occurrence_no, created_at and completed_at. It ignores fields that belong to the account of the export
// (user_id, version, seq, updated_at). The new account gets a new id for each task.
type jsonlReader struct{ *lines }

// ignored has the members that are new in every account.
var ignored = []string{"user_id", "version", "seq", "updated_at"}

// Next implements Reader.
func (r *jsonlReader) Next() (Item, error) {
	for {
		line, tooLong, err := r.next()
		if err != nil {
			return Item{}, err
		}
		if tooLong {
			return Item{}, &Refused{r.no, "", "is longer than a task can be"}
		}
		if len(bytes.TrimSpace(line)) > 0 {
			return r.item(line)
		}
	}
}

func (r *jsonlReader) item(line []byte) (Item, error) {
	item := Item{Line: r.no, Content: string(line)}
	if err := httpx.UnmarshalStrict(line, &item.Fields); err != nil {
		return Item{}, &Refused{r.no, "", "cannot be read: " + reason(err)}
	}
	if item.Fields == nil {
		return Item{}, &Refused{r.no, "", "must be an object"}
	}
	var deleted *time.Time
	for name, target := range map[string]any{
		"id": &item.Source, "series_id": &item.Series, "occurrence_no": &item.Occurrence,
		"created_at": &item.CreatedAt, "completed_at": &item.CompletedAt, "deleted_at": &deleted,
	} {
		raw, ok := item.Fields[name]
		delete(item.Fields, name)
		if ok && json.Unmarshal(raw, target) != nil {
			return Item{}, &Refused{r.no, name, "has the wrong type"}
		}
	}
	if deleted != nil {
		return Item{}, &Skipped{r.no, "deleted_at", "is set: a deleted task is not imported"}
	}
	for _, name := range ignored {
		delete(item.Fields, name)
	}
	return item, nil
}

// reason returns the text of an error for the user.
func reason(err error) string {
	var e *httpx.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

type jsonlWriter struct{ enc *json.Encoder }

// Write implements Writer.
func (w jsonlWriter) Write(t events.TaskData) error { return w.enc.Encode(t) }

// Close implements Writer.
func (jsonlWriter) Close() error { return nil }
