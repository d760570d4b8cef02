package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
)

// imports imports a file and returns the reports. The last report has the counts.
func (c *client) imports(format, body string) []importReport {
	c.t.Helper()
	return c.readReports(c.want(http.StatusOK, nil, "POST", importPath+"?format="+format, body).body)
}

func (c *client) readReports(body string) (out []importReport) {
	c.t.Helper()
	dec := json.NewDecoder(strings.NewReader(body))
	for {
		var r importReport
		if err := dec.Decode(&r); err == io.EOF {
			break
		} else if err != nil {
			c.t.Fatalf("report: %v in %s", err, body)
		}
		out = append(out, r)
	}
	if len(out) == 0 || out[len(out)-1].ImportCounts == nil {
		c.t.Fatalf("report: got %s, want counts in the last report", body)
	}
	return out
}

// wantImport imports a file and checks the counts of the last report, which must be done.
func (c *client) wantImport(format, body string, want ImportCounts) []importReport {
	c.t.Helper()
	got := c.imports(format, body)
	if last := got[len(got)-1]; last.Type != "done" || *last.ImportCounts != want {
		c.t.Errorf("import %s: got %s %+v, want done %+v; all: %s", format, last.Type, *last.ImportCounts, want, texts(got))
	}
	return got
}

// texts returns the reports about single lines of the file, for failure messages.
func texts(list []importReport) string {
	var b strings.Builder
	for _, r := range list {
		if r.Line > 0 {
			fmt.Fprintf(&b, "\n%d %s %s: %s", r.Line, r.Type, r.Field, r.Reason)
		}
	}
	return b.String()
}

func (c *client) export(format string) string {
	c.t.Helper()
	return c.want(http.StatusOK, nil, "GET", "/api/v1/export?format="+format, "").body
}

