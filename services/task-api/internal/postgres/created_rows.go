package postgres

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// createdRows are the rows of new tasks, of their changes and of the keys of their requests, turned on their side for
// unnest: one statement text, prepared once a connection, for any number of them. Ids are bytes, because that is how
// they travel: the driver tries to make bytes of a text first, and then sends the text.
type createdRows struct {
	tasks   [][]any // one list for each of createdColumns
	changes changeColumns
	keys    keyColumns
}

type changeColumns struct {
	users, ids, tasks [][16]byte
	kinds, payloads   []string
	seqs, versions    []int64
}

type keyColumns struct {
	users         [][16]byte
	keys, answers []string
	hashes        [][]byte
	expired       bool // there may be old rows of these keys
}

// createdColumns are the columns of a new task and their types. The terms of a search come as text, and null where they
// are the trigger's to make.
var createdColumns = slices.Concat([]column{{"id", "uuid"}, {"user_id", "uuid"}, {"created_at", "timestamptz"}}, columns, []column{{"search", "text"}})

var (
	createTasks = func() string {
		names, from := make([]string, len(createdColumns)), make([]string, len(createdColumns))
		for i, c := range createdColumns {
			names[i], from[i] = c.name, "$"+strconv.Itoa(i+1)+"::"+c.typ+"[]"
		}
		all := strings.Join(names, ", ")
		return `INSERT INTO tasks (` + all + `) SELECT ` + strings.TrimSuffix(all, "search") + `CAST(search AS tsvector)
			FROM unnest(` + strings.Join(from, ", ") + `) AS t (` + all + `)`
	}()
	createChanges = `INSERT INTO changes (user_id, seq, event_id, event_type, task_id, task_version, payload)
		SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::uuid[], $6::bigint[], $7::text[])`
	createKeys = `INSERT INTO idempotency_keys (user_id, key, request_hash, answer)
		SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[])`
	expireKeys = `DELETE FROM idempotency_keys k USING unnest($1::uuid[], $2::text[]) AS a (user_id, key)
		WHERE k.user_id = a.user_id AND k.key = a.key`
)

func newRows(n int) *createdRows {
	r := &createdRows{tasks: make([][]any, len(createdColumns))}
	cells := make([]any, n*len(createdColumns))
	for i := range r.tasks {
		r.tasks[i] = cells[i*n : i*n : (i+1)*n]
	}
	return r
}

func (r *createdRows) empty() bool { return len(r.changes.ids) == 0 }

func (r *createdRows) add(c *creation, t domain.Task, made publish.Made) error {
	event, err := uuid.Parse(made.ID)
	if err != nil {
		return fmt.Errorf("event id %q: %w", made.ID, err)
	}
	if c.Key != nil {
		answer, err := json.Marshal(t.TaskData)
		if err != nil {
			return fmt.Errorf("keep answer of task %s: %w", t.ID, err)
		}
		k := &r.keys
		k.users, k.keys, k.hashes, k.answers = append(k.users, c.by), append(k.keys, c.Key.Key), append(k.hashes, c.Key.Hash[:]), append(k.answers, string(answer))
		k.expired = k.expired || c.kept.same != nil
	}
	l := &r.changes
	l.users, l.seqs, l.ids, l.kinds = append(l.users, c.by), append(l.seqs, t.Seq), append(l.ids, event), append(l.kinds, string(events.Created))
	l.tasks, l.versions, l.payloads = append(l.tasks, c.id), append(l.versions, t.Version), append(l.payloads, string(made.Data))
	row := rowOf(t)
	var search *string
	if terms := ownTerms(row); terms != "" {
		search = &terms
	}
	for i, v := range slices.Concat([]any{[16]byte(c.id), [16]byte(c.by), row.CreatedAt}, row.values(), []any{search}) {
		r.tasks[i] = append(r.tasks[i], v)
	}
	return nil
}

// write leaves the rows to the end of the transaction.
func (r *createdRows) write(tx *outbox.Tx) {
	l, k := r.changes, r.keys
	tx.Defer(createChanges, l.users, l.seqs, l.ids, l.kinds, l.tasks, l.versions, l.payloads)
	if k.expired {
		tx.Defer(expireKeys, k.users, k.keys)
	}
	if len(k.keys) > 0 {
		tx.Defer(createKeys, k.users, k.keys, k.hashes, k.answers)
	}
	args := make([]any, len(r.tasks))
	for i, list := range r.tasks {
		args[i] = list
	}
	tx.Defer(createTasks, args...)
}
