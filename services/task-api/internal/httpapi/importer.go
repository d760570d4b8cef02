package httpapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/apierror"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/exchange"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// This file decides which id an imported task gets, and when a batch of them is written.

const (
	// importBatch is how many tasks one transaction writes: few enough that other writes of the user wait only tens of
	// milliseconds.
	importBatch = 200
	// importBatchBytes bounds the memory of a batch of long tasks, by the length of their entries in the file.
	importBatchBytes = 1 << 20
	// importReports bounds the reports that wait for the end of their batch.
	importReports = 1000
	// maxImportTasks bounds importer.seen, which counts equal tasks without an id.
	maxImportTasks = 200_000
)

// importer creates the tasks of a file. It derives the id of a task from the user, the format and the task's id in the file. For
// a task without an id it uses the content and the number of equal tasks before it. So the same file gives the same ids, and a
// repeated import creates only the tasks that do not exist yet, however the first import ended. A task that the user has
// deleted since still exists as a tombstone.
type importer struct {
	tasks  Tasks
	userID uuid.UUID
	format exchange.Format
	reader exchange.Reader
	out    *reportStream

	counts ImportCounts
	read   int
	seen   map[[32]byte]int // equal tasks without an id, by the SHA-256 of their content
	batch  []exchange.Item
	bytes  int
	report []importReport
}

// run imports the file. Tasks before an error in the file are written and reported before run returns the error.
func (i *importer) run(ctx context.Context) error {
	for {
		item, err := i.reader.Next()
		var refused *exchange.Refused
		var skipped *exchange.Skipped
		switch {
		case err == nil:
			if i.read++; i.read > maxImportTasks {
				return i.flushed(ctx, httpx.Unprocessable("", "The file has more than 200,000 tasks. Split it."))
			}
			i.batch, i.bytes = append(i.batch, item), i.bytes+len(item.Content)
		case errors.As(err, &refused):
			i.counts.Refused++
			i.report = append(i.report, importReport{Type: "refused", Line: refused.Line, Field: refused.Field, Reason: refused.Reason})
		case errors.As(err, &skipped):
			i.counts.Skipped++
			i.report = append(i.report, importReport{Type: "skipped", Line: skipped.Line, Field: skipped.Field, Reason: skipped.Reason})
		case errors.Is(err, io.EOF):
			return i.flush(ctx)
		default:
			return i.flushed(ctx, err)
		}
		if len(i.batch) >= importBatch || i.bytes >= importBatchBytes || len(i.report) >= importReports {
			if err := i.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// flushed writes the tasks that were read before err, and returns err. For a body that is too slow, net/http has cancelled the
// request's context, although the client still waits for the answer. flushed then uses a new time limit.
func (i *importer) flushed(ctx context.Context, err error) error {
	if tooSlow(err) {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer done()
	}
	if failed := i.flush(ctx); failed != nil {
		return failed
	}
	return err
}

// flush writes the batch, and then its reports in the order of the file.
func (i *importer) flush(ctx context.Context) error {
	if len(i.batch)+len(i.report) == 0 {
		return nil
	}
	ops := make([]tasks.Op, len(i.batch))
	for n, item := range i.batch {
		ops[n] = i.op(item)
	}
	answer, err := i.tasks.Batch(ctx, tasks.BatchRequest{UserID: i.userID.String(), Ops: ops})
	if err != nil {
		return apierror.Of(err)
	}
	for n, r := range answer.Results {
		i.account(ctx, i.batch[n], r)
	}
	slices.SortStableFunc(i.report, func(a, b importReport) int { return a.Line - b.Line })
	for _, r := range i.report {
		if err := i.out.write(r); err != nil {
			return err
		}
	}
	i.batch, i.bytes, i.report = i.batch[:0], 0, i.report[:0]
	counts := i.counts
	return i.out.write(importReport{Type: "progress", ImportCounts: &counts})
}

// account counts and reports the outcome of one task.
func (i *importer) account(ctx context.Context, item exchange.Item, r tasks.OpResult) {
	switch {
	case r.Err != nil:
		i.counts.Refused++
		p := httpx.ProblemOf(ctx, apierror.Of(r.Err))
		if len(p.Errors) == 0 {
			i.report = append(i.report, importReport{Type: "refused", Line: item.Line, Reason: p.Detail})
		}
		for _, f := range p.Errors {
			i.report = append(i.report, importReport{Type: "refused", Line: item.Line, Field: f.Field, Reason: f.Message})
		}
	case r.Made:
		i.counts.Created++
		for _, note := range item.Notes {
			i.counts.Notes++
			i.report = append(i.report, importReport{Type: "note", Line: note.Line, Field: note.Field, Reason: note.Reason})
		}
	default:
		i.counts.Present++
	}
}

// op returns the operation that creates a task if it does not exist.
func (i *importer) op(item exchange.Item) tasks.Op {
	fields, err := domain.ParseFields(item.Fields)
	if err != nil {
		return tasks.Op{Err: err}
	}
	origin := domain.Origin{OccurrenceNo: item.Occurrence, CreatedAt: item.CreatedAt, CompletedAt: item.CompletedAt, Clocks: item.Clocks, PatternClocks: item.PatternClocks}
	if origin.Pattern, err = domain.ParseFields(item.Pattern); err != nil {
		return tasks.Op{Err: err}
	}
	if item.Series != "" {
		origin.SeriesID = i.id("series", item.Series)
	}
	op := tasks.Op{
		TaskID: i.id("task", i.source(item)), Position: tasks.PositionOf(fields),
		Create: func(id, userID string, d domain.Defaults) (domain.Task, error) {
			return domain.Import(id, userID, fields, origin, d)
		},
	}
	if own, err := uuid.Parse(item.Source); err == nil {
		op.Alias = own.String() // the file may be an export of this account
	}
	return op
}

// source returns a name for a task that is unique in the file.
func (i *importer) source(item exchange.Item) string {
	if item.Source != "" {
		return "id\x00" + item.Source
	}
	sum := sha256.Sum256([]byte(item.Content))
	i.seen[sum]++
	return "content\x00" + string(sum[:]) + "\x00" + strconv.Itoa(i.seen[sum])
}

// id returns the UUIDv5 for a name. It differs between users, formats and kinds.
func (i *importer) id(kind, name string) string {
	return uuid.NewSHA1(i.userID, []byte("import\x00"+string(i.format)+"\x00"+kind+"\x00"+name)).String()
}
