package exchange

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// readCSV returns the items and the reports of a file, and the error at its end.
func readCSV(t testing.TB, text string) (items []Item, reports []Note, end error) {
	t.Helper()
	r, err := NewReader(CSV, strings.NewReader(text), options)
	if err != nil {
		t.Fatal(err)
	}
	for {
		item, err := r.Next()
		var refused *Refused
		var skipped *Skipped
		switch {
		case errors.As(err, &refused):
			reports = append(reports, Note(*refused))
		case errors.As(err, &skipped):
			reports = append(reports, Note(*skipped))
		case errors.Is(err, io.EOF):
			return items, reports, nil
		case err != nil:
			return items, reports, err
		default:
			items, reports = append(items, item), append(reports, item.Notes...)
		}
	}
}

func TestTodoistDialectIsDetected(t *testing.T) {
	for name, text := range map[string]string{
		"commas": "TYPE,CONTENT,DESCRIPTION\ntask,a,b\n", "semicolons": "TYPE;CONTENT;DESCRIPTION\ntask;a;b\n",
		"tabs": "TYPE\tCONTENT\tDESCRIPTION\ntask\ta\tb\n", "bars": "TYPE|CONTENT|DESCRIPTION\ntask|a|b\n",
		"a line that names the separator": "sep=;\r\nTYPE;CONTENT;DESCRIPTION\r\ntask;a;b\r\n",
		"carriage returns":                "TYPE,CONTENT,DESCRIPTION\rtask,a,b\r", "no line end": "TYPE,CONTENT,DESCRIPTION\ntask,a,b",
		"quotation marks": "\"TYPE\";\"CONTENT\";\"DESCRIPTION\"\n\"task\";\"a\";\"b\"\n", "another order": "DESCRIPTION,type, Content \nb,TASK,a\n",
		"UTF-16": "\xff\xfeT\x00Y\x00P\x00E\x00;\x00C\x00O\x00N\x00T\x00E\x00N\x00T\x00;\x00D\x00E\x00S\x00C\x00R\x00I\x00P\x00T\x00I\x00O\x00N\x00\n\x00t\x00a\x00s\x00k\x00;\x00a\x00;\x00b\x00",
	} {
		items, reports, err := readCSV(t, text)
		if len(items) != 1 || len(reports) > 0 || err != nil {
			t.Errorf("%s: got %d items, %v, %v; want one", name, len(items), reports, err)
			continue
		}
		if got, want := titleAndDescription(t, items[0]), [2]string{"a", "b"}; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestTodoistCellsKeepTheirText(t *testing.T) {
	for cell, want := range map[string]string{
		`"a, b"`: "a, b", `"say ""x"""`: `say "x"`, "\"a\nb\"": "a\nb", "\"a\r\nb\"": "a\nb", `a "b" c`: `a "b" c`, `"a"b`: `a"b`, `""`: "", `"a;b"`: "a;b",
	} {
		items, _, err := readCSV(t, "TYPE,DESCRIPTION,CONTENT\ntask,"+cell+",x\n")
		if err != nil || len(items) != 1 {
			t.Errorf("%s: got %d items, %v", cell, len(items), err)
			continue
		}
		if got := titleAndDescription(t, items[0]); got[1] != want || got[0] != "x" {
			t.Errorf("%s: got %q, want %q", cell, got, want)
		}
	}
}

func TestTodoistFileThatCannotBeReadSaysWhy(t *testing.T) {
	for text, says := range map[string]string{
		"": "it is empty", "\n": "it is empty", "a,b\n1,2\n": "TYPE and CONTENT", "TYPE,CONTENT\ntask,\"a\nb\n": "the quotation mark that opens on line 2 is not closed",
		"TYPE,CONTENT\ntask,a\ntask,b,\"c\n\nd": "opens on line 3", strings.Repeat("x", MaxTask+1): "its first line is longer",
		"TYPE,CONTENT\ntask," + strings.Repeat("x", MaxTask): "the row that begins on line 2 is longer",
	} {
		if _, _, err := readCSV(t, text); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: got %v, want ErrFile with %q", text, err, says)
		}
	}
}

func TestTodoistRowThatIsAsLongAsATaskIsRead(t *testing.T) {
	row := "task,x," + strings.Repeat("y", MaxTask-len("task,x,\n"))
	if items, _, err := readCSV(t, "TYPE,CONTENT,DESCRIPTION\n"+row+"\n"); err != nil || len(items) != 1 {
		t.Errorf("a row of %d bytes: got %d items, %v", len(row)+1, len(items), err)
	}
}

func TestTodoistCommentsStayWithTheirTask(t *testing.T) {
	items, reports, err := readCSV(t, "TYPE,CONTENT,DESCRIPTION\nnote,early\ntask,a,text\nnote,one\nnote,two\nsection,S\nnote,of the section\ntask,b,\n,,\nnote,three\n")
	if err != nil || len(items) != 2 {
		t.Fatalf("got %d items, %v", len(items), err)
	}
	for i, want := range []string{"text\n\none\n\ntwo", "three"} {
		if got := titleAndDescription(t, items[i])[1]; got != want {
			t.Errorf("task %d: got the description %q, want %q", i, got, want)
		}
	}
	lines := map[int]bool{}
	for _, r := range reports {
		lines[r.Line] = lines[r.Line] || r.Field == "TYPE"
	}
	for _, line := range []int{2, 4, 5, 6, 7, 10} {
		if !lines[line] {
			t.Errorf("nothing is reported for line %d: %v", line, reports)
		}
	}
}

func TestTodoistCommentThatDoesNotFitIsReported(t *testing.T) {
	for more, fits := range map[int]bool{0: true, 1: false} {
		first := strings.Repeat("x", events.MaxDescription-len("\n\nlast")+more)
		items, reports, err := readCSV(t, "TYPE,CONTENT,DESCRIPTION\ntask,a,"+first+"\nnote,last\n")
		if err != nil || len(items) != 1 || len(reports) != 1 {
			t.Fatalf("got %d items, %v, %v", len(items), reports, err)
		}
		if got := titleAndDescription(t, items[0])[1]; strings.HasSuffix(got, "\n\nlast") != fits {
			t.Errorf("with %d characters before it: kept %v, want %v", len(first), !fits, fits)
		}
		if !strings.Contains(reports[0].Reason, "comment") {
			t.Errorf("got the report %v", reports[0])
		}
	}
}

func TestTodoistReportsWhatATaskDoesNotHave(t *testing.T) {
	for _, tc := range []struct{ name, header, row, field, description string }{
		{"an unknown column", "LABELS", "x", "LABELS", "LABELS: x"},
		{"a column without a name", "", "x", "column 3", "column 3: x"},
		{"a column that comes twice", "CONTENT", "x", "CONTENT", "CONTENT: x"},
		{"more cells than columns", "DESCRIPTION", ",, and cheese", "cells after the last column", "cells after the last column: ,  and cheese"},
		{"a priority that is none", "PRIORITY", "7", "PRIORITY", "PRIORITY: 7"},
		{"a priority that is no number", "PRIORITY", "high", "PRIORITY", "PRIORITY: high"},
		{"an indent that is no number", "INDENT", "deep", "INDENT", "INDENT: deep"},
		{"a deadline", "DEADLINE", "2027-02-01", "DEADLINE", "DEADLINE: 2027-02-01"},
		{"a date that is not understood", "DATE", "every 3 workday", "DATE", "DATE: every 3 workday"},
		{"a day that can be two", "DATE", "02/03/2027", "DATE", "DATE: 02/03/2027"},
		{"a zone that is none", "TIMEZONE", "Mars/Olympus", "TIMEZONE", ""},
		{"an author", "AUTHOR", "Ada (1)", "AUTHOR", ""},
		{"text after a quotation mark", "DESCRIPTION", `"a"b`, "", ""},
	} {
		items, reports, err := readCSV(t, "TYPE,CONTENT,"+tc.header+"\ntask,a,"+tc.row+"\n")
		if err != nil || len(items) != 1 || len(reports) == 0 || reports[0].Field != tc.field {
			t.Errorf("%s: got %d items, %v, %v; want one and a report of %s", tc.name, len(items), reports, err, tc.field)
			continue
		}
		if got := titleAndDescription(t, items[0])[1]; !strings.Contains(got, tc.description) {
			t.Errorf("%s: got the description %q, want %q in it", tc.name, got, tc.description)
		}
	}
}

func TestTodoistSubtaskNamesItsParent(t *testing.T) {
	items, _, err := readCSV(t, "TYPE,CONTENT,DESCRIPTION,INDENT\ntask,a @x,,1\ntask,b,,2\ntask,c,,3\ntask,d,,2\ntask,e,,1\n")
	if err != nil || len(items) != 5 {
		t.Fatalf("got %d items, %v", len(items), err)
	}
	for i, want := range []string{"", "INDENT: 2, a subtask of: a", "INDENT: 3, a subtask of: b", "INDENT: 2, a subtask of: a", ""} {
		if got := titleAndDescription(t, items[i])[1]; got != want {
			t.Errorf("task %d: got the description %q, want %q", i, got, want)
		}
	}
}

func TestTodoistZoneCanBeAnOffset(t *testing.T) {
	for _, tc := range []struct{ timezone, stored, due string }{
		{"GMT +2:00", `"Etc/GMT-2"`, `"2027-01-27T08:00:00Z"`}, {"UTC-03:00", `"Etc/GMT+3"`, `"2027-01-27T13:00:00Z"`},
		{"GMT+5:30", "", `"2027-01-27T04:30:00Z"`}, {"UTC", `"UTC"`, `"2027-01-27T10:00:00Z"`}, {"Local", "", `"2027-01-27T09:00:00Z"`},
	} {
		items, reports, err := readCSV(t, "TYPE,CONTENT,DATE,TIMEZONE\ntask,a,2027-01-27 10:00,"+tc.timezone+"\n")
		if err != nil || len(items) != 1 {
			t.Fatalf("got %d items, %v", len(items), err)
		}
		if f := items[0].Fields; string(f["timezone"]) != tc.stored || string(f["due_at"]) != tc.due {
			t.Errorf("%s: got %s and %s, want %s and %s", tc.timezone, f["timezone"], f["due_at"], tc.stored, tc.due)
		}
		if len(reports) == 0 && tc.timezone != "UTC" {
			t.Errorf("%s: nothing is reported", tc.timezone)
		}
	}
}

func TestTodoistKeepsTheWallClockThatTheClocksSkip(t *testing.T) {
	items, _, err := readCSV(t, "TYPE,CONTENT,DATE,TIMEZONE\ntask,a,every day at 02:30 starting 2030-03-31,Europe/Berlin\n")
	if err != nil || len(items) != 1 {
		t.Fatalf("got %d items, %v", len(items), err)
	}
	if got, want := string(items[0].Fields["due_at"]), `"2030-03-31T01:30:00Z"`; got != want {
		t.Errorf("due_at: got %s, want %s", got, want)
	}
	if got, want := items[0].Clocks.Due, 2*time.Hour+30*time.Minute; got == nil || *got != want {
		t.Errorf("the time of day of the series: got %v, want %v", got, want)
	}
}

// TestTodoistCellThatWasChangedWins edits an export in a spreadsheet.
func TestTodoistCellThatWasChangedWins(t *testing.T) {
	recurring := domain.Task{TaskData: events.TaskData{
		ID: roundTripTask, Title: "x", Status: events.StatusPending, Priority: events.PriorityMedium, Tags: []string{}, Timezone: "Europe/Berlin", DueDate: "2027-01-27",
		SeriesID: roundTripSeries, OccurrenceNo: 7,
		Recurrence: &events.Recurrence{RRule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", Anchor: events.AnchorCompletion, Timezone: "Asia/Tokyo"},
	}}
	for _, tc := range []struct {
		name, from, to, field, want string
	}{
		{"another day", "2027-01-27", "2027-02-28", "due_date", `"2027-02-28"`},
		{"a time", "2027-01-27", "2027-01-27 10:00", "due_at", `"2027-01-27T09:00:00Z"`},
		{"another rule", "2027-01-27", "every day", "recurrence", `{"anchor":"schedule","rrule":"FREQ=DAILY"}`},
		{"another title", ",x,", ",y,", "title", `"y"`},
	} {
		var file bytes.Buffer
		w, err := NewWriter(CSV, &file)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(recurring); err != nil {
			t.Fatal(err)
		}
		items, _, err := readCSV(t, strings.Replace(file.String(), tc.from, tc.to, 1))
		if err != nil || len(items) != 1 {
			t.Fatalf("got %d items, %v", len(items), err)
		}
		if got := string(items[0].Fields[tc.field]); got != tc.want {
			t.Errorf("%s: %s: got %s, want %s", tc.name, tc.field, got, tc.want)
		}
		if tc.field != "recurrence" && !strings.Contains(string(items[0].Fields["recurrence"]), "INTERVAL=2") {
			t.Errorf("%s: got the recurrence %s, want Taskwire's", tc.name, items[0].Fields["recurrence"])
		}
	}
}

func TestTodoistExportOfAnEarlierVersionIsRestored(t *testing.T) {
	items, reports, err := readCSV(t, "TYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT,DATE,DATE_LANG,TIMEZONE,TASKWIRE_TIMEZONE,TASKWIRE_REMIND_AT,TASKWIRE_STATUS,TASKWIRE_RRULE,TASKWIRE_ANCHOR\n"+
		"task,'=x @a_b,,1,1,2027-01-27T09:00:00Z,en,Europe/Berlin,Europe/Berlin,2027-01-27T08:00:00Z,in_progress,FREQ=DAILY,completion\n")
	if err != nil || len(items) != 1 || len(reports) > 0 {
		t.Fatalf("got %d items, %v, %v", len(items), reports, err)
	}
	for field, want := range map[string]string{
		"title": `"=x"`, "tags": `["a_b"]`, "due_at": `"2027-01-27T09:00:00Z"`, "remind_at": `"2027-01-27T08:00:00Z"`, "status": `"in_progress"`,
		"recurrence": `{"anchor":"completion","rrule":"FREQ=DAILY"}`, "timezone": `"Europe/Berlin"`,
	} {
		if got := string(items[0].Fields[field]); got != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
}
