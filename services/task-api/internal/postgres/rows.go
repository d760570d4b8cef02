package postgres

// This file has the only statements that write a task, its row in the change log and the answer under a key. Each
// statement has two texts, so that a connection prepares it at most twice: one text writes a single row, and the other
// unnests lists of any length.

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// column is a column of tasks and its type.
type column struct{ name, typ string }

// identityColumns are the columns that no statement changes after the insert.
var identityColumns = []column{{"id", "uuid"}, {"user_id", "uuid"}, {"created_at", "timestamptz"}}

// columns are the columns that a change may write, in the order of taskRow.values.
var columns = []column{
	{"title", "text"}, {"description", "text"}, {"status", "text"}, {"priority", "smallint"}, {"tags", "jsonb"},
	{"start_date", "date"}, {"start_at", "timestamptz"}, {"due_date", "date"}, {"due_at", "timestamptz"}, {"due_instant", "timestamptz"}, {"timezone", "text"}, {"remind_at", "timestamptz"},
	{"rrule", "text"}, {"rrule_anchor", "text"}, {"rrule_zone", "text"}, {"rrule_zone_given", "boolean"}, {"rrule_catch_up", "text"},
	{"rrule_exdates", "jsonb"}, {"series_id", "uuid"}, {"occurrence_no", "integer"}, {"series_ends", "boolean"},
	{"series_pattern", "jsonb"}, {"engine_version", "bigint"}, {"start_clock", "bigint"}, {"due_clock", "bigint"}, {"remind_clock", "bigint"}, {"position", "double precision"}, {"version", "bigint"}, {"seq", "bigint"},
	{"updated_at", "timestamptz"}, {"completed_at", "timestamptz"}, {"deleted_at", "timestamptz"},
}

// searchColumns are the version of which the search terms are made, and the terms as text.
var searchColumns = []column{{"folded", "bigint"}, {"search", "text"}}

// inserted are the columns of a new task.
var inserted = slices.Concat(identityColumns, columns, searchColumns)

// changed are the columns that an UPDATE needs. It finds the row by id and user.
var changed = slices.Concat(identityColumns[:2], columns, searchColumns)

var (
	changeColumns = []column{{"user_id", "uuid"}, {"seq", "bigint"}, {"event_id", "uuid"}, {"event_type", "text"}, {"task_id", "uuid"}, {"task_version", "bigint"}, {"payload", "text"}}
	keyColumns    = []column{{"user_id", "uuid"}, {"key", "text"}, {"request_hash", "bytea"}, {"answer", "text"}}
)

func names(list []column) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.name
	}
	return out
}

// template is a statement that writes rows, as a text for one row and a text for many.
type template struct{ one, many string }

// newTemplate makes both texts of a statement. The texts differ in the FROM item that supplies the rows.
func newTemplate(alias string, columns []column, text func(from, columns string) string) template {
	values, lists := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		p := "$" + strconv.Itoa(i+1) + "::" + c.typ
		values[i], lists[i] = p, p+"[]"
	}
	all := strings.Join(names(columns), ", ")
	as := " AS " + alias + " (" + all + ")"
	return template{
		one:  text("(VALUES ("+strings.Join(values, ", ")+"))"+as, all),
		many: text("unnest("+strings.Join(lists, ", ")+")"+as, all),
	}
}

func insertInto(table string) func(from, columns string) string {
	return func(from, columns string) string {
		return "INSERT INTO " + table + " (" + columns + ") SELECT " + columns + " FROM " + from
	}
}

