package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

// pull syncs from since to the end in pages of limit. It returns the tasks that the client then has.
func (f *fixture) pull(userID string, since int64, limit int) (known map[string]domain.Task, next int64, err error) {
	known = map[string]domain.Task{}
	for {
		page, err := f.Sync(ctx(), userID, since, limit)
		if err != nil {
			return nil, 0, err
		}
		for _, task := range page.Tasks {
			known[task.ID] = task
		}
		if since = page.Next; !page.HasMore {
			return known, page.Next, nil
		}
	}
}

func TestSyncReturnsEachChangedTaskOnceWithTombstones(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user, other := f.User(), f.User()
	var ids []string
	for i := range 5 {
		ids = append(ids, f.Make(user, fmt.Sprintf(`{"title":"t%d"}`, i)).ID)
		f.Make(other, `{"title":"not yours"}`)
	}
	f.Patch(user, ids[0], `{"title":"changed"}`)
	f.Apply(user, ids[1], domain.Delete)
	page, err := f.Sync(ctx(), user, 0, 3)
	if err != nil || !page.HasMore || page.Next != 5 {
		t.Fatalf("first page: got %d tasks, next %d, more %v, %v; want 3, 5, true", len(page.Tasks), page.Next, page.HasMore, err)
	}
	page, err = f.Sync(ctx(), user, page.Next, 3)
	if err != nil || page.HasMore || page.Next != 7 || len(page.Tasks) != 2 {
		t.Fatalf("second page: got %d tasks, next %d, more %v, %v; want 2, 7, false", len(page.Tasks), page.Next, page.HasMore, err)
	}
	if page.Tasks[0].ID != ids[0] || page.Tasks[1].ID != ids[1] || page.Tasks[1].DeletedAt == nil {
		t.Errorf("second page: got %v, want the changed task and the tombstone", page.Tasks)
	}
	page, err = f.Sync(ctx(), user, 7, 3)
	if err != nil || len(page.Tasks) != 0 || page.Next != 7 {
		t.Errorf("nothing new: got %d tasks, next %d, %v", len(page.Tasks), page.Next, err)
	}
	for _, since := range []int64{8, -8} {
		if _, err := f.Sync(ctx(), user, since, 3); !errors.Is(err, tasks.ErrTooOld) {
			t.Errorf("since %d, after the newest seq: got %v, want ErrTooOld", since, err)
		}
	}
}

func TestASyncPageIsBoundedByItsTexts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	for i := range 6 {
		f.Make(user, fmt.Sprintf(`{"title":"t%d","description":%q}`, i, strings.Repeat("x", 100)))
	}
	for _, tc := range []struct{ bytes, limit, want int }{{1, 10, 1}, {100, 10, 1}, {150, 10, 2}, {1 << 20, 10, 6}, {1 << 20, 6, 6}, {1 << 20, 5, 5}} {
		f.Store.SetSyncBytes(tc.bytes)
		page, err := f.Sync(ctx(), user, 0, tc.limit)
		if err != nil || len(page.Tasks) != tc.want || page.HasMore != (tc.want < 6) || page.Next != page.Tasks[len(page.Tasks)-1].Seq {
			t.Errorf("%+v: got %d tasks, more %v, next %d, %v", tc, len(page.Tasks), page.HasMore, page.Next, err)
		}
		known, next, err := f.pull(user, 0, tc.limit)
		if err != nil || len(known) != 6 || next != 6 {
			t.Errorf("%+v, all pages: got %d tasks, next %d, %v, want 6 and 6", tc, len(known), next, err)
		}
	}
}

// A client syncs while two writers change the tasks.
func TestASyncingClientEndsWithTheCurrentTasks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var ids []string
	for i := range 10 {
		ids = append(ids, f.Make(user, fmt.Sprintf(`{"title":"t%d"}`, i)).ID)
	}
	known, since := map[string]int64{}, int64(0)
	tasktest.Together(3, func(i int) {
		if i < 2 {
			for n := range 40 {
				id := ids[(n*7+i)%len(ids)]
				switch n % 4 {
				case 0:
					f.Apply(user, id, domain.Delete)
				case 1:
					f.Apply(user, id, domain.Restore)
				case 2:
					f.Make(user, fmt.Sprintf(`{"title":"n%d-%d"}`, i, n))
				default:
					f.Apply(user, id, func(t domain.Task, d time.Time) (domain.Task, error) {
						if t.DeletedAt != nil {
							return t, nil
						}
						return domain.Complete(t, d)
					})
				}
			}
			return
		}
		for range 60 {
			page, err := f.Sync(ctx(), user, since, 4)
			if err != nil {
				t.Errorf("Sync: %v", err)
				return
			}
			for _, task := range page.Tasks {
				if task.Seq < known[task.ID] {
					t.Errorf("task %s went back from seq %d to %d", task.ID, known[task.ID], task.Seq)
				}
				known[task.ID] = task.Seq
			}
			since = page.Next
		}
	})
	late, _, err := f.pull(user, since, 4)
	if err != nil {
		t.Fatal(err)
	}
	for id, task := range late {
		known[id] = task.Seq
	}
	want, head, err := f.pull(user, 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	for id, task := range want {
		if known[id] != task.Seq {
			t.Errorf("task %s: the client has seq %d, want %d", id, known[id], task.Seq)
		}
	}
	if len(known) != len(want) {
		t.Errorf("the client has %d tasks, want %d", len(known), len(want))
	}
	if seqs := f.Seqs(user); int64(len(seqs)) != head {
		t.Errorf("change log: got %d changes, want %d", len(seqs), head)
	}
}

