package postgres

import (
	"errors"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

func (f *fixture) keyed(userID, key string, hash byte) (events.TaskData, bool, error) {
	return f.Create(ctx(), CreateRequest{UserID: userID, Fields: f.fields(`{"title":"t"}`), Key: &IdempotencyKey{Key: key, Hash: [32]byte{hash}}})
}

func TestARepeatedRequestGetsTheFirstAnswer(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	first, replayed, err := f.keyed(user, "k", 1)
	if err != nil || replayed {
		t.Fatalf("first: got replayed %v, %v", replayed, err)
	}
	f.patch(user, first.ID, `{"title":"changed meanwhile"}`)
	again, replayed, err := f.keyed(user, "k", 1)
	if err != nil || !replayed || !reflect.DeepEqual(again, first) {
		t.Errorf("again: got %+v replayed %v, %v; want the first answer %+v", again, replayed, err, first)
	}
	if _, _, err := f.keyed(user, "k", 2); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another request: got %v, want ErrKeyReused", err)
	}
	if other, replayed, err := f.keyed(f.user(), "k", 2); err != nil || replayed || other.ID == first.ID {
		t.Errorf("another user: got replayed %v, %v; want a task of its own", replayed, err)
	}
	f.exec(`UPDATE idempotency_keys SET created_at = created_at - interval '1 day 1 second'`)
	if late, replayed, err := f.keyed(user, "k", 2); err != nil || replayed || late.ID == first.ID {
		t.Errorf("a day later: got replayed %v, %v; want a new task", replayed, err)
	}
	f.exec(`UPDATE idempotency_keys SET created_at = created_at - interval '1 day 1 second'`)
	if err := f.Maintain(ctx()); err != nil {
		t.Fatal(err)
	}
	var left int64
	if err := f.db.Raw(`SELECT count(*) FROM idempotency_keys`).Scan(&left).Error; err != nil || left != 0 {
		t.Errorf("after the clean-up: got %d keys %v, want none", left, err)
	}
}

func TestTheSameRequestManyTimesAtOnceMakesOneTask(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	var made, replayed, running atomic.Int64
	together(40, func(int) {
		switch _, again, err := f.keyed(user, "k", 1); {
		case errors.Is(err, ErrKeyRunning):
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
	if got := f.types(events.TopicTaskEvents); len(got) != 1 {
		t.Errorf("task-events: got %v, want one", got)
	}
}

func TestARunningRequestIsToldAndARefusedOneLeavesNoKey(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	err := f.outbox.InTx(ctx(), func(tx *outbox.Tx) error {
		if _, _, err := claim(tx.DB, user, IdempotencyKey{Key: "k"}); err != nil {
			t.Errorf("claim: %v", err)
		}
		if _, _, err := f.keyed(user, "k", 0); !errors.Is(err, ErrKeyRunning) {
			t.Errorf("while it runs: got %v, want ErrKeyRunning", err)
		}
		return errUnchanged // the first request fails
	})
	if !errors.Is(err, errUnchanged) {
		t.Fatal(err)
	}
	if _, replayed, err := f.keyed(user, "k", 0); err != nil || replayed {
		t.Errorf("after it failed: got replayed %v, %v; want a task", replayed, err)
	}
}
