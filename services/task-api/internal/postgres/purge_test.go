package postgres

import (
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// TestATombstoneThatIsRenewedDuringAPurgeStays: the purge has chosen a tombstone and waits for its user's lock, while the
// holder of the lock restores the task and deletes it again.
func TestATombstoneThatIsRenewedDuringAPurgeStays(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	task := f.create(user, `{"title":"t"}`)
	f.change(user, task.ID, domain.Delete) // seq 2
	f.exec(`UPDATE tasks SET deleted_at = ? WHERE id = ?`, f.now().Add(-TombstoneRetention-time.Hour), task.ID)

	writer := f.db.Begin()
	defer writer.Rollback()
	if err := writer.Exec(`UPDATE heads SET seq = 4 WHERE user_id = ?`, user).Error; err != nil {
		t.Fatal(err)
	}
	purged := make(chan error, 1)
	go func() { purged <- f.Maintain(ctx()) }()
	for waiting := 0; waiting == 0; time.Sleep(5 * time.Millisecond) {
		if err := f.db.Raw(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting).Error; err != nil {
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
	if err := f.Maintain(ctx()); err != nil {
		t.Fatal(err)
	}
	if page, err := f.Sync(ctx(), user, 4, 10); err != nil || len(page.Tasks) != 0 {
		t.Errorf("after the next purge: got %v %v, want nothing", page.Tasks, err)
	}
}
