package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// This file has the only statements that write a task, its row in the change log and the answers under keys. Each takes
// lists for unnest, so one text, prepared once a connection, serves any number of rows.

// column is a column of tasks and its type.
type column struct{ name, typ string }

// keyColumns do not change after the insert.
var identityColumns = []column{{"id", "uuid"}, {"user_id", "uuid"}, {"created_at", "timestamptz"}}

// columns are those that a change may write, in the order of taskRow.values.
var columns = []column{
	{"title", "text"}, {"description", "text"}, {"status", "text"}, {"priority", "smallint"}, {"tags", "jsonb"},
	{"due_date", "date"}, {"due_at", "timestamptz"}, {"due_instant", "timestamptz"}, {"timezone", "text"}, {"remind_at", "timestamptz"},
	{"rrule", "text"}, {"rrule_anchor", "text"}, {"rrule_zone", "text"}, {"series_id", "uuid"}, {"occurrence_no", "integer"},
	{"due_clock", "bigint"}, {"remind_clock", "bigint"}, {"position", "double precision"}, {"version", "bigint"}, {"seq", "bigint"},
	{"updated_at", "timestamptz"}, {"completed_at", "timestamptz"}, {"deleted_at", "timestamptz"},
}

// inserted are the columns of a new task. The search terms come as text, and as null where the trigger makes them.
var inserted = slices.Concat(identityColumns, columns, []column{{"search", "text"}})

// changed are the columns that an UPDATE needs: it finds the row by id and user.
var changed = slices.Concat(identityColumns[:2], columns)

func names(list []column) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.name
	}
	return out
}

// unnested is a FROM item with a row for each element of the parameters $1, $2, …
func unnested(alias string, list []column) string {
	from := make([]string, len(list))
	for i, c := range list {
		from[i] = "$" + strconv.Itoa(i+1) + "::" + c.typ + "[]"
	}
	return "unnest(" + strings.Join(from, ", ") + ") AS " + alias + " (" + strings.Join(names(list), ", ") + ")"
}

var (
	insertTasks = func() string {
		all := strings.Join(names(inserted), ", ")
		return `INSERT INTO tasks (` + all + `) SELECT ` + strings.TrimSuffix(all, "search") + `CAST(search AS tsvector) FROM ` + unnested("t", inserted)
	}()
	// updateTasks fails, by a division by zero, if not every row was there to be changed. It cannot happen under the
	// user's lock, and must not pass in silence if it does: the events are in the same transaction.
	updateTasks = func() string {
		set := make([]string, len(columns))
		for i, c := range columns {
			set[i] = c.name + " = c." + c.name
		}
		return `WITH changed AS (
			UPDATE tasks t SET ` + strings.Join(set, ", ") + ` FROM ` + unnested("c", changed) + `
			WHERE t.id = c.id AND t.user_id = c.user_id RETURNING 1
		) SELECT 1 / (count(*) = cardinality($1))::int FROM changed`
	}()
	insertChanges = `INSERT INTO changes (user_id, seq, event_id, event_type, task_id, task_version, payload)
		SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::bigint[], $7::text[])`
	insertKeys = `INSERT INTO idempotency_keys (user_id, key, request_hash, answer)
		SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[])`
	expireKeys = `DELETE FROM idempotency_keys k USING unnest($1::uuid[], $2::text[]) AS a (user_id, key)
		WHERE k.user_id = a.user_id AND k.key = a.key`
)

// changeStatements write all changes to the change log, and the last state of each task.
func changeStatements(changes []tasks.Change) []statement {
	if len(changes) == 0 {
		return nil
	}
	n := len(changes)
	users, eventIDs, taskIDs := make([][16]byte, n), make([][16]byte, n), make([][16]byte, n)
	kinds, payloads := make([]string, n), make([]string, n)
	seqs, versions := make([]int64, n), make([]int64, n)
	var fresh, stored table
	for i, c := range changes {
		// The ids were made, or read, in this transaction.
		users[i], eventIDs[i], taskIDs[i] = uuid.MustParse(c.Task.UserID), uuid.MustParse(c.EventID), uuid.MustParse(c.Task.ID)
		kinds[i], payloads[i], seqs[i], versions[i] = string(c.Type), string(c.Payload), c.Task.Seq, c.Task.Version
	}
	last, isNew := lastOf(changes)
	for i, c := range changes {
		if last != nil && last[c.Task.ID] != i {
			continue
		}
		row := rowOf(c.Task)
		if c.New || isNew[c.Task.ID] {
			fresh.add(n-i, []any{taskIDs[i], users[i], row.CreatedAt}, row.values(), []any{row.searchTerms()})
		} else {
			stored.add(n-i, []any{taskIDs[i], users[i]}, row.values())
		}
	}
	out := []statement{{insertChanges, []any{users, seqs, eventIDs, kinds, taskIDs, versions, payloads}}}
	if fresh.rows > 0 {
		out = append(out, statement{insertTasks, fresh.args()})
	}
	if stored.rows > 0 {
		out = append(out, statement{updateTasks, stored.args()})
	}
	return out
}

// lastOf returns where the last change of each task is, and which tasks are new. Both are nil for one change.
func lastOf(changes []tasks.Change) (last map[string]int, isNew map[string]bool) {
	if len(changes) == 1 {
		return nil, nil
	}
	last, isNew = make(map[string]int, len(changes)), map[string]bool{}
	for i, c := range changes {
		if last[c.Task.ID] = i; c.New {
			isNew[c.Task.ID] = true
		}
	}
	return last, isNew
}

func keyStatements(keys []tasks.KeptKey) []statement {
	if len(keys) == 0 {
		return nil
	}
	var users [][16]byte
	var names, answers []string
	var hashes [][]byte
	expired := false
	for _, k := range keys {
		users, names, hashes, answers = append(users, k.User), append(names, k.Key.Key), append(hashes, k.Key.Hash[:]), append(answers, k.Answer)
		expired = expired || k.Replaces
	}
	var out []statement
	if expired {
		out = append(out, statement{expireKeys, []any{users, names}})
	}
	return append(out, statement{insertKeys, []any{users, names, hashes, answers}})
}

// table is rows turned on their side: a list for each column.
type table struct {
	lists [][]any
	rows  int
}

// add adds a row that is given in parts. The first call makes room for the given number of rows.
func (t *table) add(room int, parts ...[]any) {
	row := slices.Concat(parts...)
	if t.lists == nil {
		t.lists = make([][]any, len(row))
		cells := make([]any, room*len(row))
		for i := range t.lists {
			t.lists[i] = cells[i*room : i*room : (i+1)*room]
		}
	}
	for i, v := range row {
		t.lists[i] = append(t.lists[i], v)
	}
	t.rows++
}

func (t *table) args() []any {
	args := make([]any, len(t.lists))
	for i, list := range t.lists {
		args[i] = list
	}
	return args
}
