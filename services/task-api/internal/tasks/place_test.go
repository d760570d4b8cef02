package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
	"pgregory.net/rapid"
)

// order returns the user's tasks in their order by position. It fails when two positions are equal.
func (f *fixture) order(user string) (titles []string, positions []float64) {
	f.T.Helper()
	list, _, err := f.List(ctx(), user, domain.Query{Sort: domain.SortPosition, Limit: 500})
	if err != nil {
		f.T.Fatal(err)
	}
	for i, t := range list {
		titles, positions = append(titles, t.Title), append(positions, t.Position)
		if i > 0 && positions[i-1] >= t.Position || math.Abs(t.Position) > domain.MaxPosition {
			f.T.Errorf("positions: got %v, want distinct ones in range", positions)
		}
	}
	return titles, positions
}

func (f *fixture) wantOrder(user string, want ...string) {
	f.T.Helper()
	if got, _ := f.order(user); !slices.Equal(got, want) {
		f.T.Errorf("order by position: got %v, want %v", got, want)
	}
}

func (f *fixture) move(user, id string, by tasks.Beside) (events.TaskData, error) {
	t, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: id, Beside: &by, Apply: unchanged}})
	return t.Task.TaskData, err
}

func unchanged(t domain.Task, _ domain.Defaults) (domain.Task, error) { return t, nil }

func TestATaskWithoutAPositionIsLast(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	f.Make(user, `{"title":"first","position":2e12}`)
	f.Make(user, `{"title":"second"}`)
	f.Make(user, `{"title":"before","position":-5}`)
	f.Make(f.User(), `{"title":"another user's","position":9e14}`)
	f.Make(user, `{"title":"third"}`)
	f.wantOrder(user, "before", "first", "second", "third")
}

// At the limit, the task there moves down: the new one is still last.
func TestATaskAfterTheLargestPositionIsLast(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	f.Make(user, `{"title":"a"}`)
	largest := f.Make(user, `{"title":"max","position":1e15}`)
	f.Make(user, `{"title":"later"}`)
	f.Make(user, `{"title":"last"}`)
	f.wantOrder(user, "a", "max", "later", "last")
	after, err := f.Get(ctx(), user, largest.ID)
	if err != nil || after.Version != 2 {
		t.Errorf("the task at the limit: got version %d, %v, want 2: its move is a change with events", after.Version, err)
	}
	if got := f.Seqs(user); !slices.Equal(got, []int64{1, 2, 3, 4, 5}) {
		t.Errorf("change log: got %v, want no gaps", got)
	}
}

func TestABatchAtTheLimitMakesRoomOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	f.Make(user, `{"title":"max","position":1e15}`)
	var ops []tasks.Op
	for i := range 20 {
		ops = append(ops, f.CreateOp(fmt.Sprintf(`{"title":"t%02d"}`, i)))
	}
	if _, err := f.Batch(ctx(), tasks.BatchRequest{UserID: user, Ops: ops}); err != nil {
		t.Fatal(err)
	}
	got, _ := f.order(user)
	if len(got) != 21 || got[0] != "max" || !slices.IsSorted(got[1:]) {
		t.Errorf("order: got %v", got)
	}
}

func TestABatchGivesDistinctPositionsInItsOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var ops []tasks.Op
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("t%02d", i))
		ops = append(ops, f.CreateOp(fmt.Sprintf(`{"title":%q}`, want[i])))
	}
	if _, err := f.Batch(ctx(), tasks.BatchRequest{UserID: user, Ops: ops}); err != nil {
		t.Fatal(err)
	}
	f.wantOrder(user, want...)

	same := f.User()
	for i := range ops { // all of them ask for one position
		ops[i] = f.CreateOp(fmt.Sprintf(`{"title":%q,"position":7}`, want[i]))
	}
	answer, err := f.Batch(ctx(), tasks.BatchRequest{UserID: same, Ops: ops})
	if err != nil || answer.Results[0].Task.Position != 7 {
		t.Fatalf("the first of equal positions: got %v, %v, want 7", answer.Results[0], err)
	}
	if got, _ := f.order(same); len(got) != 50 || got[0] != "t00" {
		t.Errorf("order: got %v, want 50 tasks, t00 first", got)
	}
}

