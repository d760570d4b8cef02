package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
)

// imported is the outcome of the import of one file: its tasks and its report.
type imported struct {
	entries []entry
	tasks   []importedTask
	reports []exchange.Note
	end     error // of the reader, if it is not io.EOF
}

type importedTask struct {
	domain.Task
	line int
}

const (
	casesAccount = "01890a5d-ac96-774b-bcce-b302099a8058"
	// mostItems is more than any case file has.
	mostItems = 10_000
)

// importFile imports a file as httpapi does: with the same ids for the same entries, and with notes only for the tasks that are
// made.
func importFile(t *testing.T, file string) *imported {
	t.Helper()
	raw := caseFile(t, file)
	reader, err := exchange.NewReader(caseFormat(file), bytes.NewReader(raw), exchange.Options{Zone: casesZone, Now: casesNow})
	if err != nil {
		t.Fatal(err)
	}
	got, seen := &imported{entries: entriesOf(t, file, raw)}, map[string]int{}
	for range mostItems {
		item, err := reader.Next()
		var refused *exchange.Refused
		var skipped *exchange.Skipped
		switch {
		case err == nil:
			got.take(item, seen)
		case errors.As(err, &refused):
			got.reports = append(got.reports, exchange.Note(*refused))
		case errors.As(err, &skipped):
			got.reports = append(got.reports, exchange.Note(*skipped))
		case errors.Is(err, io.EOF):
			return got
		default:
			got.end = err
			return got
		}
	}
	t.Fatal("the reader does not end")
	return nil
}

func (i *imported) take(item exchange.Item, seen map[string]int) {
	source := "id " + item.Source
	if item.Source == "" {
		source = "content " + item.Content
	}
	seen[source]++
	if item.Source != "" && seen[source] > 1 {
		return // the task is there already
	}
	fields, err := domain.ParseFields(item.Fields)
	var task domain.Task
	if err == nil {
		origin := domain.Origin{OccurrenceNo: item.Occurrence, CreatedAt: item.CreatedAt, CompletedAt: item.CompletedAt, Clocks: item.Clocks}
		if item.Series != "" {
			origin.SeriesID = uuid.NewSHA1(uuid.Nil, []byte(item.Series)).String()
		}
		task, err = domain.Import(uuid.NewString(), casesAccount, fields, origin, domain.Defaults{Timezone: casesZone, Now: casesNow})
	}
	if err != nil {
		var invalid *domain.Invalid
		if errors.As(err, &invalid) {
			for _, f := range invalid.Fields {
				i.reports = append(i.reports, exchange.Note{Line: item.Line, Field: f.Field, Reason: f.Message})
			}
			return
		}
		i.reports = append(i.reports, exchange.Note{Line: item.Line, Reason: err.Error()})
		return
	}
	i.reports = append(i.reports, item.Notes...)
	i.tasks = append(i.tasks, importedTask{task, item.Line})
}

// of returns the tasks and the reports whose lines are in the entry.
func (i *imported) of(e entry) (tasks []importedTask, reports []exchange.Note) {
	for _, t := range i.tasks {
		if e.has(t.line) {
			tasks = append(tasks, t)
		}
	}
	for _, r := range i.reports {
		if e.has(r.Line) {
			reports = append(reports, r)
		}
	}
	return tasks, reports
}

var lineInText = regexp.MustCompile(`line (\d+)`)

// endsIn reports whether the reader ended with an error that names a line of the entry.
func (i *imported) endsIn(e entry) bool {
	if i.end == nil {
		return false
	}
	m := lineInText.FindStringSubmatch(i.end.Error())
	if m == nil {
		return false
	}
	n, err := strconv.Atoi(m[1])
	return err == nil && e.has(n)
}
