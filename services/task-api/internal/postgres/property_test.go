package postgres_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
	"pgregory.net/rapid"
)

// history is the list of writes of one writer. It is drawn before the writer starts.
type history []struct{ Op, Task, Value int }

var histories = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) struct{ Op, Task, Value int } {
	return struct{ Op, Task, Value int }{rapid.IntRange(0, 9).Draw(t, "op"), rapid.IntRange(0, 11).Draw(t, "task"), rapid.IntRange(0, 99).Draw(t, "value")}
}), 1, 20)

// write runs a history over the given tasks. It ignores writes that the state of the task does not allow.
func (f *fixture) write(userID string, ids []string, h history) error {
	for _, w := range h {
		id := ids[w.Task%len(ids)]
		var err error
		switch w.Op {
		case 0, 1:
			_, _, err = f.Create(ctx(), tasks.CreateRequest{UserID: userID, Fields: f.Fields(fmt.Sprintf(`{"title":"keep new %d","tags":["keep"]}`, w.Value))})
		case 2, 3:
			err = f.attempt(userID, id, domain.Delete)
		case 4, 5:
			err = f.attempt(userID, id, domain.Restore)
		case 6:
			err = f.attempt(userID, id, domain.Complete)
		case 7, 8:
			fields := f.Fields(fmt.Sprintf(`{"title":"keep %d","priority":"%s","position":%d,"due_date":"2030-01-%02d","description":"keep %d"}`,
				w.Value, []string{"low", "urgent"}[w.Value%2], w.Value, 1+w.Value%28, w.Value))
			_, err = f.Change(ctx(), tasks.ChangeRequest{UserID: userID, Op: tasks.Op{TaskID: id, Apply: func(t domain.Task, d domain.Defaults) (domain.Task, error) {
				return domain.Patch(t, fields, d)
			}}})
			err = allowed(err)
		case 9: // makes the tombstones old and purges them
			if err = f.DB.Exec(`UPDATE tasks SET deleted_at = ? WHERE user_id = ? AND deleted_at IS NOT NULL`, f.Now().Add(-tasks.TombstoneRetention-time.Hour), userID).Error; err == nil {
				err = f.Prune(ctx())
			}
		}
		if err != nil {
			return fmt.Errorf("%+v: %w", w, err)
		}
	}
	return nil
}

func (f *fixture) attempt(userID, taskID string, fn func(domain.Task, time.Time) (domain.Task, error)) error {
	_, err := f.Change(ctx(), tasks.ChangeRequest{UserID: userID, Op: tasks.Op{TaskID: taskID, Apply: tasktest.Lifecycle(fn), Deleted: true}})
	return allowed(err)
}

func allowed(err error) error {
	if errors.Is(err, domain.ErrNotFound) || errors.Is(err, domain.ErrRestoreWindow) {
		return nil
	}
	return err
}