func TestConcurrentCreatesHaveDistinctPositions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var mu sync.Mutex
	bySeq := map[int64]float64{}
	tasktest.Together(24, func(i int) {
		task, _, err := f.Create(ctx(), tasks.CreateRequest{UserID: user, Fields: f.Fields(`{"title":"t"}`)})
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		bySeq[task.Seq] = task.Position
	})
	for seq := int64(2); seq <= 24; seq++ {
		if bySeq[seq] <= bySeq[seq-1] {
			t.Errorf("seq %d has position %v, and seq %d has %v: want the order of seq", seq-1, bySeq[seq-1], seq, bySeq[seq])
		}
	}
}

func TestConcurrentMovesKeepPositionsDistinct(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var ids []string
	for i := range 8 {
		ids = append(ids, f.Make(user, fmt.Sprintf(`{"title":"t%d","position":%d}`, i, i)).ID)
	}
	tasktest.Together(8, func(i int) {
		for n := range 15 {
			if _, err := f.move(user, ids[i], tasks.Beside{Task: ids[(i+1+n%7)%8], Before: n%2 == 0}); err != nil {
				t.Error(err)
			}
			f.Make(user, `{"title":"new","position":1}`)
		}
	})
	if got, _ := f.order(user); len(got) != 8+8*15 {
		t.Errorf("got %d tasks, want %d", len(got), 8+8*15)
	}
}

