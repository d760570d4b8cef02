package tasks

// This file decides what a request with an Idempotency-Key returns: a kept answer, an error, or a new answer that is kept.

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

var (
	// ErrKeyReused means that an earlier, different request had the same key.
	ErrKeyReused = errors.New("the Idempotency-Key was used for another request")
	// ErrKeyRunning means that the first request with this key has not ended yet.
	ErrKeyRunning = errors.New("the first request with this Idempotency-Key is still running")
	// ErrAnswerTooLarge means that the answer of a batch is larger than MaxKeptAnswer. The batch had no effect.
	ErrAnswerTooLarge = errors.New("the answer of the batch is too large to be kept")
)

const (
	// KeyRetention is how long an answer is kept. After more than a day, a client no longer repeats a request because it
	// lost the answer.
	KeyRetention = 24 * time.Hour
	// MaxKeptAnswer is the largest answer of a batch, in bytes, that is kept for a day. A batch of creates and replaces
	// cannot exceed it, because its answer contains only what the request contained. A batch that completes 500 of the
	// longest tasks by id exceeds it.
	MaxKeptAnswer = 4 << 20
)

// IdempotencyKey is the Idempotency-Key of a request and the hash of the request.
type IdempotencyKey struct {
	Key  string
	Hash [sha256.Size]byte
}

// KeptAnswer is what the store found for the key of a request. For a request without a key, only Locked is set.
type KeptAnswer struct {
	Locked  bool    // no other request with this key is running
	Same    *bool   // the kept answer belongs to an equal request; nil: no answer is kept
	Expired *bool   // the kept answer is older than KeyRetention
	Answer  *string // the kept answer
}

// free reports whether the request must run: no other request with the key is running, and no valid answer is kept.
func (k KeptAnswer) free() bool { return k.Locked && (k.Same == nil || *k.Expired) }

// replay returns the kept answer of the first request and true. It returns false when the request must run.
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

// keep returns the row that keeps the request's answer. For a batch it is the body of the response, for a create the task.
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

// keptTask decodes the kept answer of a create.
func keptTask(answer []byte) (t events.TaskData, err error) {
	if err := json.Unmarshal(answer, &t); err != nil {
		return t, fmt.Errorf("read kept answer: %w", err)
	}
	return t, nil
}
