package inbox_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/platform/inbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func newDB(t *testing.T) *gorm.DB {
	t.Helper()
	db := pgtest.New(t, "notifications", postgres.Set{Name: "inbox", FS: inbox.Migrations})
	owner, err := postgres.Open(t.Context(), postgres.Config{URL: db.OwnerURL})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = postgres.Close(owner) }()
	for _, sql := range []string{
		"CREATE TABLE effect (event_id uuid)", // without a key, so that a second effect shows
		"GRANT SELECT, INSERT ON effect TO notifications_app",
	} {
		if err := owner.Exec(sql).Error; err != nil {
			t.Fatal(err)
		}
	}
	return db.Gorm
}

// effect returns the effect of an event: a row.
func effect(id string) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Exec("INSERT INTO effect VALUES (?)", id).Error }
}

func effects(t *testing.T, db *gorm.DB) int64 {
	t.Helper()
	var n int64
	if err := db.Table("effect").Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnEventDeliveredThreeTimesHasOneEffect(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	in, id := inbox.New(db, "engine"), uuid.NewString()
	for range 3 {
		if err := in.Once(t.Context(), id, effect(id)); err != nil {
			t.Fatalf("Once: %v", err)
		}
	}
	if got := effects(t, db); got != 1 {
		t.Errorf("effects = %d, want 1", got)
	}
}

func TestTheSameEventIsNewToEachConsumer(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	id := uuid.NewString()
	for _, consumer := range []string{"a", "b"} {
		if err := inbox.New(db, consumer).Once(t.Context(), id, effect(id)); err != nil {
			t.Fatalf("Once for %s: %v", consumer, err)
		}
	}
	if got := effects(t, db); got != 2 {
		t.Errorf("effects = %d, want 2", got)
	}
}

func TestConcurrentDuplicatesHaveOneEffect(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	in, id := inbox.New(db, "engine"), uuid.NewString()
	var calls atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			err := in.Once(t.Context(), id, func(tx *gorm.DB) error {
				calls.Add(1)
				return effect(id)(tx)
			})
			if err != nil {
				t.Errorf("Once: %v", err)
			}
		})
	}
	wg.Wait()
	if got := effects(t, db); got != 1 || calls.Load() != 1 {
		t.Errorf("effects = %d after %d calls, want 1 after 1", got, calls.Load())
	}
}

// TestADuplicateWaitsForTheFirst: the second delivery is a duplicate when the first commits, and does the work otherwise.
func TestADuplicateWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	failed := errors.New("the first one fails")
	for name, tc := range map[string]struct {
		first       error
		secondCalls int32
	}{
		"commits":    {nil, 0},
		"rolls back": {failed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB(t)
			in, id := inbox.New(db, "engine"), uuid.NewString()
			inside, finish := make(chan struct{}), make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				err := in.Once(t.Context(), id, func(tx *gorm.DB) error {
					close(inside)
					<-finish
					return errors.Join(effect(id)(tx), tc.first)
				})
				if !errors.Is(err, tc.first) {
					t.Errorf("first Once = %v, want %v", err, tc.first)
				}
			})
			<-inside
			var calls atomic.Int32
			wg.Go(func() {
				err := in.Once(t.Context(), id, func(tx *gorm.DB) error {
					calls.Add(1)
					return effect(id)(tx)
				})
				if err != nil {
					t.Errorf("second Once: %v", err)
				}
			})
			waitForLock(t, db)
			close(finish)
			wg.Wait()
			if got := effects(t, db); got != 1 || calls.Load() != tc.secondCalls {
				t.Errorf("effects = %d, the second was called %d times; want 1, %d", got, calls.Load(), tc.secondCalls)
			}
		})
	}
}

// waitForLock returns when a session of this database waits for another.
func waitForLock(t *testing.T, db *gorm.DB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var n int
		err := db.Raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n).Error
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no session waits for a lock")
		}
	}
}

func TestAnErrorLeavesTheEventUnhandled(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	in, id := inbox.New(db, "engine"), uuid.NewString()
	failed := errors.New("no")
	err := in.Once(t.Context(), id, func(tx *gorm.DB) error {
		return errors.Join(effect(id)(tx), failed)
	})
	if !errors.Is(err, failed) {
		t.Fatalf("Once = %v, want %v", err, failed)
	}
	if got := effects(t, db); got != 0 {
		t.Errorf("effects after the error = %d, want 0", got)
	}
	if err := in.Once(t.Context(), id, effect(id)); err != nil || effects(t, db) != 1 {
		t.Errorf("redelivery: %v, effects = %d, want 1", err, effects(t, db))
	}
}

