package exchange

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// imported reads one task of JSON Lines and imports it.
func importedLine(t *testing.T, line string) (domain.Task, []string) {
	t.Helper()
	item, err := readOne(t, JSONL, strings.NewReader(line))
	if err != nil {
		t.Fatalf("%.200s: %v", line, err)
	}
	fields, err := domain.ParseFields(item.Fields)
	if err != nil {
		t.Fatalf("%.200s: %v", line, err)
	}
	origin := domain.Origin{CreatedAt: item.CreatedAt, CompletedAt: item.CompletedAt}
	task, err := domain.Import(roundTripTask, roundTripUser, fields, origin, roundTripDefaults)
	if err != nil {
		t.Fatalf("%.200s: %v", line, err)
	}
	var noted []string
	for _, n := range item.Notes {
		noted = append(noted, n.Field)
	}
	return task, noted
}

// TestNoTaskIsRefusedForSideData has a wrong value for each field. The task is taken, and the value is reported and kept.
func TestNoTaskIsRefusedForSideData(t *testing.T) {
	for member, c := range map[string]struct{ noted, kept string }{
		`"created_at":"0000-01-01T00:00:00Z"`:                          {"created_at", ""},
		`"created_at":"1601-01-01T00:00:00Z"`:                          {"created_at", ""},
		`"created_at":"2029-12-30T22:35:00Z"`:                          {"created_at", ""},
		`"created_at":"yesterday"`:                                     {"created_at", "yesterday"},
		`"created_at":["x"]`:                                           {"created_at", "x"},
		`"status":"completed","completed_at":"2999-01-01T00:00:00Z"`:   {"completed_at", ""},
		`"completed_at":"2029-01-01T00:00:00Z"`:                        {"completed_at", "2029-01-01T00:00:00Z"},
		`"priority":"A"`:                                               {"priority", "priority: A"},
		`"priority":3`:                                                 {"priority", "priority: 3"},
		`"status":"maybe"`:                                             {"status", "maybe"},
		`"due_date":"2027-02-30"`:                                      {"due_date", "2027-02-30"},
		`"due_date":"1899-12-30"`:                                      {"due_date", "1899-12-30"},
		`"due_at":17,"remind_at":"2030-01-01T08:00:00Z"`:               {"remind_at", "2030-01-01T08:00:00Z"},
		`"timezone":"Mars/Olympus"`:                                    {"timezone", "Mars/Olympus"},
		`"position":"first"`:                                           {"position", "first"},
		`"recurrence":{"rrule":"FREQ=DAILY"}`:                          {"recurrence", "FREQ=DAILY"},
		`"due_date":"2027-03-02","recurrence":{"rrule":"FREQ=HOURLY"}`: {"recurrence", "FREQ=HOURLY"},
		`"due_date":"2027-03-02","recurrence":{"rrule":"FREQ=DAILY","colour":"r"}`: {"recurrence", "colour"},
		`"due_date":"2027-03-02","start_date":"2027-03-03"`:                        {"start_date", "2027-03-03"},
		`"series_id":"x"`:             {"series_id", "x"},
		`"colour":"red"`:              {"colour", "colour: red"},
		`"description":12`:            {"description", "12"},
		`"description":"bell \u0007"`: {"description", "bell "},
	} {
		task, noted := importedLine(t, `{"title":"kept",`+member+`}`)
		if task.Title != "kept" || !slices.Contains(noted, c.noted) || !strings.Contains(task.Description, c.kept) {
			t.Errorf("%s: got %q with notes about %v and the description %q; want a note about %s, and %q kept", member, task.Title, noted, task.Description, c.noted, c.kept)
		}
	}
}

