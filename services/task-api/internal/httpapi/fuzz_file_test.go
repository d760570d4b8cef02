package httpapi

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
	"github.com/taskwire/taskwire/testkit/apitest"
)

// fileTasks bounds the tasks of a file.
const fileTasks = 6

// files imports random valid tasks, exports them in each format, and imports each export into a new account. It also imports
// a broken copy of each export.
func (f *fuzzer) files(op apiOperation) {
	f.t.Helper()
	create := f.operation("createTask")
	n := 1 + f.IntN(fileTasks)
	var lines []string
	for range n {
		task, _ := f.Value("", create.bodySchema()).(map[string]any)
		f.sensible(create, task)
		lines = append(lines, string(encoded(task)))
	}
	from := f.rig.user()
	f.imports(op, from, exchange.JSONL, strings.Join(lines, "\n"), &ImportCounts{Created: n})
	for _, format := range exchange.Formats() {
		file := from.export(string(format))
		f.imports(op, f.rig.user(), format, file, &ImportCounts{Created: n})
		f.imports(op, f.rig.user(), format, f.broken(file), nil)
	}
}

// imports sends a file twice. The answers must be documented, and the second import must create nothing. want has the counts
// of the first import, or nil for a broken file.
func (f *fuzzer) imports(op apiOperation, as *client, format exchange.Format, file string, want *ImportCounts) {
	f.t.Helper()
	r := &request{op: op, path: map[string]string{}, query: url.Values{"format": {string(format)}}, header: http.Header{}, body: []byte(file), mediaType: "application/octet-stream"}
	var counts [2]ImportCounts
	var types [2]string
	for i := range counts {
		a := f.sendAs(r, as.token)
		f.count[op.OperationID]++
		if a.status != http.StatusOK {
			if want != nil || (a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest) {
				f.t.Errorf("%s: got %d %s", r, a.status, a.body)
			}
			continue
		}
		reports := as.readReports(a.body)
		last := reports[len(reports)-1]
		counts[i], types[i] = *last.ImportCounts, last.Type
		counts[i].Notes = 0
		if last.Type != "done" && (want != nil || last.Type != "error") {
			f.t.Errorf("%s: got %s, want done as the last report", r, a.body)
		}
	}
	if want != nil && (counts[0] != *want) {
		f.t.Errorf("%s: got %+v, want %+v", r, counts[0], *want)
	}
	again := counts[0]
	again.Present, again.Created = again.Present+again.Created, 0
	if counts[1] != again || types[0] != types[1] {
		f.t.Errorf("%s, second time: got %s %+v, want %s %+v", r, types[1], counts[1], types[0], again)
	}
	if n := as.count(`SELECT count(*) FROM tasks WHERE user_id = ?`, as.id); n != int64(counts[0].Created) {
		f.t.Errorf("%s: got %d tasks in the database, want the %d of the report", r, n, counts[0].Created)
	}
}

// snippets have a meaning in at least one of the formats.
var snippets = []string{"\x00", "\xff", "\"", "'", ",", ";", ":", "\\", "{", "}", "[", "]", "\n", "\r\n", "\n ", "null", "1e400", "-1", "\\ud800", "BEGIN:VTODO\r\n", "END:VTODO\r\n",
	"END:VCALENDAR\r\n", "DTSTART;TZID=Mars/Olympus:20300101T000000\r\n", "RRULE:FREQ=SECONDLY\r\n", "task,", "TYPE", `"id":"`, `"uuid":"x",`, `"title":""`, "20301301T000000Z", "every day", "\u2028"}

// broken returns a copy of the file with one to four random changes.
func (f *fuzzer) broken(file string) string {
	b := []byte(file)
	for range 1 + f.IntN(4) {
		if len(b) == 0 {
			break
		}
		from := f.IntN(len(b))
		to := min(len(b), from+1+f.IntN(60))
		switch f.IntN(5) {
		case 0: // delete a part
			b = slices.Delete(b, from, to)
		case 1: // double a part
			b = slices.Insert(b, to, bytes.Clone(b[from:to])...)
		case 2: // cut off the end
			b = b[:from]
		case 3: // replace a byte
			b[from] = byte(f.IntN(256))
		default: // insert a token
			b = slices.Insert(b, from, []byte(apitest.Pick(f.Generator, snippets))...)
		}
	}
	return string(b)
}
