package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

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

// free tells whether the request is to be done: the key, if it has one, is its own now.
func (k keptAnswer) free() bool { return k.locked && (k.same == nil || *k.expired) }

// judge tells what the look-up found: nothing, or it returns the answer that the key's first request got.
func (k keptAnswer) judge() (answer string, ok bool, err error) {
	switch {
	case !k.locked:
		return "", false, ErrKeyRunning
	case k.free():
		return "", false, nil
	case !*k.same:
		return "", false, ErrKeyReused
	}
	return *k.answer, true, nil
}

// claim takes the key for the transaction and returns the answer that is kept under it. It does not wait: the lock is
// released when the transaction that holds it ends, however it ends.
//
// The key of an account that was deleted is no key: the caller then finds no user.
//
// Lock and look-up are one statement, whose snapshot is older than the lock. A first request that commits in between
// is not seen; the insert of the key then fails as a duplicate, and the caller starts again.
func claim(tx *gorm.DB, userID string, key IdempotencyKey) (answer string, ok bool, err error) {
	const lookUp = `SELECT pg_try_advisory_xact_lock($1), k.request_hash = $2, k.created_at <= now() - make_interval(secs => $3), k.answer
		FROM (SELECT) one LEFT JOIN idempotency_keys k ON k.user_id = $4 AND k.key = $5 AND EXISTS (SELECT FROM heads h WHERE h.user_id = k.user_id)`
	var k keptAnswer
	err = tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, lookUp, lockKey(userID, key.Key), key.Hash[:], KeyRetention.Seconds(), userID, key.Key).
		Scan(&k.locked, &k.same, &k.expired, &k.answer)
	if err != nil {
		return "", false, fmt.Errorf("claim idempotency key: %w", err)
	}
	if k.free() && k.expired != nil {
		return "", false, tx.Exec(`DELETE FROM idempotency_keys WHERE user_id = ? AND key = ?`, userID, key.Key).Error
	}
	return k.judge()
}

// lockKey maps a key to the number space of advisory locks. Two keys with the same number are told that the other is
// running, which is true and passes.
func lockKey(userID, key string) int64 {
	sum := sha256.Sum256([]byte("idempotency\x00" + userID + "\x00" + key))
	return int64(binary.BigEndian.Uint64(sum[:8])) // the bits matter, not the sign
}
