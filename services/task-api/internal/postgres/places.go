package postgres

// This file has the statements that read the user's order by position, for the positions of a write.

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// lastSQL reads the largest position of each user. As in takeSQL, the planner does not know the length of the list.
const lastSQL = `
	SELECT (SELECT position FROM tasks t WHERE t.user_id = a.user_id AND t.deleted_at IS NULL ORDER BY position DESC, id DESC LIMIT 1)
	FROM unnest((SELECT $1::uuid[])) WITH ORDINALITY AS a (user_id, n) ORDER BY n`

func readLast(asks []tasks.Ask, answers []tasks.Answer) (outbox.First, bool) {
	var users [][16]byte
	var of []int
	for i, a := range asks {
		if a.Last {
			users, of = append(users, bytes(a.User)), append(of, i)
		}
	}
	if len(users) == 0 {
		return outbox.First{}, false
	}
	return outbox.First{SQL: lastSQL, Args: []any{users}, Read: func(rows pgx.Rows) error {
		for i := 0; rows.Next(); i++ {
			last := &tasks.Last{}
			if err := rows.Scan(&last.Position); err != nil {
				return fmt.Errorf("read last positions: %w", err)
			}
			answers[of[i]].Last = last
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("read last positions: %w", err)
		}
		return nil
	}}, true
}

// placesSQL reads the tasks on both sides of each place. A place is after the task in $2, which may be
// deleted, or after all tasks up to the position in $3, or at the end. Each side has one row more than the place asks for, so
// that it shows whether there are more.
var placesSQL = `
	WITH places AS (
		SELECT a.n, a.user_id, a.rows, coalesce(t.position, a.position, 'Infinity') AS position, coalesce(t.id, 'ffffffff-ffff-ffff-ffff-ffffffffffff') AS id
		FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::double precision[]), (SELECT $4::bigint[]))
			WITH ORDINALITY AS a (user_id, task_id, position, rows, n)
		LEFT JOIN tasks t ON t.id = a.task_id AND t.user_id = a.user_id
		WHERE a.task_id IS NULL OR t.id IS NOT NULL
	)
	SELECT p.n - 1, s.after, ` + qualified("s") + ` FROM places p, LATERAL (
		(SELECT false AS after, t.* FROM tasks t WHERE t.user_id = p.user_id AND t.deleted_at IS NULL AND (t.position, t.id) <= (p.position, p.id)
			ORDER BY t.position DESC, t.id DESC LIMIT p.rows + 1)
		UNION ALL
		(SELECT true AS after, t.* FROM tasks t WHERE t.user_id = p.user_id AND t.deleted_at IS NULL AND (t.position, t.id) > (p.position, p.id)
			ORDER BY t.position, t.id LIMIT p.rows + 1)
	) s`

func readPlaces(asks []tasks.Ask, answers []tasks.Answer) (outbox.First, bool) {
	var users [][16]byte
	var ids []*[16]byte
	var positions []*float64
	var counts []int64
	var of []int // the index of each place's Ask
	for i, a := range asks {
		for _, p := range a.Places {
			var id *[16]byte
			if p.Task != nil {
				raw := bytes(*p.Task)
				id = &raw
			}
			users, ids, positions, counts, of = append(users, bytes(a.User)), append(ids, id), append(positions, p.Position), append(counts, int64(p.Rows)), append(of, i)
		}
	}
	if len(users) == 0 {
		return outbox.First{}, false
	}
	return outbox.First{SQL: placesSQL, Args: []any{users, ids, positions, counts}, Read: func(rows pgx.Rows) error {
		before, after := make([][]taskRow, len(users)), make([][]taskRow, len(users))
		for rows.Next() {
			var n int64
			var isAfter bool
			var r taskRow
			if err := rows.Scan(append([]any{&n, &isAfter}, r.targets()...)...); err != nil {
				return fmt.Errorf("read neighbours: %w", err)
			}
			if isAfter {
				after[n] = append(after[n], r)
			} else {
				before[n] = append(before[n], r)
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("read neighbours: %w", err)
		}
		for n := range users {
			if ids[n] != nil && len(before[n])+len(after[n]) == 0 {
				continue // the task may not exist
			}
			a := &answers[of[n]]
			a.Regions = append(a.Regions, region(before[n], after[n], int(counts[n])))
		}
		return nil
	}}, true
}

// region makes a region of the tasks before and after a place. Each list has at most one task more than rows.
func region(before, after []taskRow, rows int) tasks.Region {
	for _, side := range [][]taskRow{before, after} {
		slices.SortFunc(side, func(a, b taskRow) int { return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.ID, b.ID)) })
	}
	r := tasks.Region{Begins: len(before) <= rows, Ends: len(after) <= rows}
	before, after = before[max(0, len(before)-rows):], after[:min(len(after), rows)]
	r.Tasks = append(domainTasks(before), domainTasks(after)...)
	return r
}
