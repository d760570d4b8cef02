package postgres_test

import (
	"slices"
	"strings"

	"github.com/taskwire/taskwire/pkg/platform/fold"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// fill inserts n tasks of the user, as if the API had created one each second. The titles have common and rare words. A
// quarter of the tasks is completed, and all priorities occur. A tenth has the tag home, a thousandth has the tag rare, and
// half has a due date.
func (f *fixture) fill(userID string, n int) {
	f.T.Helper()
	const batch = 50_000 // bounds the time and the memory of one statement
	for from := 1; from <= n; from += batch {
		f.Slow(`INSERT INTO tasks (id, user_id, title, description, status, priority, tags, due_at, due_instant, timezone, position,
				version, seq, created_at, updated_at, completed_at)
			SELECT CAST(lpad(to_hex(i), 12, '0') || '7' || substr(md5($1 || i), 1, 19) AS uuid), CAST($1 AS uuid),
				'task ' || (ARRAY['plan', 'buy', 'write', 'call', 'mend'])[1 + i % 5] || ' ' || i, CASE WHEN i % 10 = 0 THEN 'some words of detail ' || i % 997 ELSE '' END,
				(ARRAY['pending', 'pending', 'pending', 'completed'])[1 + i % 4], 1 + (i * 7) % 4,
				CASE WHEN i % 1000 = 0 THEN '["rare"]' WHEN i % 10 = 0 THEN '["home", "later"]' ELSE '[]' END::jsonb,
				due, due, 'UTC', i * 1024.0, 1, i, at, at, CASE WHEN i % 4 = 3 THEN at END
			FROM generate_series($2::bigint, $3::bigint) AS i,
				LATERAL (SELECT timestamptz '2026-01-01' + i * interval '1 second' AS at,
					CASE WHEN i % 2 = 0 THEN timestamptz '2026-06-01' + (i * 7919 % 1000003) * interval '1 minute' END AS due) AS t`,
			userID, from, min(from+batch-1, n))
	}
	f.Slow(`UPDATE heads SET seq = $2 WHERE user_id = $1`, userID, n)
	f.Slow(`VACUUM ANALYZE tasks`)
}

// ids returns the ids of all pages of a query, in order.
func (f *fixture) ids(userID string, q domain.Query) (out []string) {
	f.T.Helper()
	for {
		list, end, err := f.List(ctx(), userID, q)
		if err != nil {
			f.T.Fatalf("List(%+v): %v", q, err)
		}
		for _, task := range list {
			out = append(out, task.ID)
		}
		if q.After = end; end == nil {
			return out
		}
	}
}

// expected returns the sorted ids of the tasks that the query selects. It reads every task and applies the filters in Go.
func (f *fixture) expected(userID string, q domain.Query) (out []string) {
	f.T.Helper()
	all, _, err := f.pull(userID, 0, 1000)
	if err != nil {
		f.T.Fatal(err)
	}
	days, err := q.Due.Days(f.Now(), "Europe/London")
	if err != nil {
		f.T.Fatal(err)
	}
	for _, t := range all {
		words := fold.Words(t.Title + " " + t.Description + " " + strings.Join(t.Tags, " "))
		found := !slices.ContainsFunc(fold.Words(q.Search), func(w string) bool {
			return !slices.ContainsFunc(words, func(x string) bool { return strings.HasPrefix(x, w) })
		})
		overdue := t.Due() != nil && t.Due().Before(f.Now()) && t.Open()
		if t.DeletedAt == nil && found &&
			(len(q.Statuses) == 0 || slices.Contains(q.Statuses, t.Status)) &&
			(len(q.Priorities) == 0 || slices.Contains(q.Priorities, t.Priority)) &&
			(q.Overdue == nil || *q.Overdue == overdue) &&
			(q.DueBefore == nil || (t.Due() != nil && t.Due().Before(*q.DueBefore))) &&
			(q.DueAfter == nil || (t.Due() != nil && !t.Due().Before(*q.DueAfter))) &&
			(days.Start == nil || (t.Due() != nil && !t.Due().Before(*days.Start))) &&
			(days.End == nil || (t.Due() != nil && t.Due().Before(*days.End))) &&
			(q.CompletedBefore == nil || (t.CompletedAt != nil && t.CompletedAt.Before(*q.CompletedBefore))) &&
			(q.CompletedAfter == nil || (t.CompletedAt != nil && !t.CompletedAt.Before(*q.CompletedAfter))) &&
			(q.UpdatedSince == nil || !t.UpdatedAt.Before(*q.UpdatedSince)) &&
			!slices.ContainsFunc(q.Tags, func(tag string) bool { return !slices.Contains(t.Tags, tag) }) {
			out = append(out, t.ID)
		}
	}
	slices.Sort(out)
	return out
}
