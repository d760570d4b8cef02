package domain

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestNewFillsInTheDefaults(t *testing.T) {
	task := newTask(t, `{"title":"Write"}`)
	want := events.TaskData{
		ID: taskID, UserID: userID, Title: "Write", Status: "pending", Priority: "medium", Tags: []string{}, Timezone: "Europe/London",
		Position: defaults.Position, Version: 1, Seq: 1, CreatedAt: noon, UpdatedAt: noon,
	}
	if !reflect.DeepEqual(task.TaskData, want) {
		t.Errorf("New: got %+v, want %+v", task.TaskData, want)
	}
	valid(t, "New", task)
}

func TestLimitsAcceptTheirBoundaries(t *testing.T) {
	tagList := func(n int) string {
		tags := make([]string, n)
		for i := range tags {
			tags[i] = fmt.Sprintf("%q", fmt.Sprint("t", i))
		}
		return "[" + strings.Join(tags, ",") + "]"
	}
	for _, tc := range []struct{ field, inside, outside string }{
		{"title", `"` + strings.Repeat("ä", 500) + `"`, `"` + strings.Repeat("ä", 501) + `"`},
		{"title", `"a"`, `""`},
		{"title", `" a "`, `"  "`},
		{"title", `"👩‍👩‍👧 ok"`, `"a\u0007"`},
		{"title", `"tab is not"`, `"a\tb"`},
		{"title", `"one line"`, `"a\nb"`},
		{"title", `"one line"`, `"a\u2028b"`},
		{"title", `"a"`, `null`},
		{"description", `"` + strings.Repeat("ß", 10_000) + `"`, `"` + strings.Repeat("ß", 10_001) + `"`},
		{"description", `"a\n\tb\r\nc"`, `"a\u0000"`},
		{"description", `""`, `"a\u0084"`},
		{"status", `"in_progress"`, `"done"`},
		{"priority", `"urgent"`, `"asap"`},
		{"tags", tagList(20), tagList(21)},
		{"tags[0]", `["` + strings.Repeat("é", 50) + `"]`, `["` + strings.Repeat("é", 51) + `"]`},
		{"tags[0]", `["a"]`, `[" "]`},
		{"due_date", `"1900-01-01"`, `"1899-12-31"`},
		{"due_date", `"9998-12-31"`, `"9999-01-01"`},
		{"due_date", `"2024-02-29"`, `"2023-02-29"`},
		{"due_date", `"2024-02-29"`, `""`},
		{"due_at", `"1900-01-01T00:00:00Z"`, `"1899-12-31T23:59:59Z"`},
		{"due_at", `"9998-12-31T23:59:59Z"`, `"9999-01-01T00:00:00Z"`},
		{"timezone", `"Asia/Kathmandu"`, `"Mars/Olympus"`},
		{"timezone", `"UTC"`, `"Local"`},
		{"timezone", `"UTC"`, `"../../etc/passwd"`},
		{"timezone", `"UTC"`, `"right/UTC"`},
		{"position", `1e15`, ``},
	} {
		name, _, _ := strings.Cut(tc.field, "[")
		body := func(value string) string {
			if name == "title" {
				return fmt.Sprintf(`{"title":%s}`, value)
			}
			return fmt.Sprintf(`{"title":"t","%s":%s}`, name, value)
		}
		task, err := New(taskID, userID, fields(t, body(tc.inside)), defaults)
		if err != nil {
			t.Errorf("New(%.60s): got %v, want a task", body(tc.inside), err)
		} else {
			task.Version, task.Seq = 1, 1
			valid(t, body(tc.inside), task)
		}
		if tc.outside != "" {
			_, err = New(taskID, userID, fields(t, body(tc.outside)), defaults)
			wantRefused(t, fmt.Sprintf("New(%.60s)", body(tc.outside)), err, false, tc.field)
		}
	}
}

