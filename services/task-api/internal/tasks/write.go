package tasks

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// This file decides writes. All of them come here: a create, a change and a skip are requests with one operation.

// Tx is a transaction that holds the locks of its users.
type Tx interface {
	publish.Tx
	// Mark and Rewind take back the events that were added since a mark.
	Mark() outbox.Mark
	Rewind(outbox.Mark)
	// Save leaves rows to be written with the commit.
	Save(w Writes)
	// Try writes the changes of one operation now. An error that matches ErrRefused leaves the transaction as it was
	// before; with any other the transaction is lost.
	Try(ctx context.Context, changes []Change) error
}

// Ask is what a request has to know before it can be decided.
type Ask struct {
	User    uuid.UUID
	Key     *IdempotencyKey // nil: the request has none
	Numbers int             // the change numbers that the request needs at most
	Tasks   []uuid.UUID     // the tasks that it names
	Next    []uuid.UUID     // those of them whose next occurrence it may make
}

// Answer is what the store found out for an Ask.
type Answer struct {
	Kept KeptAnswer
	// Seq is the newest of the change numbers that the transaction took for the user, for all requests together. It is
	// nil where the user has no account, or where another writer holds the user's lock and nobody waits for it.
	Seq   *int64
	Zone  *string       // the user's time zone; nil where Seq is nil
	Tasks []domain.Task // of the tasks asked for those that exist, deleted ones too. The first Ask of a user gets them all
}

// Writes are the rows that a transaction writes.
type Writes struct {
	Changes []Change
	Keys    []KeptKey
	Unused  map[uuid.UUID]int64 // change numbers to give back
}

// Change is one change of a task.
type Change struct {
	Task    domain.Task // after the change
	New     bool        // the task has no row yet
	Type    events.Type
	EventID string
	Payload []byte // the TaskUpdateEvent, which the change log keeps
}

// KeptKey is the answer to a request, to be kept under its key.
type KeptKey struct {
	User     uuid.UUID
	Key      IdempotencyKey
	Answer   string
	Replaces bool // an expired answer is kept under the key
}

// request is what one user asks for in one transaction: operations that are done in order, each on what those before it
// left. All fields from asked on are set while it is decided.
type request struct {
	ctx              context.Context //nolint:containedctx // its trace goes into the request's events
	user             uuid.UUID
	userID           string
	ops              []Op
	atomic           bool // the first operation that fails undoes all
	key              *IdempotencyKey
	encode           func([]OpResult) ([]byte, error) // makes the answer that key keeps; nil: the first result's task
	actor, causation string                           // as in publish.Change; actor "" is the user

	asked    Ask
	answer   Answer
	results  []OpResult
	body     []byte // the answer that is kept, or was
	replayed bool
	err      error
	missed   bool // nothing is decided: the user's lock was held
}

// newRequest makes a request. An id that is not a UUID is nobody's.
func newRequest(ctx context.Context, userID string, key *IdempotencyKey, ops ...Op) (*request, error) {
	user, err := uuid.Parse(userID)
	if err != nil {
		return nil, fmt.Errorf("%w: user id %q", ErrNoUser, userID)
	}
	return &request{ctx: ctx, user: user, userID: user.String(), key: key, ops: ops, atomic: true}, nil
}

// begin forgets the outcome of an earlier attempt and returns what the request has to know.
func (r *request) begin() Ask {
	r.asked, r.answer = Ask{User: r.user, Key: r.key}, Answer{}
	r.results, r.body, r.replayed, r.err, r.missed = nil, nil, false, nil, false
	for _, op := range r.ops {
		op.ask(&r.asked)
	}
	return r.asked
}

// writeAlone decides one request in a transaction of its own, which waits for the user's lock.
func (s *Service) writeAlone(r *request) error {
	err := s.write(r.ctx, []*request{r}, true, false)
	if errors.Is(err, ErrKeyTaken) {
		err = s.write(r.ctx, []*request{r}, true, false) // now the other request's answer is found
	}
	if errors.Is(err, ErrRefused) && len(r.ops) > 1 {
		err = s.write(r.ctx, []*request{r}, true, true)
	}
	if err != nil {
		return err
	}
	return r.err
}

// write decides requests in one transaction. Its error means that nothing was written, or that nobody knows. A request's
// own outcome is in the request. With each, every operation is written by itself, so that one that the database refuses
// is lost alone.
func (s *Service) write(ctx context.Context, requests []*request, wait, each bool) error {
	asks := make([]Ask, len(requests))
	for i, r := range requests {
		asks[i] = r.begin()
	}
	return s.store.Write(ctx, asks, wait, func(tx Tx, answers []Answer) error {
		w := newWriter(s, tx, requests, answers, each)
		for _, r := range requests {
			body, replayed, err := r.answer.Kept.replay()
			switch {
			case err != nil:
				r.err = err
			case replayed:
				r.body, r.replayed = []byte(body), true
			case r.answer.Seq == nil && wait:
				r.err = ErrNoUser
			case r.answer.Seq == nil:
				r.missed = true
			default:
				r.err = w.do(r)
			}
			if each && r.err != nil {
				return r.err // what was written by itself goes with the transaction
			}
		}
		w.save()
		return nil
	})
}

// writer is the state of a transaction: the users' tasks as they are by now, and what is to be written.
type writer struct {
	s       *Service
	tx      Tx
	each    bool
	users   map[uuid.UUID]*account
	changes []Change
	keys    []KeptKey
}

