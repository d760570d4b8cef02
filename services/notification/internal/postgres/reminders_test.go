package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

func TestAReminderIsDeliveredOnceAtItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(reminder(1, 1, 5), domain.Scheduled)
	w.deliver(0)
	w.now = noon.Add(5*time.Minute - time.Microsecond)
	w.deliver(0)
	w.now = noon.Add(5 * time.Minute)
	w.deliver(1)
	w.deliver(0)
	w.wantCounts(1)
	n := w.list(ada)[0]
	if n.Title != "task 1 version 1" || n.TaskID != taskID(1) || n.Late || !n.CreatedAt.Equal(w.now) || n.ReadAt != nil || !n.DueAt.Equal(noon.Add(65*time.Minute)) {
		t.Errorf("notification %+v", n)
	}
}

func TestAReminderFollowsItsTask(t *testing.T) {
	t.Parallel()
	type step struct {
		r    domain.Reminder
		want domain.Outcome
	}
	schedule, move := reminder(1, 1, 5), reminder(1, 2, 30)
	for _, c := range []struct {
		name  string
		steps []step
		at    []int // the minutes past noon at which a notification is made
	}{
		{"scheduled", []step{{schedule, domain.Scheduled}}, []int{5}},
		{"moved later", []step{{schedule, domain.Scheduled}, {move, domain.Scheduled}}, []int{30}},
		{"moved earlier", []step{{reminder(1, 1, 30), domain.Scheduled}, {reminder(1, 2, 5), domain.Scheduled}}, []int{5}},
		{"cancelled", []step{{schedule, domain.Scheduled}, {cancelled(1, 2), domain.Cancelled}}, nil},
		{"cancelled and scheduled again", []step{{schedule, domain.Scheduled}, {cancelled(1, 2), domain.Cancelled}, {reminder(1, 3, 5), domain.Scheduled}}, []int{5}},
		{"the move arrives first", []step{{move, domain.Scheduled}, {schedule, domain.Stale}}, []int{30}},
		{"the cancellation arrives first", []step{{cancelled(1, 2), domain.Cancelled}, {schedule, domain.Stale}}, nil},
		{"the cancellation arrives between", []step{{schedule, domain.Scheduled}, {reminder(1, 3, 30), domain.Scheduled}, {cancelled(1, 2), domain.Stale}}, []int{30}},
		{"the same version again", []step{{schedule, domain.Scheduled}, {schedule, domain.Stale}}, []int{5}},
		{"in the original form", []step{{legacy(schedule, 1), domain.Scheduled}}, []int{5}},
		{"the original form, moved", []step{{legacy(schedule, 1), domain.Scheduled}, {legacy(move, 2), domain.Scheduled}}, []int{30}},
		{"the original form, out of order", []step{{legacy(move, 2), domain.Scheduled}, {legacy(schedule, 1), domain.Stale}}, []int{30}},
		{"a version after the original form", []step{{legacy(schedule, 1), domain.Scheduled}, {move, domain.Scheduled}}, []int{30}},
		{"a later original form after a version", []step{{move, domain.Scheduled}, {legacy(schedule, 60), domain.Scheduled}}, []int{5}},
		{"an earlier original form after a version", []step{{move, domain.Scheduled}, {legacy(schedule, 1), domain.Stale}}, []int{30}},
		{"an older version after both", []step{{move, domain.Scheduled}, {legacy(reminder(1, 0, 40), 60), domain.Scheduled}, {schedule, domain.Stale}}, []int{40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, s := range c.steps {
				w.apply(s.r, s.want)
			}
			var at []int
			for minute := range 60 {
				w.now = noon.Add(time.Duration(minute) * time.Minute)
				for range w.look() {
					at = append(at, minute)
				}
			}
			if !slices.Equal(at, c.at) {
				t.Errorf("notified at minutes %v, want %v", at, c.at)
			}
		})
	}
}

// Applies the events of one task in every order: the newest version decides.
func TestAnyOrderOfArrivalEndsInTheSameState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for task, order := range permutations(4) {
		versions := []domain.Reminder{reminder(task, 1, 5), cancelled(task, 2), reminder(task, 3, 10), reminder(task, 4, 20)}
		newest := int64(0)
		for _, i := range order {
			want := domain.Stale
			if v := versions[i]; v.TaskVersion > newest {
				newest, want = v.TaskVersion, domain.Scheduled
				if v.Cancelled {
					want = domain.Cancelled
				}
			}
			w.apply(versions[i], want)
		}
	}
	w.now = noon.Add(19 * time.Minute)
	w.deliver(0)
	w.now = noon.Add(20 * time.Minute)
	w.deliver(24)
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

func TestADeliveredInstantIsNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(reminder(1, 1, 5), domain.Scheduled)
	w.now = noon.Add(6 * time.Minute)
	w.deliver(1)
	w.apply(reminder(1, 2, 5), domain.Delivered) // renamed
	w.deliver(0)
	w.apply(cancelled(1, 3), domain.Cancelled)   // completed
	w.apply(reminder(1, 4, 5), domain.Delivered) // reopened
	w.deliver(0)
	w.apply(reminder(1, 5, 7), domain.Scheduled) // another instant
	w.now = noon.Add(7 * time.Minute)
	w.deliver(1)
	w.wantCounts(2)
}

func TestAfterADowntimeRemindersAreDeliveredOnceAndLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for task := range 10 {
		w.apply(reminder(task, 1, task*6), domain.Scheduled)
	}
	w.apply(cancelled(3, 2), domain.Cancelled) // completed while the engine was down
	w.now = noon.Add(54*time.Minute + 30*time.Second)
	w.deliver(9)
	w.deliver(0)
	w.wantCounts(9)
	for _, n := range w.list(ada) {
		wantLate := n.TaskID != taskID(9) // half a minute behind, below the threshold
		if n.Late != wantLate {
			t.Errorf("%s: late %t, want %t", n.Title, n.Late, wantLate)
		}
	}
}

func TestNextDueIsTheEarliestThatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := func(minutes int, ok bool) {
		t.Helper()
		next, found, err := w.store.NextDue(t.Context())
		if at := noon.Add(time.Duration(minutes) * time.Minute); err != nil || found != ok || (ok && !next.Equal(at)) {
			t.Errorf("NextDue: %s, %t, %v; want %s, %t", next, found, err, at, ok)
		}
	}
	want(0, false)
	w.apply(reminder(1, 1, 20), domain.Scheduled)
	w.apply(reminder(2, 1, 10), domain.Scheduled)
	want(10, true)
	w.apply(cancelled(2, 2), domain.Cancelled)
	want(20, true)
	w.now = noon.Add(20 * time.Minute)
	w.deliver(1)
	want(0, false)
	if _, err := w.store.Snooze(t.Context(), ada, w.list(ada)[0].ID, noon.Add(25*time.Minute), w.now); err != nil {
		t.Fatalf("Snooze: %v", err)
	}
	want(25, true)
}

func TestTheDatabaseRefusesAScheduledReminderWithoutItsTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.db.Gorm.Exec(`INSERT INTO reminders (task_id, user_id, title, task_version, event_at, state) VALUES (?, ?, 'x', 1, now(), 'scheduled')`, taskID(1), ada).Error
	if err == nil {
		t.Error("inserted, want a check to fail")
	}
	if err := w.db.Gorm.Exec(`DROP TABLE reminders`).Error; err == nil {
		t.Error("the service's role dropped a table")
	}
}

// The task API sends the event of one reminder again when its user moves to another zone.
func TestTheNewestZoneOfTheUserIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := func(zone string, task int, version int64, seconds int) domain.Reminder {
		r := reminder(task, version, 0)
		r.Timezone, r.EventAt = zone, noon.Add(time.Duration(seconds)*time.Second)
		return r
	}
	w.apply(in("America/New_York", 1, 1, 1), domain.Scheduled)
	w.apply(in("America/New_York", 2, 1, 2), domain.Scheduled)
	w.apply(in("Asia/Tokyo", 2, 1, 4), domain.Stale) // the user has moved: the same version, with the new zone
	w.apply(in("America/New_York", 3, 1, 3), domain.Scheduled)
	other := in("Europe/Berlin", 9, 1, 9)
	other.UserID = bob
	w.apply(other, domain.Scheduled)
	w.deliver(4)
	for user, want := range map[string]string{
		ada: "Due today at 22:00, Friday 1 March 2030 (Asia/Tokyo).",
		bob: "Due today at 14:00, Friday 1 March 2030 (Europe/Berlin).",
	} {
		for _, n := range w.list(user) {
			if n.Body != want {
				t.Errorf("%s: body %q, want %q", n.Title, n.Body, want)
			}
		}
	}
	if _, err := w.store.Snooze(t.Context(), bob, w.list(bob)[0].ID, w.now, w.now); err != nil {
		t.Fatal(err)
	}
	other.Timezone, other.EventAt = "UTC", noon.Add(time.Minute)
	w.apply(other, domain.Stale)
	w.deliver(1)
	for _, n := range w.list(bob) {
		if n.ReadAt == nil && n.Body != "Due today at 13:00, Friday 1 March 2030 (UTC)." {
			t.Errorf("after the snooze and another move: body %q, want it in UTC", n.Body)
		}
	}
}