// Every way to a position that another task has: create, PATCH, PUT, restore, and the successor in a series.
func TestNoTwoTasksHaveOnePosition(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	a := f.Make(user, `{"title":"a","position":1}`)
	c := f.Make(user, `{"title":"c","position":2}`)
	b := f.Make(user, `{"title":"b","position":1}`)
	if a.Position != 1 || b.Position != 1.5 {
		t.Errorf("a create at a taken position: got %v and %v, want 1 and 1.5", a.Position, b.Position)
	}
	f.wantOrder(user, "a", "b", "c")
	moved := f.Patch(user, c.ID, `{"position":1}`)
	f.wantOrder(user, "a", "c", "b")
	if again := f.Patch(user, c.ID, `{"position":1}`); again.Version != moved.Version {
		t.Errorf("a repeated PATCH: got version %d, want %d", again.Version, moved.Version)
	}
	if same := f.Patch(user, a.ID, `{"position":1}`); same.Version != a.Version {
		t.Errorf("a PATCH with the own position: got version %d, want %d", same.Version, a.Version)
	}
	f.Apply(user, a.ID, domain.Delete)
	f.Make(user, `{"title":"new","position":1}`)
	f.Apply(user, a.ID, domain.Restore)
	f.wantOrder(user, "new", "a", "c", "b")
	series := f.Make(user, `{"title":"daily","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	f.Make(user, `{"title":"end"}`)
	if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: series.ID, Skip: true}}); err != nil {
		t.Fatal(err)
	}
	f.wantOrder(user, "new", "a", "c", "b", "daily", "daily", "end")
}

func TestAMovedTaskIsNextToItsNeighbour(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	ids := map[string]string{}
	for _, title := range []string{"a", "b", "c", "d"} {
		ids[title] = f.Make(user, fmt.Sprintf(`{"title":%q}`, title)).ID
	}
	for _, tc := range []struct {
		task, beside string
		before       bool
		want         []string
	}{
		{"d", "a", true, []string{"d", "a", "b", "c"}},
		{"d", "a", true, []string{"d", "a", "b", "c"}}, // again
		{"d", "c", false, []string{"a", "b", "c", "d"}},
		{"a", "b", false, []string{"b", "a", "c", "d"}},
		{"a", "c", true, []string{"b", "a", "c", "d"}},
		{"c", "b", true, []string{"c", "b", "a", "d"}},
		{"c", "a", false, []string{"b", "a", "c", "d"}},
	} {
		if _, err := f.move(user, ids[tc.task], tasks.Beside{Task: ids[tc.beside], Before: tc.before}); err != nil {
			t.Fatalf("move %+v: %v", tc, err)
		}
		f.wantOrder(user, tc.want...)
	}
	again, err := f.move(user, ids["c"], tasks.Beside{Task: ids["a"]})
	stored, _ := f.Get(ctx(), user, ids["c"])
	if err != nil || again.Version != stored.Version {
		t.Errorf("a repeated move: got version %d, %v, want %d", again.Version, err, stored.Version)
	}
	otherTask := f.Make(f.User(), `{"title":"not yours"}`).ID
	f.Apply(user, ids["d"], domain.Delete)
	for name, target := range map[string]string{"another user's": otherTask, "a deleted one": ids["d"], "none": "01890a5d-ac96-774b-bcce-b302099a8057"} {
		var neighbour *domain.NeighbourError
		if _, err := f.move(user, ids["a"], tasks.Beside{Task: target}); !errors.As(err, &neighbour) || !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("next to %s: got %v, want a NeighbourError", name, err)
		}
	}
	f.wantOrder(user, "b", "a", "c")
}

// Between two tasks that are as close as two doubles can be, others move, with events.
func TestAMoveMakesRoom(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	next, err := json.Marshal(math.Nextafter(5, 6))
	if err != nil {
		t.Fatal(err)
	}
	a := f.Make(user, `{"title":"a","position":5}`)
	f.Make(user, fmt.Sprintf(`{"title":"b","position":%s}`, next))
	f.Make(user, `{"title":"c","position":6}`)
	d := f.Make(user, `{"title":"d"}`)
	before := len(f.Sent("task-events"))
	if _, err := f.move(user, d.ID, tasks.Beside{Task: a.ID}); err != nil {
		t.Fatal(err)
	}
	f.wantOrder(user, "a", "d", "b", "c")
	if sent := len(f.Sent("task-events")) - before; sent < 2 || sent > 3 {
		t.Errorf("events: got %d, want one for each task that moved", sent)
	}
	_, positions := f.order(user)
	f.Make(user, fmt.Sprintf(`{"title":"e","position":%v}`, positions[0])) // taken
	f.wantOrder(user, "a", "e", "d", "b", "c")
	// Tasks of an earlier version of the service have equal positions.
	f.Exec(`UPDATE tasks SET position = 5 WHERE user_id = ?`, user)
	list, _, err := f.List(ctx(), user, domain.Query{Sort: domain.SortPosition, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	last := list[len(list)-1]
	if _, err := f.move(user, last.ID, tasks.Beside{Task: list[1].ID}); err != nil {
		t.Fatal(err)
	}
	after, _, err := f.List(ctx(), user, domain.Query{Sort: domain.SortPosition, Limit: 10})
	if err != nil || after[2].ID != last.ID || after[0].ID != list[0].ID || after[1].ID != list[1].ID || after[3].ID != list[2].ID {
		t.Errorf("a move between equal positions: got %v, %v", after, err)
	}
}

// Any sequence of creates, moves, changes, deletions and restores gives the order that a list in memory gives.
func TestAnyMovesGiveTheOrderOfAList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	rapid.Check(t, func(rt *rapid.T) {
		user := f.User()
		var want []string // ids
		for i := range rapid.IntRange(2, 6).Draw(rt, "tasks") {
			body := `{"title":"t"}`
			if rapid.Bool().Draw(rt, "at the limit") {
				body = `{"title":"t","position":1e15}`
			}
			task, _, err := f.Create(context.Background(), tasks.CreateRequest{UserID: user, Fields: f.Fields(body)})
			if err != nil {
				rt.Fatalf("create %d: %v", i, err)
			}
			want = append(want, task.ID)
		}
		for range rapid.IntRange(1, 30).Draw(rt, "moves") {
			i, k := rapid.IntRange(0, len(want)-1).Draw(rt, "task"), rapid.IntRange(0, len(want)-1).Draw(rt, "beside")
			before := rapid.Bool().Draw(rt, "before")
			if i == k {
				continue
			}
			id, target := want[i], want[k]
			if _, err := f.move(user, id, tasks.Beside{Task: target, Before: before}); err != nil {
				rt.Fatalf("move: %v", err)
			}
			want = slices.Delete(want, i, i+1)
			at := slices.Index(want, target)
			if !before {
				at++
			}
			want = slices.Insert(want, at, id)
		}
		list, _, err := f.List(ctx(), user, domain.Query{Sort: domain.SortPosition, Limit: 500})
		if err != nil {
			rt.Fatal(err)
		}
		for i, task := range list {
			if task.ID != want[i] || i > 0 && list[i-1].Position >= task.Position {
				rt.Fatalf("order: got %v at %d, want %v", task, i, want[i])
			}
		}
	})
}