// A client syncs in pages of any size, with any pauses, while two writers create, change, complete, delete, restore and
// purge. After ErrTooOld it starts over. In the end its tasks are equal to those of the list, in every field.
func TestAnySyncingClientEndsWithTheListedTasks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var tooOld, snapshots atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		user := f.User()
		var ids []string
		for i := range rapid.IntRange(1, 12).Draw(rt, "tasks") {
			ids = append(ids, f.Make(user, fmt.Sprintf(`{"title":"t%d"}`, i)).ID)
		}
		writers := []history{histories.Draw(rt, "first"), histories.Draw(rt, "second")}
		pages := rapid.SliceOfN(rapid.IntRange(1, 6), 1, 8).Draw(rt, "pages")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 4), 1, 8).Draw(rt, "pauses")

		known, since := map[string]domain.Task{}, int64(0)
		pull := func(limit int) (more bool, err error) {
			page, err := f.Sync(ctx(), user, since, limit)
			if errors.Is(err, tasks.ErrTooOld) {
				tooOld.Add(1)
				known, since = map[string]domain.Task{}, 0
				return true, nil
			}
			for _, task := range page.Tasks {
				if known[task.ID].Seq > task.Seq {
					return false, fmt.Errorf("task %s went back from seq %d to %d", task.ID, known[task.ID].Seq, task.Seq)
				}
				known[task.ID] = task
			}
			if since = page.Next; since < 0 {
				snapshots.Add(1)
			}
			return page.HasMore, err
		}
		errs := make(chan error, len(writers)+1)
		var writing sync.WaitGroup
		for _, h := range writers {
			writing.Go(func() { errs <- f.write(user, ids, h) })
		}
		for i := range 12 {
			time.Sleep(time.Duration(pauses[i%len(pauses)]) * time.Millisecond)
			if _, err := pull(pages[i%len(pages)]); err != nil {
				errs <- err
				break
			}
		}
		writing.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				rt.Fatal(err)
			}
		}
		var counted, there int64
		f.DB.Raw(`SELECT live FROM heads WHERE user_id = ?`, user).Scan(&counted)
		f.DB.Raw(`SELECT count(*) FROM tasks WHERE user_id = ? AND deleted_at IS NULL`, user).Scan(&there)
		if counted != there {
			rt.Fatalf("the account has %d tasks and counts %d", there, counted)
		}
		for i := 0; ; i++ {
			more, err := pull(pages[i%len(pages)])
			if err != nil {
				rt.Fatal(err)
			}
			if !more {
				break
			}
		}
		for id, task := range known {
			if task.DeletedAt != nil {
				delete(known, id)
			}
		}
		want := map[string]domain.Task{}
		for q := (domain.Query{Sort: domain.SortCreatedAt, Limit: 5}); ; {
			list, end, err := f.List(ctx(), user, q)
			if err != nil {
				rt.Fatal(err)
			}
			for _, task := range list {
				want[task.ID] = task
			}
			if q.After = end; end == nil {
				break
			}
		}
		if !reflect.DeepEqual(known, want) {
			rt.Fatalf("the client has %d tasks %v,\nwant the %d tasks of the list %v", len(known), known, len(want), want)
		}
	})
	t.Logf("clients got ErrTooOld %d times, and %d pages were inside a snapshot", tooOld.Load(), snapshots.Load())
	if !testing.Short() && (tooOld.Load() == 0 || snapshots.Load() == 0) { // with -short there are too few histories
		t.Error("no client got ErrTooOld, or no page was inside a snapshot: the histories do not test these cases")
	}
}

// A client reads a list in pages of any size, in every order and from every index. Meanwhile two writers create tasks, and
// change, move, delete and purge others. The pages contain each task that keeps its place exactly once.
func TestPagesContainEachUnmovedTaskExactlyOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sorts := slices.DeleteFunc(domain.Sorts(), func(s domain.Sort) bool { return s == domain.SortDeletedAt })
	rapid.Check(t, func(rt *rapid.T) {
		user := f.User()
		stay, moving := map[string]int{}, []string{}
		for i := range rapid.IntRange(6, 24).Draw(rt, "tasks") {
			due := ""
			if i%3 == 0 {
				due = fmt.Sprintf(`,"due_date":"2030-01-%02d"`, 1+i%4)
			}
			id := f.Make(user, fmt.Sprintf(`{"title":"keep %d","tags":["keep"],"priority":"%s","position":%d%s}`,
				i%5, []string{"low", "medium", "urgent"}[i%3], i%4, due)).ID
			if i%2 == 0 || i < 2 {
				stay[id] = 0
			} else {
				moving = append(moving, id)
			}
		}
		q := domain.Query{
			Sort: rapid.SampledFrom(sorts).Draw(rt, "sort"), Descending: rapid.Bool().Draw(rt, "descending"),
			Limit: rapid.IntRange(1, 5).Draw(rt, "limit"),
		}
		switch by := rapid.IntRange(0, 2).Draw(rt, "filter"); {
		case q.Sort == domain.SortRelevance:
			q.Search, q.Descending = "kee", false
		case by == 1:
			q.Search = "kee"
		case by == 2:
			q.Tags = []string{"keep"}
		}
		f.Store.SetBounds(postgres.NewBounds(rapid.SampledFrom([]int{1, 4, 100}).Draw(rt, "window"), rapid.SampledFrom([]int{1, 20, 100}).Draw(rt, "found")))
		var writing sync.WaitGroup
		errs := make(chan error, 2)
		for _, h := range []history{histories.Draw(rt, "first"), histories.Draw(rt, "second")} {
			writing.Go(func() { errs <- f.write(user, moving, h) })
		}
		var failed error
		for {
			list, end, err := f.List(ctx(), user, q)
			if failed = err; err != nil {
				break
			}
			for _, task := range list {
				if _, ok := stay[task.ID]; ok {
					stay[task.ID]++
				}
			}
			if q.After = end; end == nil {
				break
			}
		}
		writing.Wait()
		close(errs)
		for err := range errs {
			failed = errors.Join(failed, err)
		}
		if failed != nil {
			rt.Fatal(failed)
		}
		for id, n := range stay {
			if n != 1 {
				rt.Fatalf("pages of %+v: got task %s %d times, want once", q, id, n)
			}
		}
	})
}