func TestChangesAreContiguousAndPaged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"t"}`)
	for i := range 6 {
		f.Patch(user, task.ID, fmt.Sprintf(`{"title":"t%d"}`, i))
	}
	page, err := f.Changes(ctx(), user, 2, 3)
	if err != nil || len(page.Items) != 3 || page.Head != 7 || !page.HasMore || page.Oldest != 0 {
		t.Fatalf("Changes: got %d items, head %d, oldest %d, more %v, %v", len(page.Items), page.Head, page.Oldest, page.HasMore, err)
	}
	page, err = f.Changes(ctx(), user, 5, 3)
	if err != nil || len(page.Items) != 2 || page.HasMore {
		t.Errorf("last page: got %d items, more %v, %v", len(page.Items), page.HasMore, err)
	}
	page, err = f.Changes(ctx(), user, 7, 3)
	if err != nil || len(page.Items) != 0 || page.HasMore {
		t.Errorf("at the newest seq: got %d items, more %v, %v; want none", len(page.Items), page.HasMore, err)
	}
	if _, err := f.Changes(ctx(), "01890a5d-ac96-774b-bcce-b302099a8057", 0, 3); !errors.Is(err, tasks.ErrNoUser) {
		t.Errorf("no such user: got %v, want ErrNoUser", err)
	}
	heads, err := f.Heads(ctx(), []string{user, f.User(), "01890a5d-ac96-774b-bcce-b302099a8057"})
	if err != nil || len(heads) != 2 || heads[user] != 7 {
		t.Errorf("Heads: got %v %v, want the two users that exist", heads, err)
	}
	if heads, err := f.Heads(ctx(), nil); err != nil || len(heads) != 0 {
		t.Errorf("Heads of no users: got %v %v, want an empty map", heads, err)
	}
}

func TestPrunedChangesAreReportedAndLeaveNoGap(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"t"}`)
	for i := range 9 {
		f.Patch(user, task.ID, fmt.Sprintf(`{"title":"t%d"}`, i))
	}
	// The order of created_at may differ from the order of the commits: 1, 3 and 4 are old, and 2 is not.
	f.Exec(`UPDATE changes SET created_at = ? WHERE seq IN (1, 3, 4)`, f.Now().Add(-tasks.ChangeRetention-1))
	if err := f.Prune(ctx()); err != nil {
		t.Fatal(err)
	}
	if got := f.Seqs(user); !slices.Equal(got, []int64{5, 6, 7, 8, 9, 10}) {
		t.Errorf("change log: got %v, want 5 to 10", got)
	}
	page, err := f.Changes(ctx(), user, 4, 100)
	if err != nil || page.Oldest != 5 || len(page.Items) != 6 {
		t.Errorf("since 4: got oldest %d, %d items, %v; want 5 and 6", page.Oldest, len(page.Items), err)
	}
	if _, err := f.Changes(ctx(), user, 3, 100); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("since 3: got %v, want ErrTooOld", err)
	}
	f.Exec(`UPDATE changes SET created_at = ?`, f.Now().Add(-tasks.ChangeRetention-1))
	if err := f.Prune(ctx()); err != nil {
		t.Fatal(err)
	}
	page, err = f.Changes(ctx(), user, 10, 100)
	if err != nil || page.Oldest != 11 || page.Head != 10 {
		t.Errorf("at the newest seq of an empty log: got oldest %d, head %d, %v; want 11 and 10", page.Oldest, page.Head, err)
	}
	if _, err := f.Changes(ctx(), user, 9, 100); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("before the newest seq of an empty log: got %v, want ErrTooOld", err)
	}
	if got := f.Patch(user, task.ID, `{"title":"after"}`); got.Seq != 11 {
		t.Errorf("the next change: got seq %d, want 11", got.Seq)
	}
}

func TestSyncAfterAPurge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var ids []string
	for i := range 6 {
		ids = append(ids, f.Make(user, fmt.Sprintf(`{"title":"t%d"}`, i)).ID)
	}
	f.Apply(user, ids[0], domain.Delete) // seq 7
	f.Apply(user, ids[1], domain.Delete) // seq 8, not old enough below
	f.Exec(`UPDATE tasks SET deleted_at = ? WHERE id = ?`, f.Now().Add(-tasks.TombstoneRetention-1), ids[0])
	if err := f.Prune(ctx()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Sync(ctx(), user, 6, 10); !errors.Is(err, tasks.ErrTooOld) {
		t.Errorf("a client from before the purge: got %v, want ErrTooOld", err)
	}
	page, err := f.Sync(ctx(), user, 7, 10)
	if err != nil || len(page.Tasks) != 1 || page.Tasks[0].ID != ids[1] {
		t.Errorf("a client that has the purged tombstone: got %v %v, want the other tombstone", page.Tasks, err)
	}
	known, next, err := f.pull(user, 0, 2)
	if err != nil || len(known) != 5 || next != 8 {
		t.Errorf("a new client in small pages: got %d tasks, next %d, %v; want 5 and 8", len(known), next, err)
	}
}
