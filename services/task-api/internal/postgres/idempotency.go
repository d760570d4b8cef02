package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"gorm.io/gorm"
)

var (
	// ErrKeyReused says that the key came with another request before.
	ErrKeyReused = errors.New("the Idempotency-Key was used for another request")
	// ErrKeyRunning says that the first request with this key is not done yet.
	ErrKeyRunning = errors.New("the first request with this Idempotency-Key is still running")
)

// KeyRetention is how long an answer is kept: a client that repeats a request after a day does not repeat it because
// the answer was lost.
const KeyRetention = 24 * time.Hour

// IdempotencyKey is the Idempotency-Key of a request and the hash of what the request asks for.
type IdempotencyKey struct {
	Key  string
	Hash [sha256.Size]byte
}

// keptAnswer is what the look-up of a key found.
type keptAnswer struct {
	locked        bool
	same, expired *bool
	answer        *string
}

// lookUp takes the key for a transaction, of which it is the first statement, and reads what is kept under it. It does
// not wait: the lock is released when the transaction that holds it ends, however it ends.
//
// The key of an account that was deleted is no key: the caller then finds no user.
//
// Lock and look-up are one statement, whose snapshot is older than the lock. A first request that commits in between
// is not seen; the insert of the key then fails as a duplicate, and the caller starts again.
func lookUp(userID string, key IdempotencyKey, k *keptAnswer) outbox.First {
	return outbox.First{
		SQL: `SELECT pg_try_advisory_xact_lock($1), k.request_hash = $2, k.created_at <= now() - make_interval(secs => $3), k.answer
			FROM (SELECT) one LEFT JOIN idempotency_keys k ON k.user_id = $4 AND k.key = $5 AND EXISTS (SELECT FROM heads h WHERE h.user_id = k.user_id)`,
		Args: []any{lockKey(userID, key.Key), key.Hash[:], KeyRetention.Seconds(), userID, key.Key},
		Scan: func(row pgx.Row) error {
			if err := row.Scan(&k.locked, &k.same, &k.expired, &k.answer); err != nil {
				return fmt.Errorf("claim idempotency key: %w", err)
			}
			return nil
		},
	}
}

// claim is lookUp and judge within a transaction.
func claim(tx *gorm.DB, userID string, key IdempotencyKey) (answer string, ok bool, err error) {
	var k keptAnswer
	if err := run(tx, lookUp(userID, key, &k)); err != nil {
		return "", false, err
	}
	return k.judge(tx, userID, key)
}

// judge tells what the look-up found: the key is this request's, or it returns the answer that its first request got.
func (k keptAnswer) judge(tx *gorm.DB, userID string, key IdempotencyKey) (answer string, ok bool, err error) {
	switch {
	case !k.locked:
		return "", false, ErrKeyRunning
	case k.same == nil:
		return "", false, nil
	case *k.expired:
		return "", false, tx.Exec(`DELETE FROM idempotency_keys WHERE user_id = ? AND key = ?`, userID, key.Key).Error
	case !*k.same:
		return "", false, ErrKeyReused
	}
	return *k.answer, true, nil
}

// keptTask is a kept answer that is a task.
func keptTask(answer string) (t events.TaskData, err error) {
	if err := json.Unmarshal([]byte(answer), &t); err != nil {
		return t, fmt.Errorf("read kept answer: %w", err)
	}
	return t, nil
}

// lockKey maps a key to the number space of advisory locks. Two keys with the same number are told that the other is
// running, which is true and passes.
func lockKey(userID, key string) int64 {
	sum := sha256.Sum256([]byte("idempotency\x00" + userID + "\x00" + key))
	return int64(binary.BigEndian.Uint64(sum[:8])) // the bits matter, not the sign
}
