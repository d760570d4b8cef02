package domain

// This file searches the texts of tasks in the entries. The log keeps the bytes of each event and no words, because its rows
// never change and the folding of words may. So a search reads the entries that the other filters select.

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/taskwire/taskwire/pkg/platform/fold"
)

const (
	// searchBatch is the number of entries that a search reads at once.
	searchBatch = 500
	// maxSearched bounds the entries that one request reads, to some hundred milliseconds. Its page then ends early, and the
	// next one continues.
	maxSearched = 10_000
)

// search returns a page of the entries that have all words of a search.
func (l *Log) search(ctx context.Context, f Filter) (Page, error) {
	words := fold.Distinct(f.Search)
	page := Page{}
	for read := 0; read < maxSearched; read += searchBatch {
		entries, err := l.reader.List(ctx, f, searchBatch)
		if err != nil {
			return Page{}, err
		}
		for _, e := range entries {
			if e.has(words) {
				if len(page.Entries) == f.Limit {
					page.More, page.End = true, page.Entries[f.Limit-1].Position
					return page, nil
				}
				page.Entries = append(page.Entries, e)
			}
		}
		if len(entries) < searchBatch {
			return page, nil
		}
		page.End = entries[len(entries)-1].Position
		f.After = &page.End
	}
	page.More = true
	return page, nil
}

// has reports whether each of the words begins a word of the task: of its title, its description or its tags, as the event has
// them, or of a value before or after the change.
func (e *Entry) has(words []string) bool {
	var event struct {
		TaskData struct {
			Title       string
			Description string
			Tags        []string
		} `json:"task_data"`
		Changes []struct {
			Field    string
			From, To json.RawMessage
		}
	}
	_ = json.Unmarshal(e.Event, &event) // an event of a later version may have other types; it then has fewer words
	texts := append([]string{event.TaskData.Title, event.TaskData.Description}, event.TaskData.Tags...)
	for _, c := range event.Changes {
		if slices.Contains(textFields, c.Field) {
			texts = append(texts, textsOf(c.From)...)
			texts = append(texts, textsOf(c.To)...)
		}
	}
	own := fold.Words(strings.Join(texts, "\n"))
	return !slices.ContainsFunc(words, func(w string) bool {
		return !slices.ContainsFunc(own, func(x string) bool { return strings.HasPrefix(x, w) })
	})
}

// textFields are the fields of a task that a search reads.
var textFields = []string{"title", "description", "tags"}

// textsOf returns the texts of a value that is a string or a list of strings.
func textsOf(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	_ = json.Unmarshal(raw, &many) // another type has no text
	return many
}
