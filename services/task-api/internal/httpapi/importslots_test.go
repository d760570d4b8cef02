package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// openImport starts an import and returns after its first report. end sends the end of the file and waits for the end of the
// answer.
func (c *client) openImport() (end func()) {
	c.t.Helper()
	body, send := io.Pipe()
	req, err := http.NewRequest("POST", c.server.URL+importPath+"?format=jsonl", body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	go func() {
		for i := range importBatch {
			fmt.Fprintf(send, "{\"id\":\"src-%d\",\"title\":\"t\"}\n", i) // the same tasks each time
		}
	}()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	answer := bufio.NewReader(resp.Body)
	if line, err := answer.ReadString('\n'); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("import: got %d %s, %v", resp.StatusCode, line, err)
	}
	return func() {
		_ = send.Close()
		rest, err := io.ReadAll(answer)
		_ = resp.Body.Close()
		if err != nil || !strings.Contains(string(rest), `"type":"done"`) {
			c.t.Errorf("import: got %s, %v, want done", rest, err)
		}
	}
}

func TestTheConcurrentImportsOfAUserAreBounded(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	var ends []func()
	for range maxImportsOfUser {
		ends = append(ends, c.openImport())
	}
	a := c.wantProblem(http.StatusTooManyRequests, "", "POST", importPath+"?format=jsonl", `{"title":"t"}`)
	if a.header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After: got %q, want 10", a.header.Get("Retry-After"))
	}
	ends[0]()
	c.wantImport("jsonl", `{"title":"u"}`, ImportCounts{Created: 1}) // a place is free again
	ends[1]()
	c.wantImport("jsonl", `{"title":"v"}`, ImportCounts{Created: 1})
}

func TestTheConcurrentImportsOfAProcessAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var ends []func()
	for range maxImports {
		ends = append(ends, r.user().openImport())
	}
	last := r.user()
	a := last.wantProblem(http.StatusServiceUnavailable, "", "POST", importPath+"?format=jsonl", `{"title":"t"}`)
	if a.header.Get("Retry-After") != "10" {
		t.Errorf("Retry-After: got %q, want 10", a.header.Get("Retry-After"))
	}
	last.want(http.StatusOK, nil, "GET", "/api/v1/tasks", "") // other requests still work
	ends[0]()
	last.wantImport("jsonl", `{"title":"t"}`, ImportCounts{Created: 1})
	for _, end := range ends[1:] {
		end()
	}
}

func TestAFailedImportReleasesItsPlace(t *testing.T) {
	t.Parallel()
	c := newRig(t).user()
	for range maxImports + 1 {
		c.wantProblem(http.StatusBadRequest, "format", "POST", importPath+"?format=xml", "x")
		c.wantProblem(http.StatusUnprocessableEntity, "", "POST", importPath+"?format=csv", "nonsense")
	}
	c.wantImport("jsonl", `{"title":"t"}`, ImportCounts{Created: 1})
}
