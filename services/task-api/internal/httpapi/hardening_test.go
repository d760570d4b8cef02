package httpapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// This file tests the limits of fields, bodies and numbers with the largest accepted and the smallest refused values.

// longest returns the body of a task at the limits of title, description and tags, in characters of four bytes.
func longest() string {
	tags := make([]string, events.MaxTags)
	for i := range tags {
		tags[i] = fmt.Sprintf("%q", fmt.Sprintf("%02d", i)+strings.Repeat("😀", events.MaxTag-2))
	}
	return fmt.Sprintf(`{"title":%q,"description":%q,"tags":[%s]}`,
		strings.Repeat("😀", events.MaxTitle), strings.Repeat("😀", events.MaxDescription), strings.Join(tags, ","))
}

func TestTheLimitsOfFieldsAreExact(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	task := c.create(longest())
	c.want(http.StatusOK, nil, "PUT", "/api/v1/tasks/"+task.ID, longest())
	due := `"due_date":"2030-01-01"`
	for _, tc := range []struct {
		status          int
		field           string
		inside, outside string // members of a body
	}{
		{422, "title", `"title":"` + strings.Repeat("é", 500) + `"`, `"title":"` + strings.Repeat("é", 501) + `"`},
		{422, "title", `"title":"` + strings.Repeat(`e\u0301`, 500) + `"`, `"title":"` + strings.Repeat(`e\u0301`, 501) + `"`}, // counted in NFC
		{422, "title", `"title":"a"`, `"title":" "`},
		{422, "title", `"title":"\uD83D\uDE00"`, `"title":"a\u001bb"`},
		{400, "title", `"title":"a"`, `"title":"a\u0000"`},
		{422, "description", `"title":"a","description":"` + strings.Repeat("ж", 10_000) + `"`, `"title":"a","description":"` + strings.Repeat("ж", 10_001) + `"`},
		{422, "tags[0]", `"title":"a","tags":["` + strings.Repeat("ж", 50) + `"]`, `"title":"a","tags":["` + strings.Repeat("ж", 51) + `"]`},
		{422, "tags", `"title":"a","tags":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17","18","19","20"]`,
			`"title":"a","tags":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17","18","19","20","21"]`},
		{400, "position", `"title":"a","position":1e15`, `"title":"a","position":1000000000000001`},
		{400, "position", `"title":"a","position":-1e15`, `"title":"a","position":-1000000000000001`},
		{400, "position", `"title":"a","position":1e-400`, `"title":"a","position":1e400`},
		{400, "position", `"title":"a","position":0.` + strings.Repeat("3", 5000), `"title":"a","position":` + strings.Repeat("9", 5000)},
		{422, "due_date", `"title":"a","due_date":"2028-02-29"`, `"title":"a","due_date":"2027-02-29"`},
		{422, "due_date", `"title":"a",` + due + `,"due_at":null`, `"title":"a",` + due + `,"due_at":"2030-01-01T00:00:00Z"`},
		{400, "due_at", `"title":"a","due_at":"2030-01-01T00:00:00+05:45"`, `"title":"a","due_at":"2030-01-01 00:00:00"`},
		{422, "due_at", `"title":"a","due_at":"1900-01-02T00:00"`, `"title":"a","due_at":"1899-12-30T00:00"`},
		{422, "start_date", `"title":"a","start_date":"2030-01-01",` + due, `"title":"a","start_date":"2030-01-02",` + due},
		{422, "recurrence.exdates", `"title":"a","recurrence":{"rrule":"FREQ=DAILY","exdates":[` + days(100) + `]},` + due, `"title":"a","recurrence":{"rrule":"FREQ=DAILY","exdates":[` + days(101) + `]},` + due},
		{422, "recurrence.rrule", `"title":"a","recurrence":{"rrule":"FREQ=DAILY;INTERVAL=8;BYDAY=MO"},` + due, `"title":"a","recurrence":{"rrule":"FREQ=DAILY;INTERVAL=7;BYDAY=MO"},` + due},
		{422, "timezone", `"title":"a","timezone":"America/Argentina/ComodRivadavia"`, `"title":"a","timezone":"America/Nowhere"`},
		{422, "timezone", `"title":"a","timezone":"UTC"`, `"title":"a","timezone":""`},
		{422, "remind_at", `"title":"a","remind_at":"2029-12-31T00:00:00Z",` + due, `"title":"a","remind_at":"2029-12-31T00:00:00Z"`},
		{422, "recurrence", `"title":"a","recurrence":{"rrule":"FREQ=DAILY"},` + due, `"title":"a","recurrence":{"rrule":"FREQ=DAILY"}`},
		{422, "recurrence.rrule", `"title":"a","recurrence":{"rrule":"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"},` + due, `"title":"a","recurrence":{"rrule":"FREQ=HOURLY"},` + due},
		{422, "recurrence.rrule", `"title":"a","recurrence":{"rrule":"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-1"},` + due, `"title":"a","recurrence":{"rrule":"FREQ=DAILY;BYHOUR=9"},` + due},
	} {
		c.create("{" + tc.inside + "}")
		c.wantProblem(tc.status, tc.field, "POST", "/api/v1/tasks", "{"+tc.outside+"}")
		if strings.Contains(tc.outside, `"title":"a",`) || tc.field == "title" {
			c.wantProblem(tc.status, tc.field, "PUT", "/api/v1/tasks/"+task.ID, "{"+tc.outside+"}")
			c.wantProblem(tc.status, tc.field, "PATCH", "/api/v1/tasks/"+task.ID, "{"+tc.outside+"}")
		}
	}
	var got events.TaskData
	if c.want(http.StatusOK, &got, "GET", "/api/v1/tasks/"+task.ID, ""); got.Version != 1 {
		t.Errorf("after refused requests: got version %d, want 1", got.Version)
	}
}

