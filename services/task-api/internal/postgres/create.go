package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	pg "github.com/taskwire/taskwire/pkg/platform/postgres"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

// CreateRequest is a request for a new task.
type CreateRequest struct {
	UserID string
	Fields domain.Fields
	Key    *IdempotencyKey // nil: each request makes a task
}

// creation is a request for a new task on its way through a transaction.
type creation struct {
	CreateRequest
	ctx context.Context //nolint:containedctx // the request's: its trace goes into its events
	id  uuid.UUID       // of the task, if one is made
	by  uuid.UUID       // UserID

	kept keptAnswer
	seq  *int64 // the newest that the transaction took for the user; nil: it has not the user's lock
	zone *string

	task     events.TaskData
	replayed bool
	err      error
	missed   bool // nothing is decided: it needs a transaction of its own
}

// Create makes a task. With a key that was answered before it returns that answer, and true.
//
// Requests that come while others are being written are written together, in one transaction (see gatherer). Each has
// its own answer; one that the group cannot take, because another writer holds its user's lock or because the database
// refused the group, is then written by itself.
func (s *Store) Create(ctx context.Context, r CreateRequest) (events.TaskData, bool, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return events.TaskData{}, false, fmt.Errorf("make task id: %w", err)
	}
	by, err := uuid.Parse(r.UserID)
	if err != nil {
		return events.TaskData{}, false, fmt.Errorf("user id %q: %w", r.UserID, err)
	}
	c := &creation{CreateRequest: r, ctx: ctx, id: id, by: by}
	if err := s.gather.do(ctx, c); err != nil {
		return events.TaskData{}, false, err
	}
	if c.missed {
		c, err = s.createAlone(*c)
		if pg.IsUniqueViolation(err, "idempotency_keys_pkey") {
			// The first request committed after this one had looked: now its answer is there.
			c, err = s.createAlone(*c)
		}
		if err != nil {
			return events.TaskData{}, false, err
		}
	}
	if c.err != nil {
		return events.TaskData{}, false, c.err
	}
	return c.task, c.replayed, nil
}

// createGroup decides each of the requests, or leaves it as missed.
func (s *Store) createGroup(ctx context.Context, group []*creation) {
	err := s.createAll(ctx, group, false)
	for _, c := range group {
		switch {
		case err == nil || c.err != nil || c.replayed || c.missed: // it had no part in what failed
		case pg.IsRefused(err):
			c.missed = true
		default:
			c.err = err
		}
	}
}

// createAlone is a transaction for one request, which waits for the user's lock.
func (s *Store) createAlone(c creation) (*creation, error) {
	alone := &creation{CreateRequest: c.CreateRequest, ctx: c.ctx, id: c.id, by: c.by}
	return alone, s.createAll(c.ctx, []*creation{alone}, true)
}

