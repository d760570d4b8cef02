// Package hubtest has a task API in memory, for tests of the hub and of the packages that use it.
package hubtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
)

// Source stores every user's changes. It is safe for concurrent use.
type Source struct {
	mu      sync.Mutex
	changes map[string][]events.TaskUpdateEvent
	pruned  map[string]int64 // seqs up to it are not stored
	heads   map[string]int64 // what Heads and Changes return instead of the newest seq
	deleted map[string]bool
	fail    error
	reads   int
	asked   int
	gate    chan struct{}
}

var _ hub.Source = (*Source)(nil)

// New returns an empty source.
func New() *Source {
	return &Source{changes: map[string][]events.TaskUpdateEvent{}, pruned: map[string]int64{}, heads: map[string]int64{}, deleted: map[string]bool{}}
}

// Add adds a user's next change and returns it.
func (s *Source) Add(userID string) events.TaskUpdateEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := int64(len(s.changes[userID]) + 1)
	ev := events.TaskUpdateEvent{
		EventID: uuid.NewString(), SchemaVersion: events.SchemaVersion, EventType: events.Updated, TaskID: "task", UserID: userID,
		TaskVersion: seq, Seq: seq, Timestamp: time.Unix(seq, 0).UTC(),
		TaskData: events.TaskData{ID: "task", UserID: userID, Title: fmt.Sprint("change ", seq), Tags: []string{}, Version: seq, Seq: seq},
	}
	s.changes[userID] = append(s.changes[userID], ev)
	return ev
}

// AddN adds n changes and returns them.
func (s *Source) AddN(userID string, n int) []events.TaskUpdateEvent {
	out := make([]events.TaskUpdateEvent, n)
	for i := range out {
		out[i] = s.Add(userID)
	}
	return out
}

// Fail makes every call fail with err; nil ends it.
func (s *Source) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Prune removes a user's changes up to seq.
func (s *Source) Prune(userID string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pruned[userID] = seq
}

// Rewind sets a user's history back to seq, as a restored database does.
func (s *Source) Rewind(userID string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes[userID] = s.changes[userID][:seq]
}

// DeleteAccount deletes a user's account.
func (s *Source) DeleteAccount(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted[userID] = true
}

// Claim makes the source return head as a user's newest seq, even if it has other changes.
func (s *Source) Claim(userID string, head int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads[userID] = head
}

// Gate makes every call wait until it receives from the returned channel. Closing the channel lets all calls through.
func (s *Source) Gate() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = make(chan struct{})
	return s.gate
}

// Len returns how many changes a user has.
func (s *Source) Len(userID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.changes[userID])
}

// Calls returns how many times Changes and Heads were called.
func (s *Source) Calls() (changes, heads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.asked
}

func (s *Source) enter(ctx context.Context, count *int) error {
	s.mu.Lock()
	*count++
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail
}

func (s *Source) head(userID string) int64 {
	if head, ok := s.heads[userID]; ok {
		return head
	}
	return int64(len(s.changes[userID]))
}

// Changes implements hub.Source.
func (s *Source) Changes(ctx context.Context, userID string, since int64, limit int) (hub.Changes, error) {
	if err := s.enter(ctx, &s.reads); err != nil {
		return hub.Changes{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted[userID] {
		return hub.Changes{}, fmt.Errorf("user %s: %w", userID, hub.ErrNoAccount)
	}
	if since < s.pruned[userID] {
		return hub.Changes{}, fmt.Errorf("since %d: %w", since, hub.ErrPruned)
	}
	all := s.changes[userID]
	from := min(since, int64(len(all)))
	to := min(from+int64(limit), int64(len(all)))
	return hub.Changes{Items: append([]events.TaskUpdateEvent(nil), all[from:to]...), Head: s.head(userID)}, nil
}

// Heads implements hub.Source.
func (s *Source) Heads(ctx context.Context, userIDs []string) (map[string]int64, error) {
	if len(userIDs) > hub.MaxHeads {
		return nil, fmt.Errorf("heads of %d users: at most %d", len(userIDs), hub.MaxHeads)
	}
	if err := s.enter(ctx, &s.asked); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	heads := map[string]int64{}
	for _, id := range userIDs {
		if head := s.head(id); head > 0 && !s.deleted[id] {
			heads[id] = head
		}
	}
	return heads, nil
}
