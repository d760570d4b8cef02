package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
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

// claim takes the key for this transaction, or returns the answer that its first request got. It does not wait: the
// lock is released when the transaction that holds it ends, however it ends.
//
// The key of an account that was deleted is no key: the caller then finds no user.
//
// Lock and look-up are one statement, whose snapshot is older than the lock. A first request that commits in between
// is not seen; the insert of the key then fails as a duplicate, and the caller starts again.
func claim(tx *gorm.DB, userID string, key IdempotencyKey) (answer events.TaskData, ok bool, err error) {
	raw, ok, err := claimRaw(tx, userID, key)
	if err != nil || !ok {
		return answer, false, err
	}
	if err := json.Unmarshal([]byte(raw), &answer); err != nil {
		return answer, false, fmt.Errorf("read kept answer: %w", err)
	}
	return answer, true, nil
}

// claimRaw is claim for any kind of answer.
func claimRaw(tx *gorm.DB, userID string, key IdempotencyKey) (answer string, ok bool, err error) {
	var row struct {
		Locked        bool
		Same, Expired *bool
		Answer        *string
	}
	err = tx.Raw(`SELECT pg_try_advisory_xact_lock(?) AS locked, k.request_hash = ? AS same, k.answer,
			k.created_at <= now() - make_interval(secs => ?) AS expired
		FROM (SELECT) one LEFT JOIN idempotency_keys k ON k.user_id = ? AND k.key = ? AND EXISTS (SELECT FROM heads h WHERE h.user_id = k.user_id)`,
		lockKey(userID, key.Key), key.Hash[:], KeyRetention.Seconds(), userID, key.Key).Scan(&row).Error
	switch {
	case err != nil:
		return answer, false, fmt.Errorf("claim idempotency key: %w", err)
	case !row.Locked:
		return answer, false, ErrKeyRunning
	case row.Same == nil:
		return answer, false, nil
	case *row.Expired:
		return answer, false, tx.Exec(`DELETE FROM idempotency_keys WHERE user_id = ? AND key = ?`, userID, key.Key).Error
	case !*row.Same:
		return answer, false, ErrKeyReused
	}
	return *row.Answer, true, nil
}

// lockKey maps a key to the number space of advisory locks. Two keys with the same number are told that the other is
// running, which is true and passes.
func lockKey(userID, key string) int64 {
	sum := sha256.Sum256([]byte("idempotency\x00" + userID + "\x00" + key))
	return int64(binary.BigEndian.Uint64(sum[:8])) // the bits matter, not the sign
}
