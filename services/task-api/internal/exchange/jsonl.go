package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// jsonlReader reads Taskwire's own format: one task a line, as the API returns it. It imports all fields that a client can write,
// and series_id, occurrence_no, created_at and completed_at. It ignores fields that belong to the account of the export
// (user_id, version, seq, updated_at), and those that Taskwire computes. The new account gets a new id for each task.
type jsonlReader struct {
	*lines
	zone *time.Location
}

// ignored has the members that are new in every account, or computed.
var ignored = []string{"user_id", "version", "seq", "updated_at", "series_ends"}

// Next implements Reader.
func (r *jsonlReader) Next() (Item, error) {
	for {
		line, left, err := r.next()
		if err != nil {
			return Item{}, err
		}
		if left > 0 {
			return Item{}, &Refused{r.no, "", "is longer than a task can be"}
		}
		if len(bytes.TrimSpace(line)) > 0 {
			return r.item(line)
		}
	}
}

func (r *jsonlReader) item(line []byte) (Item, error) {
	item := Item{Line: r.no, Content: string(line)}
	var err error
	if item.Fields, item.broken, err = readObject(line); err != nil {
		return Item{}, &Refused{r.no, "", "cannot be read: " + reason(err)}
	}
	if item.Fields == nil {
		return Item{}, &Refused{r.no, "", "must be an object"}
	}
	if text, _ := item.take("deleted_at"); text != "" {
		return Item{}, &Skipped{r.no, "deleted_at", "is set: a deleted task is not imported"}
	}
	item.Source, _ = item.take("id")
	item.CreatedAt, item.CompletedAt = r.stamp(&item, "created_at"), r.stamp(&item, "completed_at")
	series, _ := item.take("series_id")
	if no, _ := item.take("occurrence_no"); series != "" || no != "" {
		if item.ownSeries(series, no); item.Series == "" || item.Occurrence == 0 {
			item.keep(r.no, "series_id", series+" "+no)
			item.Series, item.Occurrence = "", 0
		}
	}
	if text, ok := item.take("clocks"); ok {
		item.ownClocks(text)
	}
	for _, name := range ignored {
		delete(item.Fields, name)
	}
	series = string(item.Fields["series"])
	delete(item.Fields, "series")
	item.followZone(r.zone.String())
	item.ownPattern(series)
	return item, nil
}

// take removes a member and returns it as text.
func (i *Item) take(name string) (text string, ok bool) {
	raw, ok := i.Fields[name]
	delete(i.Fields, name)
	if !ok || string(raw) == "null" {
		return "", false
	}
	return textOf(raw), true
}

// stamp reads a time that is side data.
func (r *jsonlReader) stamp(item *Item, name string) *time.Time {
	text, ok := item.take(name)
	if !ok {
		return nil
	}
	at, _, ok := readTime(text, r.zone)
	if !ok {
		item.keep(r.no, name, text)
		return nil
	}
	return &at
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
func (w jsonlWriter) Write(t domain.Task) error {
	return w.enc.Encode(struct {
		events.TaskData
		Clocks json.RawMessage `json:"clocks,omitempty"`
		Series json.RawMessage `json:"series,omitempty"`
	}{t.TaskData, json.RawMessage(clocksText(t)), json.RawMessage(seriesText(t))})
}

// Close implements Writer.
func (jsonlWriter) Close() error { return nil }
