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

const (
	// importBatch tasks are one transaction: few enough that the user's other writes wait some ten milliseconds.
	importBatch = 200
	// importBatchBytes bounds the memory of a batch of long tasks.
	importBatchBytes = 1 << 20
	// importReports bounds those that wait for their batch.
	importReports = 1000
	// maxImportTasks bounds what is remembered of tasks without an id, to tell the second of two equal ones.
	maxImportTasks = 200_000
)

// importer takes the tasks of a file over. The id of each is made of the user, the format and the task's id in the file
// (or its content, and how many equal ones came before): whoever imports a file again, after whatever end of the first
// time, makes only what is not there. A task that the user deleted since is there, as a tombstone.
type importer struct {
	tasks  Tasks
	userID uuid.UUID
	format exchange.Format
	reader exchange.Reader
	out    *reportStream

	counts ImportCounts
	read   int
	seen   map[[32]byte]int
	batch  []exchange.Item
	bytes  int
	report []importReport
}

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

// flushed takes over what was read before the import ends with err. Of a body that was too slow, net/http has ended the
// request's context; its client is still there to be answered.
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

// flush writes the batch and then reports on it, in the order of the file.
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

func (i *importer) op(item exchange.Item) tasks.Op {
	fields, err := domain.ParseFields(item.Fields)
	if err != nil {
		return tasks.Op{Err: err}
	}
	origin := domain.Origin{OccurrenceNo: item.Occurrence, CreatedAt: item.CreatedAt, CompletedAt: item.CompletedAt}
	if item.Series != "" {
		origin.SeriesID = i.id("series", item.Series)
	}
	op := tasks.Op{
		TaskID: i.id("task", i.source(item)),
		Create: func(id, userID string, d domain.Defaults) (domain.Task, error) {
			return domain.Import(id, userID, fields, origin, d)
		},
	}
	if own, err := uuid.Parse(item.Source); err == nil {
		op.Alias = own.String() // the file may be an export of this account
	}
	return op
}

// source is what stands for a task of the file.
func (i *importer) source(item exchange.Item) string {
	if item.Source != "" {
		return "id\x00" + item.Source
	}
	sum := sha256.Sum256([]byte(item.Content))
	i.seen[sum]++
	return "content\x00" + string(sum[:]) + "\x00" + strconv.Itoa(i.seen[sum])
}

func (i *importer) id(kind, name string) string {
	return uuid.NewSHA1(i.userID, []byte("import\x00"+string(i.format)+"\x00"+kind+"\x00"+name)).String()
}
