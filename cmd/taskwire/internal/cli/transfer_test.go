package cli

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// taskAPI serves imports and exports with answer, if the token is right.
func taskAPI(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	t.Setenv(tokenVariable, "secret")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func sample(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnImportWithRefusalsPrintsThemAndFails(t *testing.T) {
	url := taskAPI(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.String() != "/api/v1/import?format=csv" || string(body) != "TYPE,CONTENT\n" {
			t.Errorf("got %s with %q, %v", r.URL, body, err)
		}
		fmt.Fprintln(w, `{"type":"refused","line":3,"field":"title","reason":"must not be empty \u001b[31m"}`)
		fmt.Fprintln(w, `{"type":"note","line":4,"field":"INDENT","reason":"makes it a subtask"}`)
		fmt.Fprintln(w, `{"type":"progress","created":1,"refused":1}`)
		fmt.Fprintln(w, `{"type":"done","created":1,"present":2,"refused":1,"skipped":0,"notes":1}`)
	})
	code, out, errs := call(t, "import", sample(t, "x.csv", "TYPE,CONTENT\n"), "--url", url)
	for _, want := range []string{"line 3: title must not be empty ·[31m", "line 4: INDENT makes it a subtask", "1 tasks made, 2 were there already, 1 refused"} {
		if !strings.Contains(out, want) {
			t.Errorf("import: got %q, want it to contain %q", out, want)
		}
	}
	if code != 1 || errs != "" {
		t.Errorf("import: got %d %q, want 1 and nothing on stderr", code, errs)
	}
}

func TestAnImportWithoutRefusalsSucceeds(t *testing.T) {
	url := taskAPI(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"type":"done","created":1}`) })
	if code, _, errs := call(t, "import", sample(t, "x.jsonl", "{}"), "--url", url); code != 0 || errs != "" {
		t.Errorf("import: got %d %q", code, errs)
	}
}

func TestACutImportExplainsHowToContinue(t *testing.T) {
	url := taskAPI(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"type":"progress","created":7}`) })
	code, _, errs := call(t, "import", sample(t, "x.ics", "x"), "--url", url)
	if code != 1 || !strings.Contains(errs, "nothing is made twice") || !strings.Contains(errs, "7 tasks were created") {
		t.Errorf("import: got %d %q", code, errs)
	}
}

func TestWrongCallsOfImportAndExportAreExplained(t *testing.T) {
	url := taskAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"title":"Unprocessable","detail":"the file cannot be read on."}`)
	})
	file := sample(t, "x.csv", "x")
	for want, args := range map[string][]string{
		"is not that of a known format": {"import", sample(t, "x.txt", "x")},
		`--format "xml"`:                {"export", "x", "--format", "xml"},
		"no such file":                  {"import", "/nonexistent.csv"},
		"is a folder":                   {"import", t.TempDir(), "--format", "csv"},
		"accepts 1 arg":                 {"import"},
		"the file cannot be read on":    {"import", file, "--url", url},
		"is not an address":             {"import", file, "--url", "localhost"},
		"cannot reach":                  {"import", file, "--url", "http://127.0.0.1:1"},
	} {
		if code, _, errs := call(t, args...); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("taskwire %v: got %d %q, want it to contain %q", args, code, errs, want)
		}
	}
	t.Setenv(tokenVariable, "")
	if code, _, errs := call(t, "export", "x.csv", "--url", url); code == 0 || !strings.Contains(errs, tokenVariable) {
		t.Errorf("export without a token: got %d %q", code, errs)
	}
}

func TestAFailedExportChangesNothing(t *testing.T) {
	var cut atomic.Bool // the server and the test share it
	url := taskAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		if !cut.Load() {
			fmt.Fprint(w, "all of it")
			return
		}
		w.Header().Set("Content-Length", "100")
		out := bufio.NewWriter(w)
		fmt.Fprint(out, "a part")
		out.Flush()
		panic(http.ErrAbortHandler)
	})
	path := filepath.Join(t.TempDir(), "tasks.jsonl")
	for _, whole := range []bool{true, false} {
		cut.Store(!whole)
		code, _, errs := call(t, "export", path, "--url", url)
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "all of it" || (code == 0) != whole {
			t.Errorf("export, whole %v: got %d %q and the file %q %v", whole, code, errs, raw, err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("folder: got %v %v, want the one file", left, err)
	}
	cut.Store(false)
	if code, out, _ := call(t, "export", "-", "--format", "ics", "--url", url); code != 0 || out != "all of it" {
		t.Errorf("export to stdout: got %d %q", code, out)
	}
}