var (
	insertChanges = newTemplate("t", changeColumns, insertInto("changes"))
	insertKeys    = newTemplate("t", keyColumns, insertInto("idempotency_keys"))
	expireKeys    = newTemplate("a", keyColumns[:2], func(from, _ string) string {
		return "DELETE FROM idempotency_keys k USING " + from + " WHERE k.user_id = a.user_id AND k.key = a.key"
	})
	insertTasks = newTemplate("t", inserted, func(from, columns string) string {
		return "INSERT INTO tasks (" + columns + ") SELECT " + strings.TrimSuffix(columns, "search") + "CAST(search AS tsvector) FROM " + from
	})
	// updateTasks fails with a division by zero when it did not find every row. Under the user's lock this cannot happen.
	// If it happens, the transaction must fail, because it contains the events of the change.
	updateTasks = newTemplate("c", changed, func(from, _ string) string {
		set := make([]string, len(columns))
		for i, c := range columns {
			set[i] = c.name + " = c." + c.name
		}
		rows := "1"
		if strings.HasPrefix(from, "unnest") {
			rows = "cardinality($1)"
		}
		return `WITH changed AS (
			UPDATE tasks t SET ` + strings.Join(set, ", ") + `, folded = c.folded, search = CAST(c.search AS tsvector) FROM ` + from + `
			WHERE t.id = c.id AND t.user_id = c.user_id RETURNING 1
		) SELECT 1 / (count(*) = ` + rows + `)::int FROM changed`
	})
)

// with returns the statement that writes rows, or nil when there are no rows.
func (t template) with(rows [][]any) []statement {
	switch len(rows) {
	case 0:
		return nil
	case 1:
		return []statement{{t.one, rows[0]}}
	}
	args := make([]any, len(rows[0]))
	cells := make([]any, len(rows)*len(args))
	for i := range args {
		list := cells[i*len(rows) : (i+1)*len(rows) : (i+1)*len(rows)]
		for n, row := range rows {
			list[n] = row[i]
		}
		args[i] = list
	}
	return []statement{{t.many, args}}
}

// changeStatements returns the statements that write all changes to the change log and the last state of each task.
func changeStatements(changes []tasks.Change) []statement {
	log := make([][]any, len(changes))
	var fresh, stored [][]any
	last, isNew := lastOf(changes)
	for i, c := range changes {
		// MustParse cannot fail: this transaction generated the ids or read them from uuid columns.
		user, task := bytes(uuid.MustParse(c.Task.UserID)), bytes(uuid.MustParse(c.Task.ID))
		log[i] = []any{user, c.Task.Seq, bytes(uuid.MustParse(c.EventID)), string(c.Type), task, c.Task.Version, string(c.Payload)}
		if last != nil && last[keyOf(c)] != i {
			continue
		}
		row := rowOf(c.Task)
		searched := []any{row.Version, row.searchTerms()}
		if c.New || isNew[keyOf(c)] {
			fresh = append(fresh, slices.Concat([]any{task, user, row.CreatedAt}, row.values(), searched))
		} else {
			stored = append(stored, slices.Concat([]any{task, user}, row.values(), searched))
		}
	}
	return slices.Concat(insertChanges.with(log), insertTasks.with(fresh), updateTasks.with(stored))
}

// taskKey identifies a task in a transaction. Two users may give new tasks the same id; the database then refuses the second.
type taskKey struct{ user, id string }

func keyOf(c tasks.Change) taskKey { return taskKey{c.Task.UserID, c.Task.ID} }

// lastOf returns the index of the last change of each task, and which tasks are new. Both are nil for a single change.
func lastOf(changes []tasks.Change) (last map[taskKey]int, isNew map[taskKey]bool) {
	if len(changes) == 1 {
		return nil, nil
	}
	last, isNew = make(map[taskKey]int, len(changes)), map[taskKey]bool{}
	for i, c := range changes {
		if last[keyOf(c)] = i; c.New {
			isNew[keyOf(c)] = true
		}
	}
	return last, isNew
}

// keyStatements returns the statements that remove expired answers and then insert the new answers.
func keyStatements(keys []tasks.KeptKey) []statement {
	var kept, expired [][]any
	for _, k := range keys {
		kept = append(kept, []any{bytes(k.User), k.Key.Key, k.Key.Hash[:], k.Answer})
		if k.Replaces {
			expired = append(expired, kept[len(kept)-1][:2])
		}
	}
	return append(expireKeys.with(expired), insertKeys.with(kept)...)
}

// bytes returns an id in a form that the driver encodes as bytes. From a string, the driver first tries to encode bytes,
// fails, and then sends text.
func bytes(id uuid.UUID) [16]byte { return id }