func TestMalformedMembersAreNamed(t *testing.T) {
	for _, tc := range []struct{ body, field string }{
		{`{"title":1}`, "title"},
		{`{"title":["a"]}`, "title"},
		{`{"description":{}}`, "description"},
		{`{"status":1}`, "status"},
		{`{"tags":"a"}`, "tags"},
		{`{"tags":[1]}`, "tags"},
		{`{"tags":[null]}`, "tags"},
		{`{"due_date":20300101}`, "due_date"},
		{`{"due_at":"2030-01-01"}`, "due_at"},
		{`{"due_at":"2030-01-01T10:00:00 Europe/Berlin"}`, "due_at"},
		{`{"start_at":"10:00"}`, "start_at"},
		{`{"remind_at":5}`, "remind_at"},
		{`{"position":"1"}`, "position"},
		{`{"position":1e16}`, "position"},
		{`{"position":1e400}`, "position"},
		{`{"recurrence":"FREQ=DAILY"}`, "recurrence"},
		{`{"recurrence":{"rrule":1}}`, "recurrence.rrule"},
		{`{"recurrence":{"rule":"FREQ=DAILY"}}`, "recurrence.rule"},
		{`{"recurrence":{"exdates":"2030-01-01"}}`, "recurrence.exdates"},
		{`{"scope":1}`, "scope"},
		{`{"title":"a","titel":"b"}`, "titel"},
	} {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(tc.body), &members); err != nil {
			t.Fatal(err)
		}
		_, err := ParseFields(members)
		wantRefused(t, "ParseFields("+tc.body+")", err, true, tc.field)
	}
}

func TestTextsAreNormalised(t *testing.T) {
	task := newTask(t, `{"title":"  Cafe\u0301  ","description":"a\r\nb","tags":[" Work ","work","WORK","cafe\u0301"]}`)
	if task.Title != "Café" || task.Description != "a\nb" {
		t.Errorf("got title %q and description %q", task.Title, task.Description)
	}
	if want := []string{"Work", "café"}; !reflect.DeepEqual(task.Tags, want) {
		t.Errorf("tags: got %q, want %q", task.Tags, want)
	}
}

func TestAllInvalidFieldsAreReportedAtOnce(t *testing.T) {
	_, err := New(taskID, userID, fields(t, `{"title":"","priority":"x","due_date":"x","timezone":"x"}`), defaults)
	for _, field := range []string{"title", "priority", "due_date", "timezone"} {
		wantRefused(t, "New", err, false, field)
	}
}

func TestDueReminderAndRecurrenceMustFitTogether(t *testing.T) {
	for _, tc := range []struct{ body, field string }{
		{`{"title":"t","due_date":"2030-01-01","due_at":"2030-01-01T00:00:00Z"}`, "due_date"},
		{`{"title":"t","remind_at":"2030-01-01T00:00:00Z"}`, "remind_at"},
		{`{"title":"t","recurrence":{"rrule":"FREQ=DAILY"}}`, "recurrence"},
		{`{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=HOURLY"}}`, "recurrence.rrule"},
		{`{"title":"t","due_date":"2030-01-01","recurrence":{}}`, "recurrence.rrule"},
		{`{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY","anchor":"moon"}}`, "recurrence.anchor"},
		{`{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY","timezone":"Mars/Olympus"}}`, "recurrence.timezone"},
		{`{"title":"t","due_date":"2030-01-01","status":"completed","recurrence":{"rrule":"FREQ=DAILY"}}`, "status"},
		{`{"title":"t","version":1}`, "version"},
	} {
		_, err := New(taskID, userID, fields(t, tc.body), defaults)
		wantRefused(t, "New("+tc.body+")", err, false, tc.field)
	}
	task := newTask(t, `{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":" freq=daily "},"timezone":"Asia/Tokyo"}`)
	if want := (events.Recurrence{RRule: "FREQ=DAILY", Anchor: "schedule", Timezone: "Asia/Tokyo", CatchUp: "next"}); !sameRecurrence(task.Recurrence, &want) {
		t.Errorf("recurrence: got %+v, want %+v", *task.Recurrence, want)
	}
	if task.SeriesID == "" || task.OccurrenceNo != 1 {
		t.Errorf("series: got %q no %d, want an id and no 1", task.SeriesID, task.OccurrenceNo)
	}
	valid(t, "a recurring task", task)
}
