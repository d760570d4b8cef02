package tasks_test

import (
	"errors"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

func (f *fixture) keyed(userID, key string, hash byte) (events.TaskData, bool, error) {
	return f.Create(ctx(), tasks.CreateRequest{UserID: userID, Fields: f.Fields(`{"title":"t"}`), Key: &tasks.IdempotencyKey{Key: key, Hash: [32]byte{hash}}})
}

func TestARepeatedRequestGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	first, replayed, err := f.keyed(user, "k", 1)
	if err != nil || replayed {
		t.Fatalf("first: got replayed %v, %v", replayed, err)
	}
	f.Patch(user, first.ID, `{"title":"changed meanwhile"}`)
	again, replayed, err := f.keyed(user, "k", 1)
	if err != nil || !replayed || !reflect.DeepEqual(again, first) {
		t.Errorf("again: got %+v replayed %v, %v; want the first answer %+v", again, replayed, err, first)
	}
	if _, _, err := f.keyed(user, "k", 2); !errors.Is(err, tasks.ErrKeyReused) {
		t.Errorf("another request: got %v, want ErrKeyReused", err)
	}
	if other, replayed, err := f.keyed(f.User(), "k", 2); err != nil || replayed || other.ID == first.ID {
		t.Errorf("another user: got replayed %v, %v; want a task of its own", replayed, err)
	}
	f.Exec(`UPDATE idempotency_keys SET created_at = created_at - interval '1 day 1 second'`)
	if late, replayed, err := f.keyed(user, "k", 2); err != nil || replayed || late.ID == first.ID {
		t.Errorf("a day later: got replayed %v, %v; want a new task", replayed, err)
	}
	f.Exec(`UPDATE idempotency_keys SET created_at = created_at - interval '1 day 1 second'`)
	if err := f.Prune(ctx()); err != nil {
		t.Fatal(err)
	}
	var left int64
	if err := f.DB.Raw(`SELECT count(*) FROM idempotency_keys`).Scan(&left).Error; err != nil || left != 0 {
		t.Errorf("after the clean-up: got %d keys %v, want none", left, err)
	}
}

func TestTheSameRequestManyTimesAtOnceMakesOneTask(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	var made, replayed, running atomic.Int64
	tasktest.Together(40, func(int) {
		switch _, again, err := f.keyed(user, "k", 1); {
		case errors.Is(err, tasks.ErrKeyRunning):
			running.Add(1)
		case err != nil:
			t.Errorf("Create: %v", err)
		case again:
			replayed.Add(1)
		default:
			made.Add(1)
		}
	})
	if made.Load() != 1 {
		t.Errorf("got %d made, %d replayed, %d told that it runs; want 1 made", made.Load(), replayed.Load(), running.Load())
	}
	if got := f.Types(events.TopicTaskEvents); len(got) != 1 {
		t.Errorf("task-events: got %v, want one", got)
	}
}

func TestARunningRequestIsToldAndARefusedOneLeavesNoKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	key := &tasks.IdempotencyKey{Key: "k"}
	answer := func([]tasks.OpResult) ([]byte, error) {
		if _, _, err := f.keyed(user, "k", 0); !errors.Is(err, tasks.ErrKeyRunning) {
			t.Errorf("while it runs: got %v, want ErrKeyRunning", err)
		}
		return nil, errors.New("the first request fails")
	}
	if _, err := f.Batch(ctx(), tasks.BatchRequest{UserID: user, Ops: []tasks.Op{f.CreateOp(`{"title":"t"}`)}, Key: key, Answer: answer}); err == nil {
		t.Error("the first request: got no error")
	}
	if _, replayed, err := f.keyed(user, "k", 0); err != nil || replayed {
		t.Errorf("after it failed: got replayed %v, %v; want a task", replayed, err)
	}
}