func TestTitleIsMadeToFit(t *testing.T) {
	long := strings.Repeat("ä", events.MaxTitle)
	for line, want := range map[string]struct {
		title, description string
		noted              bool
	}{
		`{"title":"two\nlines\tand a tab"}`:         {"two lines and a tab", "", true},
		`{"title":"separators\u2028and\u2029more"}`: {"separators and more", "", true},
		`{"title":17}`: {"17", "", true},
		`{"description":"the first line\nthe second"}`:  {"the first line", "the first line\nthe second", true},
		`{"title":" \u200b ","description":"\n\nbody"}`: {"body", "\n\nbody", true},
		`{"title":"` + long + `"}`:                      {long, "", false},
		`{"title":"` + long + `x","description":"d"}`:   {long, long + "x\n\nd", true},
	} {
		task, noted := importedLine(t, line)
		if task.Title != want.title || task.Description != want.description || (len(noted) > 0) != want.noted {
			t.Errorf("%.80s: got %q, %q, notes about %v; want %q, %q, noted %v", line, task.Title, task.Description, noted, want.title, want.description, want.noted)
		}
	}
	if item, err := readOne(t, JSONL, strings.NewReader(`{"title":"","description":" "}`)); err != nil || titleOf(item) != "" {
		t.Errorf("no text at all: got %q, %v, want an empty title, which the domain refuses", titleOf(item), err)
	}
}

func TestTagsAreMadeToFit(t *testing.T) {
	many := make([]string, events.MaxTags+1)
	for i := range many {
		many[i] = fmt.Sprintf("t%d", i)
	}
	list := string(mustMarshal(many))
	longest := strings.Repeat("y", events.MaxTag)
	for tags, want := range map[string]struct {
		tags []string
		kept string
	}{
		`"home, garden"`:               {[]string{"home", "garden"}, ""},
		`["a",7,null,""," A "]`:        {[]string{"a", "7"}, ""},
		`["two\nlines"]`:               {[]string{"two lines"}, ""},
		list:                           {many[:events.MaxTags], "tags: t20"},
		`["` + longest + `"]`:          {[]string{longest}, ""},
		`["` + longest + `y","b"]`:     {[]string{"b"}, "tags: " + longest + "y"},
		`{"not":"a list"}`:             {[]string{`{"not":"a list"}`}, ""},
		string(mustMarshal(many[:20])): {many[:20], ""},
	} {
		task, noted := importedLine(t, `{"title":"x","tags":`+tags+`}`)
		if !slices.Equal(task.Tags, want.tags) || task.Description != want.kept || (len(noted) > 0) != (want.kept != "") {
			t.Errorf("%.80s: got %q, description %q, notes about %v; want %q and %q", tags, task.Tags, task.Description, noted, want.tags, want.kept)
		}
	}
}

func TestDescriptionIsCutAtItsLimit(t *testing.T) {
	for n, wantNoted := range map[int]bool{events.MaxDescription: false, events.MaxDescription + 1: true} {
		raw, err := json.Marshal(strings.Repeat("ä", n))
		if err != nil {
			t.Fatal(err)
		}
		task, noted := importedLine(t, `{"title":"x","description":`+string(raw)+`}`)
		if runes(task.Description) != events.MaxDescription || (len(noted) > 0) != wantNoted {
			t.Errorf("%d characters: got %d, notes about %v", n, runes(task.Description), noted)
		}
	}
	task, _ := importedLine(t, `{"title":"x","description":"`+strings.Repeat("d", events.MaxDescription)+`","colour":"red"}`)
	if !strings.HasSuffix(task.Description, "\n\ncolour: red") || runes(task.Description) != events.MaxDescription {
		t.Errorf("kept values: got %d characters that end with %.30q, want room for the kept value", runes(task.Description), task.Description[len(task.Description)-30:])
	}
}

func TestSameIDWithOtherValuesIsATaskOfItsOwn(t *testing.T) {
	reader, err := NewReader(JSONL, strings.NewReader("{\"id\":\"1\",\"title\":\"a\"}\n{\"id\":\"1\",\"title\":\"a\"}\n{\"id\":\"1\",\"title\":\"b\"}\n"), options)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []struct {
		source string
		notes  int
	}{{"1", 0}, {"1", 0}, {"", 1}} {
		item, err := reader.Next()
		if err != nil || item.Source != want.source || len(item.Notes) != want.notes {
			t.Errorf("line %d: got id %q and notes %+v, %v; want %q and %d", n+1, item.Source, item.Notes, err, want.source, want.notes)
		}
	}
}
