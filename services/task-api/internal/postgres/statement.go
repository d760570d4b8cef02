package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"gorm.io/gorm"
)

// statement writes all rows of one change in one statement, one round trip to the server: each part but the last is a
// WITH of it.
type statement struct {
	with []string
	main string
	args []any
}

func newStatement() *statement { return &statement{args: make([]any, 0, 40)} }

// logChange adds the row of the change log.
func (w *statement) logChange(c publish.Change, made publish.Made) {
	w.with = append(w.with, `logged AS (INSERT INTO changes (user_id, seq, event_id, event_type, task_id, task_version, payload) VALUES (?, ?, ?, ?, ?, ?, ?))`)
	w.args = append(w.args, c.Task.UserID, c.Task.Seq, made.ID, string(c.Type), c.Task.ID, c.Task.Version, string(made.Data))
}

// keepAnswer adds the row that answers the request when it is repeated with its key.
func (w *statement) keepAnswer(key IdempotencyKey, t events.TaskData) error {
	answer, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("keep answer of task %s: %w", t.ID, err)
	}
	w.with = append(w.with, `kept AS (INSERT INTO idempotency_keys (user_id, key, request_hash, answer) VALUES (?, ?, ?, ?))`)
	w.args = append(w.args, t.UserID, key.Key, key.Hash[:], string(answer))
	return nil
}

// columns are those that an insert and an update write, in the order of values.
var columns = []string{
	"title", "description", "status", "priority", "tags", "due_date", "due_at", "due_instant", "timezone", "remind_at",
	"rrule", "rrule_anchor", "rrule_zone", "series_id", "occurrence_no", "due_clock", "remind_clock", "position",
	"version", "seq", "updated_at", "completed_at", "deleted_at",
}

var (
	insertSQL = `INSERT INTO tasks (id, user_id, created_at, ` + strings.Join(columns, ", ") + `) VALUES (?, ?, ?` +
		strings.Repeat(", ?", len(columns)) + `)`
	updateSQL = `UPDATE tasks SET ` + strings.Join(columns, " = ?, ") + ` = ? WHERE id = ? AND user_id = ?`
)

func (r taskRow) values() []any {
	return []any{
		r.Title, r.Description, string(r.Status), r.Priority, r.Tags, r.DueDate, r.DueAt, r.DueInstant, r.Timezone, r.RemindAt,
		r.RRule, r.RRuleAnchor, r.RRuleZone, r.SeriesID, r.OccurrenceNo, r.DueClock, r.RemindClock, r.Position,
		r.Version, r.Seq, r.UpdatedAt, r.CompletedAt, r.DeletedAt,
	}
}

func (w *statement) insertTask(r taskRow) {
	w.main = insertSQL
	w.args = append(append(w.args, r.ID, r.UserID, r.CreatedAt), r.values()...)
}

func (w *statement) updateTask(r taskRow) {
	w.main = updateSQL
	w.args = append(append(w.args, r.values()...), r.ID, r.UserID)
}

func (w *statement) text() string { return "WITH " + strings.Join(w.with, ", ") + " " + w.main }

// numbered is the statement with $1, $2, … for its parameters.
func (w *statement) numbered() string {
	parts := strings.Split(w.text(), "?")
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i < len(parts)-1 {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(i + 1))
		}
	}
	return b.String()
}

// exec runs the statement, which must write exactly one task.
func (w *statement) exec(tx *gorm.DB) error {
	res := tx.Exec(w.text(), w.args...)
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected != 1 {
		return errors.New("no row was written")
	}
	return nil
}
