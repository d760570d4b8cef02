package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
)

// This test combines every filter with every order. The bounds make List read from a window, from the index of a filter, or
// from the whole order. The result must be equal to that of the same filter in Go over all tasks.
func TestListsAreEqualFromEveryIndex(t *testing.T) {
	if testing.Short() {
		t.Skip("compares hundreds of lists")
	}
	t.Parallel()
	f := newFixture(t)
	user, other := f.User(), f.User()
	f.fill(user, 400)
	f.fill(other, 100)
	f.Exec(`UPDATE tasks SET status = 'in_progress', tags = '["rare''\\ tag"]', completed_at = NULL WHERE user_id = ? AND title LIKE '%77'`, user)
	f.Exec(`UPDATE tasks SET deleted_at = ? WHERE user_id = ? AND title LIKE '%3'`, f.Now(), user)
	yes, no := true, false
	at := func(s string) *time.Time { t, _ := time.Parse(time.DateOnly, s); return &t }
	queries := map[string]domain.Query{
		"none":           {},
		"rare tag":       {Tags: []string{`rare'\ tag`}},
		"tags":           {Tags: []string{"home", "later"}},
		"rare status":    {Statuses: []events.Status{"in_progress"}},
		"two statuses":   {Statuses: []events.Status{"completed", "in_progress"}},
		"priority":       {Priorities: []events.Priority{"urgent", "low"}},
		"rare word":      {Search: "77"},
		"many words":     {Search: "task"},
		"word and tag":   {Search: "det wor", Tags: []string{"home"}},
		"overdue":        {Overdue: &yes},
		"not overdue":    {Overdue: &no},
		"due between":    {DueAfter: at("2026-10-01"), DueBefore: at("2027-03-01")},
		"due on days":    {Due: domain.DueFilter{From: "2026-10-01", To: "2026-11-15"}},
		"due from a day": {Due: domain.DueFilter{From: "2026-10-01"}},
		"due to a day":   {Due: domain.DueFilter{To: "2026-06-20"}},
		"completed":      {CompletedAfter: at("2026-01-01"), CompletedBefore: at("2026-01-02")},
		"due never":      {DueBefore: at("2020-01-01")},
		"updated":        {UpdatedSince: at("2026-02-01")},
		"all at once":    {Overdue: &yes, Statuses: []events.Status{"pending"}, Priorities: []events.Priority{"medium", "high"}, Search: "task", DueAfter: at("2026-06-02")},
		"nothing at all": {Tags: []string{"no such tag"}, Overdue: &yes, UpdatedSince: at("2026-01-01")},
	}
	for name, q := range queries {
		want := f.expected(user, q)
		for _, b := range []postgres.Bounds{postgres.UsualBounds, postgres.NewBounds(20, 1000), postgres.NewBounds(20, 3)} {
			f.Store.SetBounds(b)
			for _, sort := range domain.Sorts() {
				if sort == domain.SortRelevance && q.Search == "" || sort == domain.SortDeletedAt {
					continue
				}
				for _, descending := range []bool{false, true} {
					q.Sort, q.Descending, q.Limit = sort, descending && sort != domain.SortRelevance, 70
					got := f.ids(user, q)
					if slices.Sort(got); !slices.Equal(got, want) {
						t.Errorf("%s by %s (descending %v), bounds %v: got %d tasks, want %d", name, sort, descending, b, len(got), len(want))
					}
				}
			}
		}
	}
}
