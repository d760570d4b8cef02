package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// TestATombstoneThatIsRenewedDuringAPurgeStays: the purge has chosen a tombstone and waits for its user's lock, while the
// holder of the lock restores the task and deletes it again.
func TestATombstoneThatIsRenewedDuringAPurgeStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"t"}`)
	f.Apply(user, task.ID, domain.Delete) // seq 2
	f.Exec(`UPDATE tasks SET deleted_at = ? WHERE id = ?`, f.Now().Add(-tasks.TombstoneRetention-time.Hour), task.ID)

	writer := f.DB.Begin()
	defer writer.Rollback()
	if err := writer.Exec(`UPDATE heads SET seq = 4 WHERE user_id = ?`, user).Error; err != nil {
		t.Fatal(err)
	}
	purged := make(chan error, 1)
	go func() { purged <- f.Prune(ctx()) }()
	for waiting := 0; waiting == 0; time.Sleep(5 * time.Millisecond) {
		if err := f.DB.Raw(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Exec(`UPDATE tasks SET seq = 4 WHERE id = ?`, task.ID).Error; err != nil {
		t.Fatal(err)
	}
	if err := writer.Commit().Error; err != nil {
		t.Fatal(err)
	}
	if err := <-purged; err != nil {
		t.Fatal(err)
	}
	page, err := f.Sync(ctx(), user, 3, 10)
	if err != nil || len(page.Tasks) != 1 || page.Tasks[0].DeletedAt == nil {
		t.Errorf("a client that saw the restored task: got %v %v, want the tombstone", page.Tasks, err)
	}
	if err := f.Prune(ctx()); err != nil {
		t.Fatal(err)
	}
	if page, err := f.Sync(ctx(), user, 4, 10); err != nil || len(page.Tasks) != 0 {
		t.Errorf("after the next purge: got %v %v, want nothing", page.Tasks, err)
	}
}

// TestAPurgeInTheMiddleOfASnapshotMakesItStartOver: the snapshot has given a task that is then deleted and purged, so
// that no later page could take it away again.
func TestAPurgeInTheMiddleOfASnapshotMakesItStartOver(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var ids []string
	for range 4 {
		ids = append(ids, f.Make(user, `{"title":"t"}`).ID)
	}
	f.purge(user, ids[3])
	for _, given := range ids[:2] {
		page, err := f.Sync(ctx(), user, 0, 1)
		if err != nil || len(page.Tasks) != 1 || page.Tasks[0].ID != given || page.Next >= 0 {
			t.Fatalf("first page: got %v, next %d, %v; want %s and a place in a snapshot", page.Tasks, page.Next, err, given)
		}
		if _, err := f.Sync(ctx(), user, page.Next, 1); err != nil {
			t.Errorf("before the purge: got %v, want the next page", err)
		}
		f.purge(user, given)
		if _, err := f.Sync(ctx(), user, page.Next, 1); !errors.Is(err, tasks.ErrTooOld) {
			t.Errorf("after the purge: got %v, want ErrTooOld", err)
		}
	}
	known, next, err := f.pull(user, 0, 1)
	if err != nil || len(known) != 1 || next != 7 {
		t.Errorf("a new snapshot: got %d tasks, next %d, %v; want 1 and 7", len(known), next, err)
	}
}

// purge deletes a task and removes its tombstone, as if it were old.
func (f *fixture) purge(userID, taskID string) {
	f.T.Helper()
	f.Apply(userID, taskID, domain.Delete)
	f.Exec(`UPDATE tasks SET deleted_at = ? WHERE id = ?`, f.Now().Add(-tasks.TombstoneRetention-time.Hour), taskID)
	if err := f.Prune(ctx()); err != nil {
		f.T.Fatal(err)
	}
}
