package tasks

// This file runs every write: it decides requests in memory, in one transaction of the store. A create, a change and a skip
// are requests with one operation. operation.go decides what an operation does.

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// request is one user's list of operations for one transaction. They run in order, and each sees the effects of the earlier
// ones. The fields from asked on are set while the request is decided.
type request struct {
	ctx              context.Context //nolint:containedctx // its trace goes into the request's events
	user             uuid.UUID
	userID           string
	ops              []Op
	atomic           bool // the first failure undoes all operations
	key              *IdempotencyKey
	encode           func([]OpResult) ([]byte, error) // encodes the answer that is kept; nil: the first result's task
	actor, causation string                           // as in publish.Change; actor "" means the user

	asked    Ask
	answer   Answer
	results  []OpResult
	body     []byte // the kept answer, of this request or of the first one
	replayed bool
	err      error
	rooms    []Place // where earlier attempts found no room
	missed   bool    // the transaction did not decide the request; it must be written alone
}

// newRequest returns a request. For a malformed user id it returns ErrNoUser.
func newRequest(ctx context.Context, userID string, key *IdempotencyKey, ops ...Op) (*request, error) {
	user, err := uuid.Parse(userID)
	if err != nil {
		return nil, fmt.Errorf("%w: user id %q", ErrNoUser, userID)
	}
	return &request{ctx: ctx, user: user, userID: user.String(), key: key, ops: ops, atomic: true}, nil
}

// begin resets the outcome of an earlier attempt and returns the request's Ask.
func (r *request) begin() Ask {
	r.asked, r.answer = Ask{User: r.user, Key: r.key}, Answer{}
	r.results, r.body, r.replayed, r.err, r.missed = nil, nil, false, nil, false
	for _, op := range r.ops {
		op.ask(&r.asked)
		op.askPlaces(&r.asked)
	}
	for _, place := range r.rooms {
		r.asked.Places = append(r.asked.Places, place)
		r.asked.Numbers += 2 * place.Rows
	}
	return r.asked
}

// writeAlone writes one request in its own transaction, which waits for the user's lock. When the request needs room between
// two tasks, it is decided again.
func (s *Service) writeAlone(r *request) error {
	for range maxRooms {
		err := s.writeOnce(r)
		place, ok := needsRoom(err)
		if !ok {
			return err
		}
		r.rooms = append(r.rooms, place)
	}
	return domain.ErrNoRoom
}

func (s *Service) writeOnce(r *request) error {
	err := s.write(r.ctx, []*request{r}, true, false)
	if errors.Is(err, ErrKeyTaken) {
		err = s.write(r.ctx, []*request{r}, true, false) // the other request has committed, so its answer is found now
	}
	if errors.Is(err, ErrRefused) && len(r.ops) > 1 {
		err = s.write(r.ctx, []*request{r}, true, true)
	}
	if err != nil {
		return err
	}
	return r.err
}

// write decides requests in one transaction and stores the outcome of each in the request. After an error, nothing was
// written, or the outcome is unknown because the connection was lost. With each, every operation is written separately, so
// that the database can refuse one and accept the others.
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
				return r.err // the rollback undoes the operations that were written already
			}
		}
		w.save()
		return nil
	})
}

// writer is the state of a transaction: the users' tasks after the operations so far, and the rows to write.
type writer struct {
	s       *Service
	tx      Tx
	each    bool
	users   map[uuid.UUID]*account
	changes []Change
	keys    []KeptKey
}

// newWriter sets the answer of each request, and collects the change numbers and tasks of each user.
func newWriter(s *Service, tx Tx, requests []*request, answers []Answer, each bool) *writer {
	w := &writer{s: s, tx: tx, each: each, users: make(map[uuid.UUID]*account, len(requests))}
	for i, r := range requests {
		r.answer = answers[i]
		if r.answer.Seq == nil || !r.answer.Kept.free() {
			continue
		}
		a := w.users[r.user]
		if a == nil {
			a = &account{zone: *r.answer.Zone, next: *r.answer.Seq + 1, live: *r.answer.Live, counted: *r.answer.Live}
			w.users[r.user] = a
		}
		n := int64(r.asked.Numbers)
		a.next, a.left, a.live = a.next-n, a.left+n, a.live-int64(r.asked.Live)
		for _, t := range r.answer.Tasks {
			a.put(t)
		}
		a.learn(r.answer)
		a.rooms += len(r.rooms)
	}
	return w
}

