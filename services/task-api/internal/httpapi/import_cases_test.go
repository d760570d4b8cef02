package httpapi

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

var updateStored = flag.Bool("update", false, "write the stored reports and exports")

const caseFiles = "../exchange/testdata/cases"

// casesNow is the moment of the import of the case files: see their README.md.
var casesNow = time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)

// newCaseRig is newRig at the moment of the case files.
func newCaseRig(t *testing.T) *rig {
	t.Helper()
	db := pgtest.New(t, "tasks", migrationSets()...)
	now, log := func() time.Time { return casesNow }, slog.New(slog.DiscardHandler)
	return newRigOn(t, db, db.Gorm, 0, func(c *Config) {
		c.Now, c.Tasks = now, tasks.New(postgres.New(db.Gorm, outbox.New(db.Gorm, log), now), publish.New(log), now, 0)
	})
}

// berliner creates an account in the zone of the case files. Its id is always the same, and so are those of its tasks.
func (r *rig) berliner(file string) *client {
	c := r.userWith(uuid.NewSHA1(uuid.Nil, []byte(file)).String())
	c.want(http.StatusOK, nil, "PATCH", "/api/v1/me", `{"timezone":"Europe/Berlin"}`)
	return c
}

type caseFile struct {
	name, text string
	format     exchange.Format
}

func readCaseFiles(t *testing.T) (files []caseFile) {
	t.Helper()
	formats := map[string]exchange.Format{".ics": exchange.ICS, ".csv": exchange.CSV, ".json": exchange.Taskwarrior}
	entries, err := os.ReadDir(caseFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		format, ok := formats[filepath.Ext(e.Name())]
		if !ok {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(caseFiles, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, caseFile{e.Name(), strings.ReplaceAll(string(raw), "@SOON@", "20261127T093200Z"), format})
	}
	return files
}

// TestCaseFilesAreImportedOnceAndFireNothing imports each file of another program, again, and again after its series went on. The
// reports of the first imports, and the exports after them, are stored: docs/import.md shows them.
func TestCaseFilesAreImportedOnceAndFireNothing(t *testing.T) {
	t.Parallel()
	r := newCaseRig(t)
	for _, f := range readCaseFiles(t) {
		t.Run(f.name, func(t *testing.T) {
			sub := *r
			sub.t = t
			c := sub.berliner(f.name)
			first := c.importCase(f)
			stored(t, filepath.Join("reports", f.name+".jsonl"), reportLines(t, first))
			stored(t, filepath.Join("exports", f.name), withoutRandomIDs(c.export(string(f.format))))
			end := first[len(first)-1]
			if n := c.firing(casesNow); n != 0 {
				t.Errorf("reminders that fire at once: got %d, want none", n)
			}
			again := func(when string) {
				t.Helper()
				reports := c.importCase(f)
				last := reports[len(reports)-1]
				if last.Type != end.Type || last.Created != 0 || last.Present != end.Created+end.Present || last.Refused != end.Refused || last.Skipped != end.Skipped {
					t.Errorf("import %s: got %+v, want nothing created and otherwise %+v", when, *last.ImportCounts, *end.ImportCounts)
				}
			}
			again("again")
			for _, task := range comparableTasks(t, c.export("jsonl")) {
				if task.Recurrence != nil && (task.Status == events.StatusPending || task.Status == events.StatusInProgress) {
					c.want(http.StatusOK, nil, "POST", "/api/v1/tasks/"+task.ID+"/skip", "")
				}
			}
			again("after its series went on")
		})
	}
}

// importCase imports a file. It returns the problem of a file that cannot be read at all as a report too.
func (c *client) importCase(f caseFile) []importReport {
	c.t.Helper()
	a := c.do("POST", importPath+"?format="+string(f.format), f.text)
	if a.status == http.StatusOK {
		return c.readReports(a.body)
	}
	var problem struct{ Detail string }
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil || a.status != http.StatusUnprocessableEntity {
		c.t.Fatalf("import of %s: got %d %s", f.name, a.status, a.body)
	}
	return []importReport{{Type: "error", Reason: problem.Detail, ImportCounts: &ImportCounts{}}}
}

// firing counts the reminders of the account in the outbox whose time is past.
func (c *client) firing(now time.Time) (n int) {
	c.t.Helper()
	var payloads [][]byte
	if err := c.db.Gorm.Raw(`SELECT data FROM outbox WHERE key = ? AND topic = 'reminders'`, c.id).Scan(&payloads).Error; err != nil {
		c.t.Fatal(err)
	}
	for _, raw := range payloads {
		var event struct {
			RemindAt time.Time `json:"remind_at"`
		}
		if err := json.Unmarshal(raw, &event); err != nil {
			c.t.Fatal(err)
		}
		if !event.RemindAt.After(now) {
			n++
		}
	}
	return n
}

func comparableTasks(t *testing.T, body string) (out []events.TaskData) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(body))
	for dec.More() {
		var task events.TaskData
		if err := dec.Decode(&task); err != nil {
			t.Fatal(err)
		}
		out = append(out, task)
	}
	return out
}

var anyUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// withoutRandomIDs numbers the ids of a file in their order: a series has a random one.
func withoutRandomIDs(file string) string {
	ids := map[string]string{}
	return anyUUID.ReplaceAllStringFunc(file, func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(ids)+1)
		}
		return ids[id]
	})
}

// reportLines returns the reports of an import without those of its progress.
func reportLines(t *testing.T, reports []importReport) string {
	t.Helper()
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, r := range reports {
		if r.Type == "progress" {
			continue
		}
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// stored compares a text with a file of testdata.
func stored(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *updateStored {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// TestAnOwnExportFiresNothingAgain imports an export with reminders that came already.
func TestAnOwnExportFiresNothingAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.user()
	past, ahead := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	a.create(`{"title":"past","due_date":"2030-01-31","remind_at":"` + past + `"}`)
	a.create(`{"title":"past series","due_date":"2030-01-31","remind_at":"` + past + `","recurrence":{"rrule":"FREQ=DAILY"}}`)
	a.create(`{"title":"ahead","due_date":"2030-01-31","remind_at":"` + ahead + `"}`)
	for _, format := range exchange.Formats() {
		b := r.user()
		b.wantImport(string(format), a.export(string(format)), ImportCounts{Created: 3})
		if n := r.count(`SELECT count(*) FROM outbox WHERE key = ? AND topic = 'reminders'`, b.id); n != 1 || b.firing(time.Now()) != 0 {
			t.Errorf("%s: got %d reminder events and %d that fire at once, want 1 and none", format, n, b.firing(time.Now()))
		}
		kept := 0
		for _, task := range comparableTasks(t, b.export("jsonl")) {
			if task.RemindAt != nil {
				kept++
			}
		}
		if kept != 3 {
			t.Errorf("%s: got %d reminders, want all 3 kept", format, kept)
		}
	}
}
