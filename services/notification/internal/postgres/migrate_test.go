package postgres_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
	"github.com/taskwire/taskwire/services/notification/internal/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

// A replica of the version before still runs while the new one migrates. Its notifications have no number.
func TestTheMigrationNumbersExistingNotifications(t *testing.T) {
	t.Parallel()
	sets := postgres.Migrations()
	before := fstest.MapFS{} // the schema of the version before
	for _, name := range []string{"00001_notifications.sql", "00002_reminders_by_user.sql"} {
		data, err := fs.ReadFile(sets[0].FS, name)
		if err != nil {
			t.Fatal(err)
		}
		before[name] = &fstest.MapFile{Data: data}
	}
	db := pgtest.New(t, "notifications", pg.Set{Name: sets[0].Name, FS: before}, pg.Set{Name: "outbox", FS: outbox.Migrations})
	insert := func(user string, from, to int) {
		t.Helper()
		err := db.Gorm.Exec(`INSERT INTO notifications (id, user_id, task_id, kind, title, body, late, created_at, read_at)
			SELECT gen_random_uuid(), ?, gen_random_uuid(), 'reminder', i, '', false, ?::timestamptz + make_interval(mins => i), CASE i % 2 WHEN 0 THEN now() END
			FROM generate_series(?::integer, ?::integer) AS i ORDER BY -i`, user, noon, from, to).Error
		if err != nil {
			t.Fatal(err)
		}
	}
	insert(ada, 1, 5)
	insert(bob, 1, 1)
	if err := pg.Migrate(t.Context(), db.OwnerURL, slog.New(slog.DiscardHandler), sets[0]); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, store: newStore(db.Gorm), now: noon}
	inbox := w.inbox(ada)
	if inbox.Seq != 5 || inbox.Unread != 3 || len(inbox.Items) != 5 {
		t.Errorf("inbox: %d notifications, %d unread, number %d, want 5, 3, 5", len(inbox.Items), inbox.Unread, inbox.Seq)
	}
	for i, n := range inbox.Items {
		if want := int64(5 - i); n.Seq != want {
			t.Errorf("notification %q has the number %d, want %d", n.Title, n.Seq, want)
		}
	}
	if got := w.inbox(bob); got.Seq != 1 {
		t.Errorf("another user's number %d, want 1", got.Seq)
	}
	if _, err := w.store.Changes(t.Context(), ada, 0, 10); !errors.Is(err, domain.ErrTooOld) {
		t.Errorf("Changes since 0: %v, want ErrTooOld: the notifications are only in the list", err)
	}
	if page, err := w.store.Changes(t.Context(), ada, 5, 10); err != nil || page.Head != 5 || page.Oldest != 6 || len(page.Items) != 0 {
		t.Errorf("Changes since the head: %+v, %v", page, err)
	}
	insert(ada, 6, 7)
	w.apply(reminder(1, 1, 0), domain.Scheduled)
	w.deliver(1)
	page, err := w.store.Changes(t.Context(), ada, 5, 10)
	if err != nil || len(page.Items) != 1 || decoded(t, page.Items[0]).Unread != 5 {
		t.Errorf("after a notification without a number: %+v, %v, want change 6 with 5 unread", page, err)
	}
}