// do runs the operations of a request. When it returns an error, it has undone all of them.
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

// record adds a change of a task to the rows to write, and its events to the outbox. before is nil for a new task.
func (w *writer) record(a *account, r *request, before *domain.Task, after domain.Task, c publish.Change) (domain.Task, error) {
	position, err := w.place(a, r, before, after)
	if err != nil {
		return domain.Task{}, err
	}
	if position != after.Position {
		if after.Position = position; before != nil {
			c.Changes = domain.Diff(*before, after)
		}
	}
	return w.recordPlaced(a, r, before, after, c)
}

// recordPlaced is record for a task that has its position already.
func (w *writer) recordPlaced(a *account, r *request, before *domain.Task, after domain.Task, c publish.Change) (domain.Task, error) {
	if err := w.count(a, r, before, after); err != nil {
		return domain.Task{}, err
	}
	after.Version, after.Seq = 1, a.number()
	if before != nil {
		after.Version = before.Version + 1
	}
	c.Task, c.Actor, c.Causation, c.Zone = after, r.actor, r.causation, a.zone
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

// count counts a task that is made, restored or deleted. It returns ErrQuota for one more than the account may have. The quota
// does not hold back a successor: the recurrence engine makes it for a completion that was answered already, and one
// completion makes at most one.
func (w *writer) count(a *account, r *request, before *domain.Task, after domain.Task) error {
	was, is := before != nil && before.DeletedAt == nil, after.DeletedAt == nil
	switch {
	case is && !was && r.actor == "" && w.s.quota > 0 && a.live >= w.s.quota:
		return ErrQuota
	case is && !was:
		a.live++
	case was && !is:
		a.live--
	}
	return nil
}

// publish adds the events of a change to the outbox and returns the event for the change log.
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

// save passes the recorded rows to the store, and returns what no change used.
func (w *writer) save() {
	out := Writes{Keys: w.keys}
	if !w.each {
		out.Changes = w.changes
	}
	for user, a := range w.users {
		if unused := (Unused{a.left, a.counted - a.live}); unused != (Unused{}) {
			if out.Unused == nil {
				out.Unused = map[uuid.UUID]Unused{}
			}
			out.Unused[user] = unused
		}
	}
	w.tx.Save(out)
}

// writerMark is a state to which rewind resets a writer.
type writerMark struct {
	events     outbox.Mark
	changes    int
	next, left int64
	live       int64
}

func (w *writer) mark(a *account) writerMark {
	return writerMark{w.tx.Mark(), len(w.changes), a.next, a.left, a.live}
}

func (w *writer) rewind(a *account, m writerMark) {
	w.tx.Rewind(m.events)
	w.changes, a.next, a.left, a.live = w.changes[:m.changes], m.next, m.left, m.live
}

// account is the state of a user during a transaction.
type account struct {
	zone       string
	next, left int64                  // the next change number, and how many are left
	live       int64                  // the number of tasks that are not deleted, after the operations so far
	counted    int64                  // that number as the transaction wrote it at its beginning
	tasks      map[string]domain.Task // the tasks that requests named or created, by id
	series     map[occurrence]string  // the ids of the tasks that belong to a series
	lastKnown  bool
	last       *float64 // the largest position of the user's tasks, if lastKnown; nil: there is no task
	known      []span   // the ranges of positions of which tasks has all tasks
	rooms      int      // how often requests may still make room
}

type occurrence struct {
	series string
	number int
}

// number returns the next change number. There is always one left, because ask counted all that an operation can need.
func (a *account) number() int64 {
	a.next, a.left = a.next+1, a.left-1
	return a.next - 1
}

// put stores t as the state of its task that the next operation sees.
func (a *account) put(t domain.Task) {
	if a.tasks == nil {
		a.tasks, a.series = map[string]domain.Task{}, map[occurrence]string{}
	}
	a.tasks[t.ID] = t
	if t.DeletedAt == nil && (a.last == nil || t.Position > *a.last) {
		a.last = &t.Position
	}
	if t.SeriesID != "" {
		a.series[occurrence{t.SeriesID, t.OccurrenceNo}] = t.ID
	}
}

// occurrence returns one occurrence of a series, including a deleted one, and reports whether it exists.
func (a *account) occurrence(series string, number int) (domain.Task, bool) {
	t, ok := a.tasks[a.series[occurrence{series, number}]]
	return t, ok
}
