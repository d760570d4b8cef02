package postgres

import (
	"errors"
	"strings"

	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"gorm.io/gorm"
)

// column is a column of tasks and its type.
type column struct{ name, typ string }

// columns are those that an insert and an update write, in the order of values.
var columns = []column{
	{"title", "text"}, {"description", "text"}, {"status", "text"}, {"priority", "smallint"}, {"tags", "jsonb"},
	{"due_date", "date"}, {"due_at", "timestamptz"}, {"due_instant", "timestamptz"}, {"timezone", "text"}, {"remind_at", "timestamptz"},
	{"rrule", "text"}, {"rrule_anchor", "text"}, {"rrule_zone", "text"}, {"series_id", "uuid"}, {"occurrence_no", "integer"},
	{"due_clock", "bigint"}, {"remind_clock", "bigint"}, {"position", "double precision"}, {"version", "bigint"}, {"seq", "bigint"},
	{"updated_at", "timestamptz"}, {"completed_at", "timestamptz"}, {"deleted_at", "timestamptz"},
}

var columnNames = func() []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}()

// The statements that write a task and the row of its change in the change log, one round trip to the server.
var (
	logPart   = `WITH logged AS (INSERT INTO changes (user_id, seq, event_id, event_type, task_id, task_version, payload) VALUES (?, ?, ?, ?, ?, ?, ?)) `
	insertSQL = logPart + `INSERT INTO tasks (id, user_id, created_at, ` + strings.Join(columnNames, ", ") + `) VALUES (?, ?, ?` +
		strings.Repeat(", ?", len(columns)) + `)`
	updateSQL = logPart + `UPDATE tasks SET ` + strings.Join(columnNames, " = ?, ") + ` = ? WHERE id = ? AND user_id = ?`
)

func (r taskRow) values() []any {
	return []any{
		r.Title, r.Description, string(r.Status), r.Priority, r.Tags, r.DueDate, r.DueAt, r.DueInstant, r.Timezone, r.RemindAt,
		r.RRule, r.RRuleAnchor, r.RRuleZone, r.SeriesID, r.OccurrenceNo, r.DueClock, r.RemindClock, r.Position,
		r.Version, r.Seq, r.UpdatedAt, r.CompletedAt, r.DeletedAt,
	}
}

func logValues(c publish.Change, made publish.Made) []any {
	return []any{c.Task.UserID, c.Task.Seq, made.ID, string(c.Type), c.Task.ID, c.Task.Version, string(made.Data)}
}

func insertTask(tx *gorm.DB, c publish.Change, made publish.Made) error {
	r := rowOf(c.Task)
	return execOne(tx, insertSQL, logValues(c, made), []any{r.ID, r.UserID, r.CreatedAt}, r.values())
}

func updateTask(tx *gorm.DB, c publish.Change, made publish.Made) error {
	r := rowOf(c.Task)
	return execOne(tx, updateSQL, logValues(c, made), r.values(), []any{r.ID, r.UserID})
}

// execOne runs a statement, which must write exactly one task.
func execOne(tx *gorm.DB, sql string, args ...[]any) error {
	var all []any
	for _, part := range args {
		all = append(all, part...)
	}
	res := tx.Exec(sql, all...)
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected != 1 {
		return errors.New("no row was written")
	}
	return nil
}
