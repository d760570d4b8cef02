package exchange

import (
	"strings"
	"testing"
)

// A series that cannot be read is reported, and stays in the description.
func TestAnUnreadableSeriesIsKept(t *testing.T) {
	t.Parallel()
	file := `{"title":"a","due_date":"2030-03-01","recurrence":{"rrule":"FREQ=DAILY"},"series":["b"]}`
	reader, err := NewReader(JSONL, strings.NewReader(file), options)
	if err != nil {
		t.Fatal(err)
	}
	item, err := reader.Next()
	if err != nil {
		t.Fatal(err)
	}
	description, _ := item.member("description")
	if len(item.Notes) != 1 || item.Notes[0].Field != "series" || !strings.Contains(description, `series: ["b"]`) || item.Pattern != nil {
		t.Errorf("got %+v, description %q, want one note about the series and its text", item.Notes, description)
	}
}

// A value that another program changes counts for the series too, unless the series had another one.
func TestAChangedValueCountsForTheSeriesToo(t *testing.T) {
	t.Parallel()
	file := `{"title":"changed","description":"own","due_date":"2030-03-01","recurrence":{"rrule":"FREQ=DAILY"},"series":{"description":null,"due_date":"2030-03-02"}}`
	reader, err := NewReader(JSONL, strings.NewReader(file), options)
	if err != nil {
		t.Fatal(err)
	}
	item, err := reader.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(mustMarshal(item.Pattern)); got != `{"due_date":"2030-03-02","recurrence":{"rrule":"FREQ=DAILY"},"title":"changed"}` {
		t.Errorf("the series is %s", got)
	}
}
