package tasks_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
	"github.com/taskwire/taskwire/services/task-api/internal/tasktest"
)

func (f *fixture) batch(r tasks.BatchRequest) []tasks.OpResult {
	f.T.Helper()
	a, err := f.Batch(ctx(), r)
	if err != nil {
		f.T.Fatalf("Batch: %v", err)
	}
	return a.Results
}

func TestABatchIsOneTransactionWithSeqsInARowAndOneWake(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	first := f.Make(user, `{"title":"first","due_date":"2030-01-01","remind_at":"2029-12-31T09:00:00Z"}`)
	<-f.Box.Wake()
	ops := []tasks.Op{{TaskID: first.ID, Apply: tasktest.Lifecycle(domain.Complete)}}
	for i := range 300 {
		ops = append(ops, f.CreateOp(fmt.Sprintf(`{"title":"t%d"}`, i)))
	}
	ops = append(ops, tasks.Op{TaskID: first.ID, Apply: tasktest.Lifecycle(domain.Complete)}, f.CreateOp(`{"title":""}`), tasks.Op{TaskID: first.ID, Apply: tasktest.Lifecycle(domain.Reopen)})
	results := f.batch(tasks.BatchRequest{UserID: user, Ops: ops})
	<-f.Box.Wake()
	select {
	case <-f.Box.Wake():
		t.Error("wake: got two for one batch")
	default:
	}
	var transactions int64
	if err := f.DB.Raw(`SELECT count(DISTINCT xmin::text) FROM changes WHERE user_id = ? AND seq > 1`, user).Scan(&transactions).Error; err != nil || transactions != 1 {
		t.Errorf("transactions: got %d %v, want 1", transactions, err)
	}
	seqs := f.Seqs(user)
	if len(seqs) != 303 || seqs[302] != 303 {
		t.Fatalf("seqs: got %d up to %d, want 1 to 303", len(seqs), seqs[len(seqs)-1])
	}
	if heads, err := f.Heads(ctx(), []string{user}); err != nil || heads[user] != 303 {
		t.Errorf("head: got %d %v, want 303", heads[user], err)
	}
	for i, row := range f.Sent(events.TopicTaskEvents) {
		e, err := events.DecodeTaskEvent([]byte(row.Data))
		if err != nil || e.Seq != int64(i)+1 {
			t.Fatalf("event %d: got seq %d %v, want all events in the order of seq", i, e.Seq, err)
		}
	}
	if got := f.Types(events.TopicReminders); !slices.Equal(got, []string{"scheduled", "cancelled", "scheduled"}) {
		t.Errorf("reminders: got %v", got)
	}
	if last := results[303]; last.Err != nil || last.Task.Version != 3 || results[301].Task.Version != 2 || results[302].Err == nil {
		t.Errorf("results: got %+v", last)
	}
	for _, r := range results[1:301] {
		if got, err := f.Get(ctx(), user, r.Task.ID); err != nil || got.Seq != r.Task.Seq || !got.CreatedAt.Equal(r.Task.CreatedAt) || got.Tags == nil {
			t.Fatalf("Get: got %+v %v, want what the batch answered: %+v", got, err, r.Task)
		}
	}
	// The next write goes on where the batch ended.
	if next := f.Make(user, `{"title":"next"}`); next.Seq != 304 {
		t.Errorf("seq after the batch: got %d, want 304", next.Seq)
	}
}

func TestABatchThatChangesNothingTakesNoSeq(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"t"}`)
	key := &tasks.IdempotencyKey{Key: "k"}
	answer := func([]tasks.OpResult) ([]byte, error) { return []byte("kept"), nil }
	ops := []tasks.Op{{TaskID: task.ID, Apply: tasktest.Lifecycle(domain.Reopen)}, f.CreateOp(`{"title":""}`)}
	for _, k := range []*tasks.IdempotencyKey{nil, key, key} {
		if _, err := f.Batch(ctx(), tasks.BatchRequest{UserID: user, Ops: ops, Key: k, Answer: answer}); err != nil {
			t.Fatal(err)
		}
	}
	if next := f.Make(user, `{"title":"t2"}`); next.Seq != 2 {
		t.Errorf("seq: got %d, want 2", next.Seq)
	}
}

func TestARowThatTheDatabaseRefusesIsLostAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	owner, err := pg.Open(ctx(), pg.Config{URL: f.PG.OwnerURL})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close(owner)
	if err := owner.Exec(`ALTER TABLE tasks ADD CHECK (title <> 'bad')`).Error; err != nil {
		t.Fatal(err)
	}
	ops := []tasks.Op{f.CreateOp(`{"title":"a"}`), f.CreateOp(`{"title":"bad"}`), f.CreateOp(`{"title":"c"}`)}
	results := f.batch(tasks.BatchRequest{UserID: user, Ops: ops})
	if results[0].Err != nil || !errors.Is(results[1].Err, tasks.ErrRefused) || results[2].Err != nil || results[2].Task.Seq != 2 {
		t.Errorf("results: got %+v, want the second refused and the others done", results)
	}
	if got := f.Seqs(user); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("seqs: got %v, want 1 and 2", got)
	}
	if n := len(f.Sent(events.TopicTaskEvents)); n != 2 {
		t.Errorf("events: got %d, want 2", n)
	}
	var failed *tasks.AtomicError
	if _, err := f.Batch(ctx(), tasks.BatchRequest{UserID: user, Ops: ops, Atomic: true}); !errors.As(err, &failed) || failed.Index != 1 {
		t.Errorf("atomic: got %v, want operation 1 to be named", err)
	}
	if n := len(f.Seqs(user)); n != 2 {
		t.Errorf("changes: got %d, want 2", n)
	}
}

func TestASkipInABatchMakesOneSuccessor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	task := f.Make(user, `{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	skip, reopen := tasks.Op{TaskID: task.ID, Skip: true}, tasks.Op{TaskID: task.ID, Apply: tasktest.Lifecycle(domain.Reopen)}
	for _, r := range f.batch(tasks.BatchRequest{UserID: user, Ops: []tasks.Op{skip, skip, reopen, skip}}) {
		if r.Err != nil {
			t.Errorf("skip: %v", r.Err)
		}
	}
	if got := f.Types(events.TopicTaskEvents); !slices.Equal(got, []string{"created", "updated", "created", "reopened", "updated"}) {
		t.Errorf("events: got %v", got)
	}
}

func TestACreateWithAnIDIsMadeOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.User()
	op := f.CreateOp(`{"title":"t"}`)
	op.TaskID = "01890a5d-ac96-774b-bcce-b302099a8057"
	first := f.batch(tasks.BatchRequest{UserID: user, Ops: []tasks.Op{op, op}})
	if !first[0].Made || first[1].Made || first[1].Err != nil {
		t.Errorf("batch: got %+v", first)
	}
	f.Apply(user, op.TaskID, domain.Delete)
	aliased := f.CreateOp(`{"title":"t"}`)
	aliased.TaskID, aliased.Alias = "11890a5d-ac96-774b-bcce-b302099a8057", op.TaskID
	for _, r := range f.batch(tasks.BatchRequest{UserID: user, Ops: []tasks.Op{op, aliased}}) {
		if r.Made || r.Err != nil {
			t.Errorf("batch over a deleted task: got %+v, want nothing made", r)
		}
	}
}