// days returns n dates as members of a list.
func days(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = time.Date(2030, 1, 2+i, 0, 0, 0, 0, time.UTC).Format(`"2006-01-02"`)
	}
	return strings.Join(list, ",")
}

func TestARefusedRuleNamesItsPart(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	for rule, say := range map[string]string{
		"FREQ=MINUTELY;INTERVAL=60;BYMINUTE=1":    "FREQ",
		"FREQ=SECONDLY":                           "FREQ",
		"FREQ=DAILY;BYHOUR=9":                     "BYHOUR",
		"FREQ=DAILY;INTERVAL=9223372036854775807": "INTERVAL",
		"FREQ=DAILY;COUNT=0":                      "COUNT",
		"FREQ=DAILY;COLOUR=RED":                   "a part that RFC 5545 does not know",
		"INTERVAL=2":                              "FREQ",
	} {
		a := c.wantProblem(422, "recurrence.rrule", "POST", "/api/v1/tasks", fmt.Sprintf(`{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":%q}}`, rule))
		if !strings.Contains(a.body, say) {
			t.Errorf("%s: got %s, want a problem that names %s", rule, a.body, say)
		}
	}
}

// send sends a body to POST /tasks. With chunked the request has no Content-Length.
func (c *client) send(body []byte, chunked bool, headers ...string) answer {
	c.t.Helper()
	var reader io.Reader = bytes.NewReader(body)
	if chunked {
		reader = struct{ io.Reader }{reader}
	}
	req, err := http.NewRequest(http.MethodPost, c.server.URL+"/api/v1/tasks", reader)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

func TestTheLimitsOfABodyAreExact(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	sized := func(n int) []byte { return append([]byte(`{"title":"t"}`), bytes.Repeat([]byte(" "), n-13)...) }
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(`{"title":"t"}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	deep := func(n int) []byte { // n levels, with the object as the first
		return []byte(`{"tags":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`)
	}
	for _, tc := range []struct {
		name    string
		body    []byte
		headers []string
		status  int
		say     string
	}{
		{"1 MiB", sized(1 << 20), nil, 201, ""},
		{"1 MiB and a byte", sized(1<<20 + 1), nil, 413, "larger"},
		{"32 levels", deep(33), nil, 400, "list of strings"},
		{"33 levels", deep(34), nil, 400, "nested"},
		{"100,000 levels", deep(100_000), nil, 400, "nested"},
		{"100,000 open brackets", []byte(`{"tags":` + strings.Repeat("[", 100_000)), nil, 400, "nested"},
		{"100,000 members", []byte(`{` + strings.Repeat(`"a":1,`, 100_000) + `"b":1}`), nil, 400, "twice"},
		{"gzip", packed.Bytes(), []string{"Content-Encoding", "gzip"}, 415, "compressed"},
		{"gzip without Content-Encoding", packed.Bytes(), nil, 400, "UTF-8"},
		{"the identity coding", []byte(`{"title":"t"}`), []string{"Content-Encoding", "identity"}, 201, ""},
		{"UTF-16", []byte("{\x00\"\x00t\x00"), nil, 400, "not valid JSON"},
		{"a byte order mark", []byte("\xef\xbb\xbf{\"title\":\"t\"}"), nil, 400, "not valid JSON"},
		{"an overlong NUL", []byte("{\"title\":\"\xc0\x80\"}"), nil, 400, "UTF-8"},
		{"a surrogate in UTF-8", []byte("{\"title\":\"\xed\xa0\x80\"}"), nil, 400, "UTF-8"},
		{"NaN", []byte(`{"title":"t","position":NaN}`), nil, 400, "not valid JSON"},
		{"two keys", []byte(`{"title":"t"}`), []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, 400, "Idempotency-Key"},
	} {
		for _, chunked := range []bool{false, true} {
			a := c.send(tc.body, chunked, tc.headers...)
			if a.status != tc.status || !strings.Contains(a.body, tc.say) {
				t.Errorf("%s, chunked %v: got %d %.300s, want %d and %q", tc.name, chunked, a.status, a.body, tc.status, tc.say)
			}
			if len(a.body) > 4096 {
				t.Errorf("%s: got an answer of %d bytes, want at most 4096", tc.name, len(a.body))
			}
		}
	}
}

func TestNumbersOutOfRangeAreRefusedEverywhere(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	id := c.create(`{"title":"t"}`).ID
	long := strings.Repeat("9", 400)
	c.want(http.StatusOK, nil, "GET", "/api/v1/tasks?limit=1", "")
	c.want(http.StatusOK, nil, "GET", "/api/v1/tasks?limit=200", "")
	c.want(http.StatusOK, nil, "GET", "/api/v1/sync?limit=500", "")
	for _, n := range []string{"0", "-1", "201", "9223372036854775808", long, "1e2", "0x10", " 1", "１"} {
		c.wantProblem(400, "limit", "GET", "/api/v1/tasks?limit="+strings.ReplaceAll(n, " ", "%20"), "")
	}
	for _, n := range []string{"9223372036854775808", "-9223372036854775808", long, "1.5"} {
		c.wantProblem(400, "since", "GET", "/api/v1/sync?since="+n, "")
	}
	c.wantProblem(410, "", "GET", "/api/v1/sync?since=9223372036854775807", "")
	if a := c.do("GET", "/api/v1/sync?since=-9223372036854775807", ""); a.status != 200 && a.status != 410 {
		t.Errorf("the smallest since: got %d %s, want 200 or 410", a.status, a.body)
	}
	c.wantProblem(412, "", "PATCH", "/api/v1/tasks/"+id, `{"title":"u"}`, "If-Match", `"v`+long+`"`)
	c.wantProblem(422, "version", "PATCH", "/api/v1/tasks/"+id, `{"version":`+long+`}`)
	c.wantProblem(422, "seq", "PATCH", "/api/v1/tasks/"+id, `{"seq":1e400}`)
}
