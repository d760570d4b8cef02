package domain

import (
	"context"
	"fmt"
	"testing"
)

// many is a log of n entries, of which those at the positions in hits have the word "found".
type many struct {
	Reader
	n    int64
	hits map[int64]bool
	read int
}

func (m *many) List(_ context.Context, f Filter, limit int) (out []Entry, err error) {
	from := int64(0)
	if f.After != nil {
		from = *f.After + 1
	}
	for p := from; p < m.n && len(out) < limit; p++ {
		title := "other"
		if m.hits[p] {
			title = "found"
		}
		out = append(out, Entry{Position: p, Event: fmt.Appendf(nil, `{"task_data":{"title":%q}}`, title)})
	}
	m.read += len(out)
	return out, nil
}

// A request of a search reads a bounded number of entries. Its pages together have every entry once.
func TestASearchIsBoundedAndContinues(t *testing.T) {
	t.Parallel()
	m := &many{n: 2*maxSearched + 700, hits: map[int64]bool{0: true, 499: true, 500: true, maxSearched - 1: true, maxSearched: true, 2*maxSearched + 699: true}}
	l := &Log{reader: m}
	var got []int64
	pages := 0
	for f := (Filter{Search: "FOUND", Limit: 2}); ; pages++ {
		m.read = 0
		page, err := l.List(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		if m.read > maxSearched {
			t.Errorf("one page: read %d entries, want at most %d", m.read, maxSearched)
		}
		for _, e := range page.Entries {
			got = append(got, e.Position)
		}
		if !page.More {
			break
		}
		f.After = &page.End
	}
	if fmt.Sprint(got) != fmt.Sprint([]int64{0, 499, 500, maxSearched - 1, maxSearched, 2*maxSearched + 699}) || pages < 3 {
		t.Errorf("got %v in %d pages, want every entry once", got, pages+1)
	}
}