// newWriter gives each request its answer, and each user the numbers that the transaction took.
func newWriter(s *Service, tx Tx, requests []*request, answers []Answer, each bool) *writer {
	w := &writer{s: s, tx: tx, each: each, users: make(map[uuid.UUID]*account, len(requests))}
	for i, r := range requests {
		r.answer = answers[i]
		if r.answer.Seq == nil || !r.answer.Kept.free() {
			continue
		}
		a := w.users[r.user]
		if a == nil {
			a = &account{zone: *r.answer.Zone, next: *r.answer.Seq + 1}
			w.users[r.user] = a
		}
		n := int64(r.asked.Numbers)
		a.next, a.left = a.next-n, a.left+n
		for _, t := range r.answer.Tasks {
			a.put(t)
		}
	}
	return w
}

// do does the operations of a request. Its error is the request's, which then leaves no trace.
func (w *writer) do(r *request) (err error) {
	a := w.users[r.user]
	start := w.mark(a)
	defer func() {
		if err != nil {
			w.rewind(a, start)
			r.results = nil
		}
	}()
	for i, op := range r.ops {
		mark := w.mark(a)
		result, err := w.operation(a, r, op)
		step := w.changes[mark.changes:]
		if err == nil && result.Err == nil && w.each && len(step) > 0 {
			if err = w.tx.Try(r.ctx, step); errors.Is(err, ErrRefused) {
				result.Err, err = err, nil
			}
		}
		switch {
		case err != nil:
			return err
		case result.Err == nil:
			for _, c := range step {
				a.put(c.Task)
			}
		case r.atomic:
			return &AtomicError{i, result.Err}
		default:
			w.rewind(a, mark)
			result = OpResult{Err: result.Err}
		}
		r.results = append(r.results, result)
	}
	if r.key == nil {
		return nil
	}
	kept, err := r.keep()
	if err == nil {
		w.keys = append(w.keys, kept)
	}
	return err
}

// record adds a change of a task, with its events, to what is written. before is nil for a new task.
func (w *writer) record(a *account, r *request, before *domain.Task, after domain.Task, c publish.Change) (domain.Task, error) {
	after.Version, after.Seq = 1, a.number()
	if before != nil {
		after.Version = before.Version + 1
	}
	c.Task, c.Actor, c.Causation = after, r.actor, r.causation
	if c.Actor == "" {
		c.Actor = r.userID
	}
	update, err := w.s.publish(r.ctx, w.tx, before, c)
	if err != nil {
		return domain.Task{}, err
	}
	w.changes = append(w.changes, Change{Task: after, New: before == nil, Type: c.Type, EventID: update.ID, Payload: update.Data})
	return after, nil
}

// publish adds the events of a change to the outbox and returns the one that the change log keeps.
func (s *Service) publish(ctx context.Context, tx publish.Tx, before *domain.Task, c publish.Change) (publish.Made, error) {
	if _, err := s.events.PublishTaskEvent(ctx, tx, c); err != nil {
		return publish.Made{}, err
	}
	update, err := s.events.PublishTaskUpdateEvent(ctx, tx, c)
	if err != nil {
		return publish.Made{}, err
	}
	if kind, ok := domain.Reminder(before, c.Task, c.Task.UpdatedAt); ok {
		reminder := c
		reminder.Type = kind
		if _, err := s.events.PublishReminderEvent(ctx, tx, reminder); err != nil {
			return publish.Made{}, err
		}
	}
	return update, nil
}

// save leaves what was recorded to the store, and gives numbers back that no change took.
func (w *writer) save() {
	out := Writes{Keys: w.keys}
	if !w.each {
		out.Changes = w.changes
	}
	for user, a := range w.users {
		if a.left > 0 {
			if out.Unused == nil {
				out.Unused = map[uuid.UUID]int64{}
			}
			out.Unused[user] = a.left
		}
	}
	w.tx.Save(out)
}

// writerMark is a place to which a writer can be rewound.
type writerMark struct {
	events     outbox.Mark
	changes    int
	next, left int64
}

func (w *writer) mark(a *account) writerMark {
	return writerMark{w.tx.Mark(), len(w.changes), a.next, a.left}
}

func (w *writer) rewind(a *account, m writerMark) {
	w.tx.Rewind(m.events)
	w.changes, a.next, a.left = w.changes[:m.changes], m.next, m.left
}

// account is a user during a transaction.
type account struct {
	zone       string
	next, left int64                  // the next change number, and how many there are
	tasks      map[string]domain.Task // those that requests name or made, by id
	series     map[occurrence]string  // the ids of those that belong to a series
}

type occurrence struct {
	series string
	number int
}

// number takes the next change number. Each operation asked for as many as it can take.
func (a *account) number() int64 {
	a.next, a.left = a.next+1, a.left-1
	return a.next - 1
}

// put makes t the state of its task that the next operation finds.
func (a *account) put(t domain.Task) {
	if a.tasks == nil {
		a.tasks, a.series = map[string]domain.Task{}, map[occurrence]string{}
	}
	a.tasks[t.ID] = t
	if t.SeriesID != "" {
		a.series[occurrence{t.SeriesID, t.OccurrenceNo}] = t.ID
	}
}

// occurrence returns one occurrence of a series, also a deleted one.
func (a *account) occurrence(series string, number int) (domain.Task, bool) {
	t, ok := a.tasks[a.series[occurrence{series, number}]]
	return t, ok
}
