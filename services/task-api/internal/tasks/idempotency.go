package tasks

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

var (
	// ErrKeyReused says that the key came with another request before.
	ErrKeyReused = errors.New("the Idempotency-Key was used for another request")
	// ErrKeyRunning says that the first request with this key is not done yet.
	ErrKeyRunning = errors.New("the first request with this Idempotency-Key is still running")
	// ErrAnswerTooLarge says that the answer of a batch is larger than MaxKeptAnswer, and that nothing was done.
	ErrAnswerTooLarge = errors.New("the answer of the batch is too large to be kept")
)

const (
	// KeyRetention is how long an answer is kept. A client that repeats a request after more than a day does not do so
	// because the answer was lost.
	KeyRetention = 24 * time.Hour
	// MaxKeptAnswer bounds, in bytes, what one batch with a key keeps for a day. Creates and replaces stay below it,
	// because what they answer came with their request. 500 of the longest tasks, completed by their ids, do not.
	MaxKeptAnswer = 4 << 20
)

// IdempotencyKey is the Idempotency-Key of a request and the hash of what the request asks for.
type IdempotencyKey struct {
	Key  string
	Hash [sha256.Size]byte
}

// KeptAnswer is what the store found under the key of a request. The zero value with Locked set is the answer to a
// request without a key.
type KeptAnswer struct {
	Locked  bool    // no other request with this key is running
	Same    *bool   // the kept answer is that of the same request; nil: no answer is kept
	Expired *bool   // the kept answer is older than KeyRetention
	Answer  *string // the kept answer
}

// free reports whether the request is to be done now.
func (k KeptAnswer) free() bool { return k.Locked && (k.Same == nil || *k.Expired) }

// replay returns the kept answer of the first request, and true; or false where the request is to be done.
func (k KeptAnswer) replay() (answer string, ok bool, err error) {
	switch {
	case !k.Locked:
		return "", false, ErrKeyRunning
	case k.free():
		return "", false, nil
	case !*k.Same:
		return "", false, ErrKeyReused
	}
	return *k.Answer, true, nil
}

// keep makes the row of the request's answer. A batch's answer is what the client is sent, a create's is its task.
func (r *request) keep() (KeptKey, error) {
	answer := r.encode
	if answer == nil {
		answer = func(results []OpResult) ([]byte, error) { return json.Marshal(results[0].Task.TaskData) }
	}
	var err error
	if r.body, err = answer(r.results); err != nil {
		return KeptKey{}, fmt.Errorf("keep the answer: %w", err)
	}
	if len(r.body) > MaxKeptAnswer {
		return KeptKey{}, ErrAnswerTooLarge
	}
	return KeptKey{User: r.user, Key: *r.key, Answer: string(r.body), Replaces: r.answer.Kept.Same != nil}, nil
}

// keptTask reads a kept answer that is a task.
func keptTask(answer []byte) (t events.TaskData, err error) {
	if err := json.Unmarshal(answer, &t); err != nil {
		return t, fmt.Errorf("read kept answer: %w", err)
	}
	return t, nil
}