// fill creates tasks that use every field and every status.
func (c *client) fill() {
	c.t.Helper()
	for _, body := range []string{
		`{"title":"Größe 👩‍👩‍👧 \"quoted\", with; signs\\","description":"a\n\tb, c; d \\n \"q\"\n","priority":"urgent","tags":["büro","a,b;c"],"due_at":"2030-03-01T10:00:00.5Z","remind_at":"2030-02-28T09:00:00Z","timezone":"America/New_York","position":-1.5}`,
		`{"title":"Water","due_date":"2030-03-01","remind_at":"2030-02-28T09:00:00Z","recurrence":{"rrule":"FREQ=WEEKLY;BYDAY=FR","anchor":"completion","timezone":"Asia/Tokyo"},"priority":"low"}`,
		`{"title":"Start","start_at":"2030-03-01T08:00:00.25Z","due_at":"2030-03-03T17:00:00Z","timezone":"Europe/Berlin","recurrence":{"rrule":"FREQ=WEEKLY;BYDAY=FR","exdates":["2030-03-08"],"catch_up":"all"}}`,
		`{"title":"Gap","due_at":"2030-03-31T02:30","timezone":"Europe/Berlin","recurrence":{"rrule":"FREQ=DAILY"}}`,
		`{"title":"done","status":"completed"}`, `{"title":"begun","status":"in_progress","priority":"high"}`, `{"title":"off","status":"cancelled"}`,
	} {
		c.create(body)
	}
	recurring := c.create(`{"title":"Daily","due_date":"2030-03-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	c.want(http.StatusOK, nil, "POST", "/api/v1/tasks/"+recurring.ID+"/skip", "")
	again := c.create(`{"title":"Finished","due_date":"2030-03-01","recurrence":{"rrule":"FREQ=DAILY;COUNT=3"}}`)
	c.want(http.StatusOK, nil, "POST", "/api/v1/tasks/"+again.ID+"/complete", "")
	gone := c.create(`{"title":"gone"}`)
	c.want(http.StatusNoContent, nil, "DELETE", "/api/v1/tasks/"+gone.ID, "")
}

// comparables returns the tasks of an export, sorted and without the fields that differ between accounts. It replaces each
// series id by a number in order of appearance, so that two exports are equal only if the same tasks share a series.
func comparables(t *testing.T, body string) []events.TaskData {
	t.Helper()
	ids := map[string]string{"": ""}
	var out []events.TaskData
	dec := json.NewDecoder(strings.NewReader(body))
	for dec.More() {
		var task events.TaskData
		if err := dec.Decode(&task); err != nil {
			t.Fatal(err)
		}
		out = append(out, task)
	}
	slices.SortFunc(out, func(a, b events.TaskData) int {
		return strings.Compare(a.Title+a.DueDate, b.Title+b.DueDate)
	})
	for i := range out {
		task := &out[i]
		if _, ok := ids[task.SeriesID]; !ok {
			ids[task.SeriesID] = fmt.Sprint(len(ids))
		}
		task.SeriesID = ids[task.SeriesID]
		task.ID, task.UserID, task.Version, task.Seq, task.UpdatedAt = "", "", 0, 0, time.Time{}
	}
	return out
}

func TestJSONLKeepsEveryFieldInARoundTrip(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b, third := r.user(), r.user(), r.user()
	a.fill()
	file := a.export("jsonl")
	count := strings.Count(file, "\n")
	b.wantImport("jsonl", file, ImportCounts{Created: count})
	if got, want := comparables(t, b.export("jsonl")), comparables(t, file); !reflect.DeepEqual(got, want) {
		t.Errorf("round trip: got\n%+v\nwant\n%+v", got, want)
	}
	if ids := r.count(`SELECT count(*) FROM tasks x JOIN tasks y ON x.id = y.id AND x.user_id <> y.user_id`); ids != 0 {
		t.Errorf("ids in both accounts: got %d, want none", ids)
	}
	// No task is created twice: not in the exporting account, not by the same file, and not after its deletion.
	a.wantImport("jsonl", file, ImportCounts{Present: count})
	id := comparablesFirstID(t, b.export("jsonl"))
	b.want(http.StatusNoContent, nil, "DELETE", "/api/v1/tasks/"+id, "")
	b.wantImport("jsonl", file, ImportCounts{Present: count})
	// An import writes events and seqs like every other write.
	third.wantImport("jsonl", file, ImportCounts{Created: count})
	if n := r.count(`SELECT count(*) FROM outbox WHERE key = ? AND topic = 'task-events'`, third.id); n != int64(count) {
		t.Errorf("outbox: got %d task events, want %d", n, count)
	}
	if n := r.count(`SELECT seq FROM heads WHERE user_id = ?`, third.id); n != int64(count) {
		t.Errorf("seq: got %d, want %d", n, count)
	}
}

func comparablesFirstID(t *testing.T, body string) string {
	t.Helper()
	var task events.TaskData
	if err := json.NewDecoder(strings.NewReader(body)).Decode(&task); err != nil {
		t.Fatal(err)
	}
	return task.ID
}

// TestTheOtherFormatsKeepEveryFieldToo compares a round trip in each format with the export.
func TestTheOtherFormatsKeepEveryFieldToo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.user()
	a.fill()
	file := a.export("jsonl")
	count := strings.Count(file, "\n")
	for _, format := range []exchange.Format{exchange.ICS, exchange.Taskwarrior, exchange.CSV} {
		b := r.user()
		exported := a.export(string(format))
		b.wantImport(string(format), exported, ImportCounts{Created: count})
		if got, want := comparables(t, b.export("jsonl")), comparables(t, file); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v\nfile\n%s", format, got, want, exported)
		}
		b.wantImport(string(format), exported, ImportCounts{Present: count})
		a.wantImport(string(format), exported, ImportCounts{Present: count})
	}
}

// An occurrence that was changed alone has other values than its series. The next occurrence has those of the series, also after
// a round trip.
func TestAnExceptionKeepsItsSeriesInARoundTrip(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.user()
	standup := a.create(`{"title":"Stand-up","description":"Room 1","tags":["team"],"due_at":"2030-03-01T09:00:00Z","timezone":"Europe/Berlin","recurrence":{"rrule":"FREQ=WEEKLY;BYDAY=FR"}}`)
	a.want(http.StatusOK, nil, "PATCH", "/api/v1/tasks/"+standup.ID, `{"scope":"this","title":"With guests","description":"","due_at":"2030-03-01T11:00:00Z","tags":[]}`)
	for _, format := range exchange.Formats() {
		b := r.user()
		file := a.export(string(format))
		b.wantImport(string(format), file, ImportCounts{Created: 1})
		var list struct{ Items []events.TaskData }
		b.want(http.StatusOK, &list, "GET", "/api/v1/tasks", "")
		if len(list.Items) != 1 || list.Items[0].Title != "With guests" || !list.Items[0].DueAt.Equal(time.Date(2030, 3, 1, 11, 0, 0, 0, time.UTC)) {
			t.Fatalf("%s: got %+v, want the exception", format, list.Items)
		}
		b.want(http.StatusOK, nil, "POST", "/api/v1/tasks/"+list.Items[0].ID+"/skip", "")
		b.want(http.StatusOK, &list, "GET", "/api/v1/tasks?status=pending", "")
		next := list.Items[0]
		if next.Title != "Stand-up" || next.Description != "Room 1" || !slices.Equal(next.Tags, []string{"team"}) || !next.DueAt.Equal(time.Date(2030, 3, 8, 9, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: the next occurrence is %+v, want the values of the series; file\n%s", format, next, file)
		}
	}
}

func TestAnImportReportsRefusedAndSkippedLines(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	good := `{"title":"good"}`
	got := c.wantImport("jsonl", strings.Join([]string{
		good, `{"title":""}`, `{"title":"x","due_date":"yesterday","priority":"big"}`, `nonsense`, good, "",
		`{"title":"x","deleted_at":"2026-01-01T00:00:00Z"}`, `{"titel":"x"}`, `{"title":"` + strings.Repeat("x", exchange.MaxTask) + `"}`,
		`{"title":"x","created_at":"2999-01-01T00:00:00Z"}`, `{"title":"x","title":"y"}`, `{"title":"` + strings.Repeat("x", 501) + `"}`, `{"title":"last"}`,
	}, "\n"), ImportCounts{Created: 6, Refused: 5, Skipped: 1, Notes: 4})
	var where []string
	for _, r := range got {
		if r.Line > 0 {
			where = append(where, fmt.Sprintf("%d %s %s", r.Line, r.Type, r.Field))
		}
	}
	want := []string{"2 refused title", "3 note priority", "3 note due_date", "4 refused ", "7 skipped deleted_at", "8 refused title", "9 refused ", "10 note created_at", "11 refused ", "12 note title"}
	if !slices.Equal(where, want) {
		t.Errorf("report: got %s\nwant %v", texts(got), want)
	}
	// Two equal lines are two tasks. A repeated import finds both.
	c.wantImport("jsonl", good+"\n"+good+"\n", ImportCounts{Present: 2})
}

func TestARepeatedImportCompletesAnInterruptedOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.user()
	const n = 1000
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, "{\"id\":\"src-%d\",\"title\":\"t%d\"}\n", i, i)
	}
	// Disconnect the client after the first batch.
	reader, writer := io.Pipe()
	req, err := http.NewRequest("POST", r.server.URL+importPath+"?format=jsonl", reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	go io.WriteString(writer, file.String()[:file.Len()/2])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if _, err := io.ReadFull(resp.Body, buf); err != nil {
		t.Fatalf("read the answer before the end of the request: %v", err)
	}
	resp.Body.Close()
	writer.CloseWithError(io.ErrUnexpectedEOF)
	before := int(r.count(`SELECT count(*) FROM tasks`))
	if before < importBatch || before >= n {
		t.Fatalf("tasks after the first import: got %d, want at least a batch and fewer than %d", before, n)
	}
	again := c.imports("jsonl", file.String()) // the end of the first import may still run
	if last := again[len(again)-1]; last.Type != "done" || last.Created+last.Present != n || last.Present < before {
		t.Errorf("second import: got %s %+v, want done, %d tasks, and at least %d of them present", last.Type, *last.ImportCounts, n, before)
	}
	if got := r.count(`SELECT count(*) FROM tasks`); got != n {
		t.Errorf("tasks: got %d, want %d", got, n)
	}
	if got := strings.Count(c.export("jsonl"), "\n"); got != n {
		t.Errorf("export: got %d tasks, want %d", got, n)
	}
}

func TestAnImportOfAnUnknownFormatIsRefused(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	for _, path := range []string{"", "?format=xml", "?format=csv&format=ics", "?format=csv&dry=1"} {
		c.wantProblem(http.StatusBadRequest, "", "POST", importPath+path, "x")
		c.wantProblem(http.StatusBadRequest, "", "GET", "/api/v1/export"+path, "")
	}
	for _, format := range []string{"csv", "ics", "taskwarrior"} {
		c.wantProblem(http.StatusUnprocessableEntity, "", "POST", importPath+"?format="+format, "<html>nonsense</html>")
	}
	c.wantProblem(http.StatusRequestEntityTooLarge, "", "POST", importPath+"?format=jsonl", strings.Repeat("x", maxImport+1))
}
