package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// accounts stands in for the task API. A whole-stack test covers the real one.
type accounts struct {
	gone  map[string]bool
	err   error
	asked int // the number of users
	most  int // in one request
}

func (a *accounts) Existing(_ context.Context, ids []string) (map[string]bool, error) {
	if a.err != nil {
		return nil, a.err
	}
	a.asked, a.most = a.asked+len(ids), max(a.most, len(ids))
	out := map[string]bool{}
	for _, id := range ids {
		out[id] = !a.gone[id]
	}
	return out, nil
}

func (w *world) janitor(a *accounts) *domain.Janitor {
	return domain.NewJanitor(w.store, a, time.Hour, slog.New(slog.DiscardHandler))
}

func (w *world) round(j *domain.Janitor) {
	w.t.Helper()
	if err := j.Round(w.t.Context()); err != nil {
		w.t.Fatalf("Round: %v", err)
	}
}

// fill stores a waiting, a delivered and a cancelled reminder of a user, and preferences.
func (w *world) fill(user string, first int) {
	w.t.Helper()
	for n, r := range []domain.Reminder{reminder(first, 1, 60), reminder(first+1, 1, 0), reminder(first+2, 1, 60), cancelled(first+2, 2)} {
		want := domain.Scheduled
		if r.UserID = user; n == 3 {
			want = domain.Cancelled
		}
		w.apply(r, want)
	}
	if err := w.store.SavePreferences(w.t.Context(), user, domain.DefaultPreferences(), noon); err != nil {
		w.t.Fatal(err)
	}
	w.deliver(1)
}

func (w *world) wantRows(want map[string]int) {
	w.t.Helper()
	for table, n := range want {
		if got := w.count(table); got != n {
			w.t.Errorf("%s: got %d rows, want %d", table, got, n)
		}
	}
}

func TestDataOfADeletedAccountIsRemovedInTheSecondRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(ada, 1)
	w.fill(bob, 11)
	both := map[string]int{"reminders": 6, "notifications": 2, "deliveries": 2, "preferences": 2, "heads": 2, "changes": 2}
	one := map[string]int{"reminders": 3, "notifications": 1, "deliveries": 1, "preferences": 1, "heads": 1, "changes": 1}
	a := &accounts{gone: map[string]bool{ada: true}}
	j := w.janitor(a)
	w.round(j)
	w.wantRows(both)
	w.round(j)
	w.wantRows(one)
	if len(w.list(ada)) != 0 || len(w.list(bob)) != 1 {
		t.Errorf("notifications: got %d of the deleted account and %d of the other, want 0 and 1", len(w.list(ada)), len(w.list(bob)))
	}
	w.round(j)
	w.wantRows(one)
	if heads, err := w.store.Heads(t.Context(), []string{ada, bob}); err != nil || len(heads) != 1 || heads[bob] != 1 {
		t.Errorf("Heads: %v, %v, want only the other account's", heads, err)
	}
	// A late reminder is removed too, also when it was delivered.
	w.apply(reminder(98, 1, 0), domain.Scheduled)
	w.apply(reminder(99, 1, 60), domain.Scheduled)
	w.deliver(1)
	if changes := w.wantConsistent(ada); len(changes) != 1 {
		t.Errorf("late changes: %+v, want one", changes)
	}
	w.round(j)
	w.round(j)
	w.wantRows(one)
}

func TestAnAccountMissingInOneRoundKeepsItsData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(ada, 1)
	all := map[string]int{"reminders": 3, "notifications": 1, "deliveries": 1, "preferences": 1}
	a := &accounts{gone: map[string]bool{ada: true}}
	j := w.janitor(a)
	w.round(j)
	a.gone[ada] = false // the task API's database has been restored
	w.round(j)
	a.gone[ada] = true
	w.round(j)
	w.wantRows(all)
}

func TestNoDataIsRemovedWhileTheTaskAPIIsUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill(ada, 1)
	a := &accounts{gone: map[string]bool{ada: true}, err: errors.New("unavailable")}
	j := w.janitor(a)
	for range 3 {
		if err := j.Round(t.Context()); !errors.Is(err, a.err) {
			t.Errorf("Round: got %v, want the error of the task API", err)
		}
	}
	w.wantRows(map[string]int{"reminders": 3, "notifications": 1, "preferences": 1})
}

// There are more users than one request may name, and one of them has more rows than one statement removes.
func TestEveryUserIsAskedAboutOnceInBoundedParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const users, rows = 2_500, 2_500
	exec := func(sql string, args ...any) {
		t.Helper()
		if err := w.db.Gorm.WithContext(t.Context()).Exec(sql, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO preferences (user_id, in_app, updated_at) SELECT gen_random_uuid(), true, now() FROM generate_series(1, ?)`, users-2)
	insert := `INSERT INTO notifications (id, user_id, task_id, kind, title, body, late, created_at)
		SELECT gen_random_uuid(), ?, gen_random_uuid(), 'reminder', 't', 'b', false, now() FROM generate_series(1, ?)`
	exec(insert, ada, rows)
	exec(insert, bob, 1)
	exec(`INSERT INTO preferences (user_id, in_app, updated_at) VALUES (?, true, now())`, bob) // bob has rows in two tables
	a := &accounts{gone: map[string]bool{ada: true}}
	j := w.janitor(a)
	w.round(j)
	if a.asked != users || a.most != 1000 {
		t.Errorf("asked about %d users, at most %d in one request; want %d, and 1000", a.asked, a.most, users)
	}
	w.round(j)
	w.wantRows(map[string]int{"notifications": 1, "preferences": users - 1})
	after, err := w.store.Users(t.Context(), uuid.Max.String(), 10)
	if err != nil || len(after) != 0 {
		t.Errorf("users after the last: got %v %v", after, err)
	}
	page, err := w.store.Users(t.Context(), uuid.Nil.String(), 10)
	if err != nil || len(page) != 10 || !slices.IsSorted(page) {
		t.Errorf("first page: got %v %v, want 10 in order", page, err)
	}
}

// Reminders of the account arrive and are delivered while its data is removed. They must not keep the others waiting, and
// the last removal leaves nothing.
func TestARemovalDoesNotStopDeliveries(t *testing.T) {
	t.Parallel()
	const rounds = 15
	w := newWorld(t)
	w.now = noon.Add(time.Hour)
	var group errgroup.Group
	group.Go(func() error {
		for range rounds {
			if err := w.store.RemoveUser(t.Context(), ada); err != nil {
				return err
			}
		}
		return nil
	})
	r := w.replica(&broker{}, "relay")
	group.Go(func() error {
		for i := range rounds {
			late, other := reminder(2*i, 1, 0), reminder(2*i+1, 1, 0)
			late.Timezone, other.UserID = "Asia/Tokyo", bob
			if err := r.take(t.Context(), []domain.Reminder{late, other}); err != nil {
				return err
			}
			if _, err := r.engine.RunOnce(t.Context()); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := w.store.RemoveUser(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if users, err := w.store.Users(t.Context(), uuid.Nil.String(), 10); err != nil || !slices.Equal(users, []string{bob}) {
		t.Errorf("users with data: %v, %v, want only the other one", users, err)
	}
	w.wantRows(map[string]int{"reminders": rounds, "notifications": rounds, "heads": 1, "zones": 0})
	if changes := w.wantConsistent(bob); len(changes) != rounds {
		t.Errorf("%d changes of the other user, want %d", len(changes), rounds)
	}
}
