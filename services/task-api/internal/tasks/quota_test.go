package tasks_test

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

// limited returns a fixture whose accounts may have quota tasks.
func limited(t *testing.T, quota int64) *fixture {
	f := newFixture(t)
	f.Service = tasks.New(f.Store, publish.New(slog.New(slog.DiscardHandler)), f.Now, quota)
	return f
}

// counted fails the test unless the stored count of the user's tasks is their number, and that is want.
func (f *fixture) counted(userID string, want int64) {
	f.T.Helper()
	var stored, there int64
	f.DB.Raw(`SELECT live FROM heads WHERE user_id = ?`, userID).Scan(&stored)
	f.DB.Raw(`SELECT count(*) FROM tasks WHERE user_id = ? AND deleted_at IS NULL`, userID).Scan(&there)
	if stored != want || there != want {
		f.T.Errorf("got a count of %d for %d tasks, want %d", stored, there, want)
	}
}

func (f *fixture) tryCreate(userID, body string) error {
	_, _, err := f.Create(ctx(), tasks.CreateRequest{UserID: userID, Fields: f.Fields(body)})
	return err
}

func TestAnAccountHasAtMostItsQuotaOfTasks(t *testing.T) {
	t.Parallel()
	f := limited(t, 3)
	user, other := f.User(), f.User()
	first := f.Make(user, `{"title":"1"}`)
	f.Make(user, `{"title":"2"}`)
	f.Make(user, `{"title":"3"}`)
	if err := f.tryCreate(user, `{"title":"4"}`); !errors.Is(err, tasks.ErrQuota) {
		t.Errorf("the fourth of three: got %v, want ErrQuota", err)
	}
	f.Make(other, `{"title":"another's"}`)
	f.counted(user, 3)

	f.Apply(user, first.ID, domain.Complete) // a completed task is still one
	if err := f.tryCreate(user, `{"title":"4"}`); !errors.Is(err, tasks.ErrQuota) {
		t.Errorf("after a completion: got %v, want ErrQuota", err)
	}
	f.Apply(user, first.ID, domain.Delete)
	f.counted(user, 2)
	f.Make(user, `{"title":"4"}`)
	_, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: first.ID, Apply: tasktest.Lifecycle(domain.Restore), Deleted: true, Restores: true}})
	if !errors.Is(err, tasks.ErrQuota) {
		t.Errorf("restore of one too many: got %v, want ErrQuota", err)
	}
	f.counted(user, 3)
	f.counted(other, 1)
}

// A task that exists already is no new one, for a create that is repeated as for an import.
func TestTheQuotaAllowsWhatChangesNoCount(t *testing.T) {
	t.Parallel()
	f := limited(t, 1)
	user, id := f.User(), uuid.NewString()
	for range 3 {
		if _, err := f.Service.Create(ctx(), tasks.CreateRequest{UserID: user, ID: id, Fields: f.Fields(`{"title":"1"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	f.Apply(user, id, domain.Complete)
	f.counted(user, 1)
}

func TestABatchAtTheQuotaRefusesOnlyWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	f := limited(t, 2)
	user := f.User()
	old := f.Make(user, `{"title":"old"}`)
	remove := tasks.Op{TaskID: old.ID, Apply: tasktest.Lifecycle(domain.Delete), Deleted: true, Deletes: true}
	answer, err := f.Batch(ctx(), tasks.BatchRequest{UserID: user, Ops: []tasks.Op{
		f.CreateOp(`{"title":"2"}`), f.CreateOp(`{"title":"3"}`), remove, f.CreateOp(`{"title":"4"}`), f.CreateOp(`{"title":"5"}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false, true, true, false} {
		if got := answer.Results[i].Err; (got == nil) != want || (got != nil && !errors.Is(got, tasks.ErrQuota)) {
			t.Errorf("operation %d: got %v, want success %t", i, got, want)
		}
	}
	f.counted(user, 2)

	_, err = f.Batch(ctx(), tasks.BatchRequest{UserID: user, Atomic: true, Ops: []tasks.Op{
		{TaskID: answer.Results[0].Task.ID, Apply: tasktest.Lifecycle(domain.Delete), Deleted: true, Deletes: true}, f.CreateOp(`{"title":"6"}`), f.CreateOp(`{"title":"7"}`),
	}})
	if !errors.Is(err, tasks.ErrQuota) {
		t.Errorf("atomic: got %v, want ErrQuota", err)
	}
	f.counted(user, 2)
}

// The engine's successor belongs to a completion that was answered with 2xx, so no quota may hold it back.
func TestTheQuotaLetsASeriesContinue(t *testing.T) {
	t.Parallel()
	f := limited(t, 1)
	user := f.User()
	task := f.Make(user, `{"title":"water","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	if _, err := f.Change(ctx(), tasks.ChangeRequest{UserID: user, Op: tasks.Op{TaskID: task.ID, Skip: true}}); !errors.Is(err, tasks.ErrQuota) {
		t.Errorf("skip at the quota: got %v, want ErrQuota", err)
	}
	f.counted(user, 1)
	f.Apply(user, task.ID, domain.Complete)
	_, made, err := f.CreateSuccessor(ctx(), tasks.SuccessorRequest{UserID: user, TaskID: task.ID, Actor: "recurring-task"})
	if err != nil || !made {
		t.Fatalf("successor at the quota: got %t, %v", made, err)
	}
	f.counted(user, 2)
	f.Apply(user, task.ID, domain.Reopen) // withdraws the successor
	f.counted(user, 1)
	if _, _, err := f.CreateSuccessor(ctx(), tasks.SuccessorRequest{UserID: user, TaskID: task.ID, Actor: "recurring-task"}); !errors.Is(err, domain.ErrNotDone) {
		t.Errorf("successor of an open task: got %v", err)
	}
	f.counted(user, 1)
	f.Apply(user, task.ID, domain.Complete)
	if _, _, err := f.CreateSuccessor(ctx(), tasks.SuccessorRequest{UserID: user, TaskID: task.ID, Actor: "recurring-task"}); err != nil {
		t.Fatal(err) // brings back the withdrawn one
	}
	f.counted(user, 2)
}

func TestConcurrentCreatesStayWithinTheQuota(t *testing.T) {
	t.Parallel()
	const quota, writers, each = 25, 10, 10
	f := limited(t, quota)
	user := f.User()
	var made, refused atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				switch err := f.tryCreate(user, `{"title":"t"}`); {
				case err == nil:
					made.Add(1)
				case errors.Is(err, tasks.ErrQuota):
					refused.Add(1)
				default:
					t.Errorf("create: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if made.Load() != quota || refused.Load() != writers*each-quota {
		t.Errorf("got %d tasks and %d refusals, want %d and %d", made.Load(), refused.Load(), quota, writers*each-quota)
	}
	f.counted(user, quota)
}
