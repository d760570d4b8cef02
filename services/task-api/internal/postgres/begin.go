package postgres

// This file has the statements that begin a write. They look up keys, lock the users, take change numbers and read tasks.

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// begin returns the statements whose results fill answers.
func begin(asks []tasks.Ask, answers []tasks.Answer, wait bool) []outbox.First {
	first := []outbox.First{takeNumbers(asks, answers, wait)}
	// These run after the locks, so they see the commits of the previous holders.
	for _, read := range []func([]tasks.Ask, []tasks.Answer) (outbox.First, bool){readNamed, readLast, readPlaces} {
		if statement, ok := read(asks, answers); ok {
			first = append(first, statement)
		}
	}
	return first
}

// takeSQL returns the statement that looks up the keys, locks each user who has a request to run, and takes the change
// numbers that the user's requests need and counts the tasks that they are expected to make or delete.
//
// It never waits for a key: a key's advisory lock is released when its transaction ends. It waits for a user's lock only
// with wait, which is for the requests of one user. Without wait, it skips a user whose lock is held. Otherwise a
// transaction for many users would wait for one of them and delay the rest, and two transactions could deadlock.
//
// The keys of a deleted account count as missing, because the account has no row in heads. found is MATERIALIZED and its
// look-up has a LIMIT, so that no plan reads all keys. The lists are sub-selects, so that the planner does not know their
// length. With a known length, it estimates a custom plan as cheaper than the generic one and plans every transaction
// (0.3 ms).
func takeSQL(wait bool) string {
	skip := " SKIP LOCKED"
	if wait {
		skip = ""
	}
	return `
	WITH asked AS (
		SELECT * FROM unnest((SELECT $1::uuid[]), (SELECT $2::text[]), (SELECT $3::bytea[]), (SELECT $4::bigint[]), (SELECT $5::bigint[]), (SELECT $7::bigint[]))
			WITH ORDINALITY AS a (user_id, key, hash, lock, numbers, live, n)
	), found AS MATERIALIZED (
		SELECT a.n, a.user_id, a.numbers, a.live, a.key IS NULL OR pg_try_advisory_xact_lock(a.lock) AS locked,
			k.request_hash = a.hash AS same, k.created_at <= now() - make_interval(secs => $6) AS expired, k.answer
		FROM asked a LEFT JOIN LATERAL (
			SELECT request_hash, created_at, answer FROM idempotency_keys k
			WHERE k.user_id = a.user_id AND k.key = a.key AND EXISTS (SELECT FROM heads h WHERE h.user_id = k.user_id) LIMIT 1
		) k ON true
	), wanted AS (
		SELECT user_id, sum(numbers)::bigint AS numbers, sum(live)::bigint AS live FROM found WHERE locked AND (same IS NULL OR expired) GROUP BY user_id
	), mine AS (
		SELECT h.user_id, w.numbers, w.live FROM wanted w JOIN heads h ON h.user_id = w.user_id FOR NO KEY UPDATE OF h` + skip + `
	), taken AS (
		UPDATE heads h SET seq = h.seq + m.numbers, live = h.live + m.live FROM mine m, users u WHERE h.user_id = m.user_id AND u.id = m.user_id
		RETURNING h.user_id, h.seq, h.live, u.timezone
	)
	SELECT f.locked, f.same, f.expired, f.answer, t.seq, t.live, t.timezone FROM found f LEFT JOIN taken t ON t.user_id = f.user_id ORDER BY f.n`
}

var takeSkipping, takeWaiting = takeSQL(false), takeSQL(true)

func takeNumbers(asks []tasks.Ask, answers []tasks.Answer, wait bool) outbox.First {
	n := len(asks)
	users, keys, hashes, locks := make([][16]byte, n), make([]*string, n), make([][]byte, n), make([]*int64, n)
	numbers, live := make([]int64, n), make([]int64, n)
	for i, a := range asks {
		users[i], numbers[i], live[i] = a.User, int64(a.Numbers), int64(a.Live)
		if a.Key != nil {
			lock := lockKey(a.User, a.Key.Key)
			keys[i], hashes[i], locks[i] = &a.Key.Key, a.Key.Hash[:], &lock
		}
	}
	sql := takeSkipping
	if wait {
		sql = takeWaiting
	}
	return outbox.First{SQL: sql, Args: []any{users, keys, hashes, locks, numbers, tasks.KeyRetention.Seconds(), live}, Read: func(rows pgx.Rows) error {
		for i := 0; rows.Next(); i++ {
			a := &answers[i]
			if err := rows.Scan(&a.Kept.Locked, &a.Kept.Same, &a.Kept.Expired, &a.Kept.Answer, &a.Seq, &a.Live, &a.Zone); err != nil {
				return fmt.Errorf("look up keys and lock users: %w", err)
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("look up keys and lock users: %w", err)
		}
		return nil
	}}
}

// lockKey maps a key to the number of an advisory lock. When two keys collide, the second request gets ErrKeyRunning
// until the first transaction ends.
func lockKey(user uuid.UUID, key string) int64 {
	sum := sha256.Sum256([]byte("idempotency\x00" + user.String() + "\x00" + key))
	return int64(binary.BigEndian.Uint64(sum[:8])) // the bits matter, not the sign
}

// namedSQL reads tasks by user and id, including deleted tasks. For the ids in $3 it also reads the next occurrence of
// the series.
var namedSQL = `
	WITH named AS (
		SELECT t.* FROM unnest((SELECT $1::uuid[]), (SELECT $2::uuid[])) AS a (user_id, id) JOIN tasks t ON t.id = a.id AND t.user_id = a.user_id
	)
	SELECT ` + taskColumns + ` FROM named
	UNION
	SELECT ` + qualified("n") + ` FROM named JOIN tasks n ON n.series_id = named.series_id AND n.occurrence_no = named.occurrence_no + 1
	WHERE named.id = ANY ($3::uuid[])`

func readNamed(asks []tasks.Ask, answers []tasks.Answer) (outbox.First, bool) {
	var users, ids, next [][16]byte
	firstOf := map[string]int{}
	for i, a := range asks {
		if len(a.Tasks) == 0 {
			continue
		}
		if _, ok := firstOf[a.User.String()]; !ok {
			firstOf[a.User.String()] = i
		}
		for _, id := range a.Tasks {
			users, ids = append(users, bytes(a.User)), append(ids, bytes(id))
		}
		for _, id := range a.Next {
			next = append(next, bytes(id))
		}
	}
	if len(ids) == 0 {
		return outbox.First{}, false
	}
	return outbox.First{SQL: namedSQL, Args: []any{users, ids, next}, Read: func(rows pgx.Rows) error {
		for rows.Next() {
			var r taskRow
			if err := rows.Scan(r.targets()...); err != nil {
				return fmt.Errorf("read tasks: %w", err)
			}
			a := &answers[firstOf[r.UserID]]
			a.Tasks = append(a.Tasks, r.task())
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("read tasks: %w", err)
		}
		return nil
	}}, true
}
