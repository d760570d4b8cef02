package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// batch is the state of the user's tasks during a batch.
type batch struct {
	s      *Store
	ctx    context.Context //nolint:containedctx // lives as long as the call it belongs to
	tx     *outbox.Tx
	userID string
	zone   string
	first  int64                  // the seq that the lock took
	seq    int64                  // the last one given out
	tasks  map[string]domain.Task // those that operations name, as they are by now
	logged []written
}

// written is one change that is to be written.
type written struct {
	task    domain.Task
	kind    events.Type
	eventID string
	payload string
}

// newBatch takes the user's lock and reads the tasks that the operations name, in one statement.
func (s *Store) newBatch(ctx context.Context, tx *outbox.Tx, r BatchRequest) (*batch, error) {
	user, err := nextSeq(tx.DB, r.UserID)
	if err != nil {
		return nil, err
	}
	b := &batch{s: s, ctx: ctx, tx: tx, userID: r.UserID, zone: user.Timezone, first: user.Seq, seq: user.Seq - 1, tasks: map[string]domain.Task{}}
	var ids []string
	for _, op := range r.Ops {
		for _, id := range []string{op.TaskID, op.Alias} {
			if id != "" && op.Err == nil {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return b, nil
	}
	var rows []taskRow
	if err := tx.Select(taskColumns).Where("user_id = ? AND id IN ?", r.UserID, ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read tasks of batch: %w", err)
	}
	for _, row := range rows {
		b.tasks[row.ID] = row.task()
	}
	return b, nil
}

func (b *batch) defaults(before domain.Task) domain.Defaults {
	return domain.Defaults{Timezone: b.zone, Now: notBefore(b.s.now(), before.UpdatedAt)}
}

// made makes the events of a change. refused is an event that breaks a rule of package events, which ends the
// operation but not the batch.
func (b *batch) made(before *domain.Task, t domain.Task, kind events.Type, changes []events.Change) (w written, refused, err error) {
	e, err := b.s.publish(b.ctx, b.tx, before, publish.Change{Task: t, Type: kind, Changes: changes, Actor: b.userID})
	var invalid *events.ValidationError
	if errors.As(err, &invalid) {
		return written{}, err, nil
	}
	return written{task: t, kind: kind, eventID: e.ID, payload: string(e.Data)}, nil, err
}

// take makes the changes of an operation the state that the next one sees.
func (b *batch) take(step []written) {
	for _, w := range step {
		b.tasks[w.task.ID], b.seq = w.task, w.task.Seq
		b.logged = append(b.logged, w)
	}
}

// writeAlone writes one operation within a savepoint, and gives it up when the database refuses it.
func (b *batch) writeAlone(step []written) (refused, err error) {
	if err := b.tx.Exec("SAVEPOINT operation").Error; err != nil {
		return nil, fmt.Errorf("begin operation: %w", err)
	}
	switch err := b.write(step); {
	case err == nil:
		return nil, b.tx.Exec("RELEASE SAVEPOINT operation").Error
	case pg.IsRefused(err):
		if err := b.tx.Exec("ROLLBACK TO SAVEPOINT operation").Error; err != nil {
			return nil, fmt.Errorf("take operation back: %w", err)
		}
		if pg.IsUniqueViolation(err, "tasks_occurrence") {
			return domain.ErrOccurrenceTaken, nil
		}
		return fmt.Errorf("%w: %w", ErrRefused, err), nil
	default:
		return nil, err
	}
}

// end writes what was done and sets the user's seq. The lock took one number: none, one or many were used.
func (b *batch) end(careful bool) error {
	if !careful {
		if err := b.write(b.logged); err != nil {
			return err
		}
	}
	if b.seq == b.first {
		return nil
	}
	if err := b.tx.Exec(`UPDATE heads SET seq = ? WHERE user_id = ?`, b.seq, b.userID).Error; err != nil {
		return fmt.Errorf("set seq of user %s: %w", b.userID, err)
	}
	return nil
}

// upsertSQL writes tasks as they are now, new or not. The tasks come as one JSON list, so the text is the same for any
// number of them. Nobody else writes them meanwhile: the user's lock is held.
var upsertSQL = func() string {
	all := "id, user_id, created_at, " + strings.Join(columnNames, ", ")
	set := make([]string, len(columns))
	for i, c := range columnNames {
		set[i] = c + " = excluded." + c
	}
	return `INSERT INTO tasks (` + all + `) SELECT ` + all + ` FROM json_populate_recordset(NULL::tasks, $1)
		ON CONFLICT (id) DO UPDATE SET ` + strings.Join(set, ", ") + ` WHERE tasks.user_id = excluded.user_id`
}()

const logSQL = `INSERT INTO changes (user_id, seq, event_id, event_type, task_id, task_version, payload)
	SELECT $1, seq, event_id, event_type, task_id, task_version, payload
	FROM unnest($2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::bigint[], $7::text[])
		AS c (seq, event_id, event_type, task_id, task_version, payload)`

// write writes changes: the last state of each task, and all rows of the change log.
func (b *batch) write(list []written) error {
	if len(list) == 0 {
		return nil
	}
	last := map[string]int{}
	var seqs, versions []int64
	var eventIDs, kinds, taskIDs, payloads []string
	for i, w := range list {
		last[w.task.ID] = i
		seqs, versions = append(seqs, w.task.Seq), append(versions, w.task.Version)
		eventIDs, kinds, taskIDs, payloads = append(eventIDs, w.eventID), append(kinds, string(w.kind)), append(taskIDs, w.task.ID), append(payloads, w.payload)
	}
	var rows []map[string]any
	for i, w := range list {
		if last[w.task.ID] != i {
			continue
		}
		r := rowOf(w.task)
		row := map[string]any{"id": r.ID, "user_id": r.UserID, "created_at": r.CreatedAt}
		for n, v := range r.values() {
			if tags, ok := v.(tagList); ok && tags == nil {
				v = tagList{}
			}
			row[columnNames[n]] = v
		}
		rows = append(rows, row)
	}
	body, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("write tasks of batch: %w", err)
	}
	// Past gorm's statement building, which takes arrays apart.
	conn := b.tx.Statement.ConnPool
	res, err := conn.ExecContext(b.ctx, upsertSQL, string(body))
	if err != nil {
		return fmt.Errorf("write tasks of batch: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != int64(len(rows)) {
		return fmt.Errorf("write tasks of batch: %d rows of %d were written (%v)", n, len(rows), err) //nolint:errorlint // may be nil
	}
	if _, err := conn.ExecContext(b.ctx, logSQL, b.userID, seqs, eventIDs, kinds, taskIDs, versions, payloads); err != nil {
		return fmt.Errorf("write change log of batch: %w", err)
	}
	return nil
}