func TestAPanicLeavesTheEventUnhandled(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	in, id := inbox.New(db, "engine"), uuid.NewString()
	func() {
		defer func() { _ = recover() }()
		_ = in.Once(t.Context(), id, func(tx *gorm.DB) error {
			_ = effect(id)(tx)
			panic("boom")
		})
	}()
	if err := in.Once(t.Context(), id, effect(id)); err != nil || effects(t, db) != 1 {
		t.Errorf("redelivery: %v, effects = %d, want 1", err, effects(t, db))
	}
}

// TestACrashBeforeTheCommitLeavesItUnhandled lets the server end the session, as when the process dies.
func TestACrashBeforeTheCommitLeavesItUnhandled(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	in, id := inbox.New(db, "engine"), uuid.NewString()
	err := in.Once(t.Context(), id, func(tx *gorm.DB) error {
		if err := effect(id)(tx); err != nil {
			return err
		}
		var pid int
		if err := tx.Raw("SELECT pg_backend_pid()").Scan(&pid).Error; err != nil {
			return err
		}
		return db.Exec("SELECT pg_terminate_backend(?, 10000)", pid).Error
	})
	if err == nil || !postgres.IsUnavailable(err) {
		t.Errorf("Once with a session ended before its commit = %v, want an unavailable database", err)
	}
	if got := effects(t, db); got != 0 {
		t.Errorf("effects after the crash = %d, want 0", got)
	}
	if err := in.Once(t.Context(), id, effect(id)); err != nil || effects(t, db) != 1 {
		t.Errorf("redelivery: %v, effects = %d, want 1", err, effects(t, db))
	}
}

func TestACancelledCallerLeavesTheEventUnhandled(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	in, id := inbox.New(db, "engine"), uuid.NewString()
	ctx, cancel := context.WithCancel(t.Context())
	err := in.Once(ctx, id, func(tx *gorm.DB) error {
		err := effect(id)(tx)
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Once = %v, want context.Canceled", err)
	}
	if err := in.Once(t.Context(), id, effect(id)); err != nil || effects(t, db) != 1 {
		t.Errorf("redelivery: %v, effects = %d, want 1", err, effects(t, db))
	}
}

func TestAMalformedEventIDIsNamed(t *testing.T) {
	t.Parallel()
	err := inbox.New(newDB(t), "engine").Once(t.Context(), "7", effect("7"))
	if !errors.Is(err, inbox.ErrBadEventID) || !strings.Contains(err.Error(), `"7"`) {
		t.Errorf("Once = %v, want ErrBadEventID naming the id", err)
	}
}

func TestPruneDeletesOnlyOldEventsOfItsConsumer(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	const old = 12_000 // more than two batches
	err := db.Exec(`INSERT INTO inbox SELECT c, gen_random_uuid(), now() - interval '3 days'
		FROM generate_series(1, ?), unnest('{engine,other}'::text[]) c`, old).Error
	if err != nil {
		t.Fatal(err)
	}
	in, id := inbox.New(db, "engine"), uuid.NewString()
	if err := in.Once(t.Context(), id, effect(id)); err != nil {
		t.Fatal(err)
	}
	n, err := in.Prune(t.Context(), 48*time.Hour)
	if err != nil || n != old {
		t.Errorf("Prune = %d, %v; want %d", n, err, old)
	}
	var left []struct {
		Consumer string
		N        int
	}
	if err := db.Raw("SELECT consumer, count(*) n FROM inbox GROUP BY 1 ORDER BY 1").Scan(&left).Error; err != nil {
		t.Fatal(err)
	}
	if len(left) != 2 || left[0].N != 1 || left[1].N != old {
		t.Errorf("left = %v, want engine 1, other %d", left, old)
	}
	if err := in.Once(t.Context(), id, effect(id)); err != nil || effects(t, db) != 1 {
		t.Errorf("after Prune a recent duplicate: %v, effects = %d, want 1", err, effects(t, db))
	}
}
