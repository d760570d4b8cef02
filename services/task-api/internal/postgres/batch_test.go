package postgres

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

func (f *fixture) createOp(body string) Op {
	fields := f.fields(body)
	return Op{Create: func(id, userID string, d domain.Defaults) (domain.Task, error) {
		return domain.New(id, userID, fields, d)
	}}
}

func (f *fixture) batch(r BatchRequest) []OpResult {
	f.t.Helper()
	a, err := f.Batch(ctx(), r)
	if err != nil {
		f.t.Fatalf("Batch: %v", err)
	}
	return a.Results
}

func TestABatchIsOneTransactionWithSeqsInARowAndOneWake(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	first := f.create(user, `{"title":"first","due_date":"2030-01-01","remind_at":"2029-12-31T09:00:00Z"}`)
	<-f.outbox.Wake()
	ops := []Op{{TaskID: first.ID, Apply: apply(domain.Complete)}}
	for i := range 300 {
		ops = append(ops, f.createOp(fmt.Sprintf(`{"title":"t%d"}`, i)))
	}
	ops = append(ops, Op{TaskID: first.ID, Apply: apply(domain.Complete)}, f.createOp(`{"title":""}`), Op{TaskID: first.ID, Apply: apply(domain.Reopen)})
	results := f.batch(BatchRequest{UserID: user, Ops: ops})
	<-f.outbox.Wake()
	select {
	case <-f.outbox.Wake():
		t.Error("wake: got two for one batch")
	default:
	}
	var transactions int64
	if err := f.db.Raw(`SELECT count(DISTINCT xmin::text) FROM changes WHERE user_id = ? AND seq > 1`, user).Scan(&transactions).Error; err != nil || transactions != 1 {
		t.Errorf("transactions: got %d %v, want 1", transactions, err)
	}
	seqs := f.seqs(user)
	if len(seqs) != 303 || seqs[302] != 303 {
		t.Fatalf("seqs: got %d up to %d, want 1 to 303", len(seqs), seqs[len(seqs)-1])
	}
	if heads, err := f.Heads(ctx(), []string{user}); err != nil || heads[user] != 303 {
		t.Errorf("head: got %d %v, want 303", heads[user], err)
	}
	for i, row := range f.sent(events.TopicTaskEvents) {
		e, err := events.DecodeTaskEvent([]byte(row.Data))
		if err != nil || e.Seq != int64(i)+1 {
			t.Fatalf("event %d: got seq %d %v, want all events in the order of seq", i, e.Seq, err)
		}
	}
	if got := f.types(events.TopicReminders); !slices.Equal(got, []string{"scheduled", "cancelled", "scheduled"}) {
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
	if next := f.create(user, `{"title":"next"}`); next.Seq != 304 {
		t.Errorf("seq after the batch: got %d, want 304", next.Seq)
	}
}

func TestABatchThatChangesNothingTakesNoSeq(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	task := f.create(user, `{"title":"t"}`)
	key := &IdempotencyKey{Key: "k"}
	answer := func([]OpResult) ([]byte, error) { return []byte("kept"), nil }
	ops := []Op{{TaskID: task.ID, Apply: apply(domain.Reopen)}, f.createOp(`{"title":""}`)}
	for _, k := range []*IdempotencyKey{nil, key, key} {
		if _, err := f.Batch(ctx(), BatchRequest{UserID: user, Ops: ops, Key: k, Answer: answer}); err != nil {
			t.Fatal(err)
		}
	}
	if next := f.create(user, `{"title":"t2"}`); next.Seq != 2 {
		t.Errorf("seq: got %d, want 2", next.Seq)
	}
}

func TestARowThatTheDatabaseRefusesIsLostAlone(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	owner, err := pg.Open(ctx(), pg.Config{URL: f.pg.OwnerURL})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close(owner)
	if err := owner.Exec(`ALTER TABLE tasks ADD CHECK (title <> 'bad')`).Error; err != nil {
		t.Fatal(err)
	}
	ops := []Op{f.createOp(`{"title":"a"}`), f.createOp(`{"title":"bad"}`), f.createOp(`{"title":"c"}`)}
	results := f.batch(BatchRequest{UserID: user, Ops: ops})
	if results[0].Err != nil || !errors.Is(results[1].Err, ErrRefused) || results[2].Err != nil || results[2].Task.Seq != 2 {
		t.Errorf("results: got %+v, want the second refused and the others done", results)
	}
	if got := f.seqs(user); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("seqs: got %v, want 1 and 2", got)
	}
	if n := len(f.sent(events.TopicTaskEvents)); n != 2 {
		t.Errorf("events: got %d, want 2", n)
	}
	var failed *AtomicError
	if _, err := f.Batch(ctx(), BatchRequest{UserID: user, Ops: ops, Atomic: true}); !errors.As(err, &failed) || failed.Index != 1 {
		t.Errorf("atomic: got %v, want operation 1 to be named", err)
	}
	if n := len(f.seqs(user)); n != 2 {
		t.Errorf("changes: got %d, want 2", n)
	}
}

func TestASkipInABatchMakesOneSuccessor(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	task := f.create(user, `{"title":"t","due_date":"2030-01-01","recurrence":{"rrule":"FREQ=DAILY"}}`)
	skip, reopen := Op{TaskID: task.ID, Skip: true}, Op{TaskID: task.ID, Apply: apply(domain.Reopen)}
	for _, r := range f.batch(BatchRequest{UserID: user, Ops: []Op{skip, skip, reopen, skip}}) {
		if r.Err != nil {
			t.Errorf("skip: %v", r.Err)
		}
	}
	if got := f.types(events.TopicTaskEvents); !slices.Equal(got, []string{"created", "updated", "created", "reopened", "updated"}) {
		t.Errorf("events: got %v", got)
	}
}

func TestACreateWithAnIDIsMadeOnce(t *testing.T) {
	f := newFixture(t)
	user := f.user()
	op := f.createOp(`{"title":"t"}`)
	op.TaskID = "01890a5d-ac96-774b-bcce-b302099a8057"
	first := f.batch(BatchRequest{UserID: user, Ops: []Op{op, op}})
	if !first[0].Made || first[1].Made || first[1].Err != nil {
		t.Errorf("batch: got %+v", first)
	}
	f.change(user, op.TaskID, domain.Delete)
	aliased := f.createOp(`{"title":"t"}`)
	aliased.TaskID, aliased.Alias = "11890a5d-ac96-774b-bcce-b302099a8057", op.TaskID
	for _, r := range f.batch(BatchRequest{UserID: user, Ops: []Op{op, aliased}}) {
		if r.Made || r.Err != nil {
			t.Errorf("batch over a deleted task: got %+v, want nothing made", r)
		}
	}
}