// createAll decides requests in one transaction of two round trips: what begins it goes with the BEGIN, what it writes
// with the COMMIT. Its error means that nothing was written, or that nobody knows. With wait a user without a head is
// ErrNoUser; without, the request is missed.
func (s *Store) createAll(ctx context.Context, list []*creation, wait bool) error {
	err := s.outbox.InTxFirst(ctx, take(list, wait), func(tx *outbox.Tx) error {
		rows := newRows(len(list))
		left := seqsOf(list)
		for _, c := range list {
			answer, ok, err := c.kept.judge()
			switch {
			case err != nil:
				c.err = err
			case ok:
				c.replayed = true
				c.task, c.err = keptTask(answer)
			case c.seq != nil:
				c.err = s.make(tx, c, left[c.UserID], rows)
			case wait:
				c.err = ErrNoUser
			default:
				c.missed = true
			}
		}
		for user, l := range left {
			if l.n > 0 { // numbers were taken for tasks that are none
				tx.Defer(`UPDATE heads SET seq = seq - $2 WHERE user_id = $1`, user, l.n)
			}
		}
		if rows.empty() {
			return errUnchanged
		}
		rows.write(tx)
		return nil
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return err
}

// seqs are change numbers that a transaction took for a user and that are still to be given out.
type seqs struct{ next, n int64 }

func seqsOf(list []*creation) map[string]*seqs {
	all := make(map[string]*seqs, len(list))
	for _, c := range list {
		if c.seq == nil || !c.kept.free() {
			continue
		}
		l := all[c.UserID]
		if l == nil {
			l = &seqs{next: *c.seq + 1}
			all[c.UserID] = l
		}
		l.next, l.n = l.next-1, l.n+1
	}
	return all
}

// make makes the task of a request with its events. An error is the request's own, and leaves no trace.
func (s *Store) make(tx *outbox.Tx, c *creation, l *seqs, rows *createdRows) error {
	t, err := domain.New(c.id.String(), c.UserID, c.Fields, domain.Defaults{Timezone: *c.zone, Now: s.now()})
	if err != nil {
		return err
	}
	t.Version, t.Seq = 1, l.next
	mark := tx.Mark()
	change := publish.Change{Task: t, Type: events.Created, Actor: c.UserID}
	made, err := s.publish(c.ctx, tx, nil, change)
	if err == nil {
		err = rows.add(c, t, made)
	}
	if err != nil {
		tx.Rewind(mark)
		return err
	}
	l.next, l.n = l.next+1, l.n-1
	c.task = t.TaskData
	return nil
}

// takeSQL looks the keys up, takes the locks of the users whose requests are to make a task, and as many change numbers
// as they need. It never waits for a key (see claim), and for a user's lock only with wait: then there is one request.
// Without, a user whose lock is held is passed over: a group that waited for one user would hold up all others, and two
// groups could wait for each other. The look-up is fenced in, so that no plan reads all keys. The lists are sub-selects,
// so that the planner does not see how long they are: it would take a plan for just that length for cheaper than one for
// any, and plan anew for every group, which took 0.3 ms.
func takeSQL(wait bool) string {
	skip := " SKIP LOCKED"
	if wait {
		skip = ""
	}
	return `
	WITH asked AS (
		SELECT * FROM unnest((SELECT $1::uuid[]), (SELECT $2::text[]), (SELECT $3::bytea[]), (SELECT $4::bigint[])) WITH ORDINALITY AS a (user_id, key, hash, lock, n)
	), found AS MATERIALIZED (
		SELECT a.n, a.user_id, a.key IS NULL OR pg_try_advisory_xact_lock(a.lock) AS locked,
			k.request_hash = a.hash AS same, k.created_at <= now() - make_interval(secs => $5) AS expired, k.answer
		FROM asked a LEFT JOIN LATERAL (
			SELECT request_hash, created_at, answer FROM idempotency_keys k
			WHERE k.user_id = a.user_id AND k.key = a.key AND EXISTS (SELECT FROM heads h WHERE h.user_id = k.user_id) LIMIT 1
		) k ON true
	), wanted AS (
		SELECT user_id, count(*) AS n FROM found WHERE locked AND (same IS NULL OR expired) GROUP BY user_id
	), mine AS (
		SELECT h.user_id, w.n FROM wanted w JOIN heads h ON h.user_id = w.user_id FOR NO KEY UPDATE OF h` + skip + `
	), taken AS (
		UPDATE heads h SET seq = h.seq + m.n FROM mine m, users u WHERE h.user_id = m.user_id AND u.id = m.user_id
		RETURNING h.user_id, h.seq, u.timezone
	)
	SELECT f.locked, f.same, f.expired, f.answer, t.seq, t.timezone FROM found f LEFT JOIN taken t ON t.user_id = f.user_id ORDER BY f.n`
}

var takeSkipping, takeWaiting = takeSQL(false), takeSQL(true)

func take(list []*creation, wait bool) outbox.First {
	users, keys, hashes, locks := make([][16]byte, len(list)), make([]*string, len(list)), make([][]byte, len(list)), make([]*int64, len(list))
	for i, c := range list {
		users[i] = c.by
		if c.Key != nil {
			lock := lockKey(c.UserID, c.Key.Key)
			keys[i], hashes[i], locks[i] = &c.Key.Key, c.Key.Hash[:], &lock
		}
	}
	sql := takeSkipping
	if wait {
		sql = takeWaiting
	}
	return outbox.First{SQL: sql, Args: []any{users, keys, hashes, locks, KeyRetention.Seconds()}, Read: func(rows pgx.Rows) error {
		for i := 0; rows.Next(); i++ {
			c := list[i]
			if err := rows.Scan(&c.kept.locked, &c.kept.same, &c.kept.expired, &c.kept.answer, &c.seq, &c.zone); err != nil {
				return fmt.Errorf("begin creating: %w", err)
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("begin creating: %w", err)
		}
		return nil
	}}
}

// keptTask is a kept answer that is a task.
func keptTask(answer string) (t events.TaskData, err error) {
	if err := json.Unmarshal([]byte(answer), &t); err != nil {
		return t, fmt.Errorf("read kept answer: %w", err)
	}
	return t, nil
}
