// Package hubtest has the sources of the hub in memory, for tests of the hub and of the packages that use it.
package hubtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// Tasks is a task API, and Notifications is a notification service.
type (
	Tasks         = Source[events.TaskUpdateEvent]
	Notifications = Source[events.NotificationEvent]
)

// Source stores every user's events of one stream. It is safe for concurrent use.
type Source[E any] struct {
	next   func(userID string, seq int64) E
	encode func(E) (*wire.Frame, error)

	mu      sync.Mutex
	events  map[string][]E
	pruned  map[string]int64 // numbers up to it are not stored
	heads   map[string]int64 // what Heads and Read return instead of the newest number
	deleted map[string]bool
	ended   map[string][]string // sessions
	fail    error
	reads   int
	asked   int
	gate    chan struct{}
}

var (
	_ hub.Source = (*Tasks)(nil)
	_ hub.Source = (*Notifications)(nil)
)

// NewTasks returns an empty source of changes.
func NewTasks() *Tasks { return newSource(change, wire.Event) }

// NewNotifications returns an empty source of notifications. Each added one is unread.
func NewNotifications() *Notifications { return newSource(notification, wire.Notification) }

func newSource[E any](next func(userID string, seq int64) E, encode func(E) (*wire.Frame, error)) *Source[E] {
	return &Source[E]{
		next: next, encode: encode, events: map[string][]E{}, pruned: map[string]int64{}, heads: map[string]int64{},
		deleted: map[string]bool{}, ended: map[string][]string{},
	}
}

func change(userID string, seq int64) events.TaskUpdateEvent {
	return events.TaskUpdateEvent{
		EventID: uuid.NewString(), SchemaVersion: events.SchemaVersion, EventType: events.Updated, TaskID: "task", UserID: userID,
		TaskVersion: seq, Seq: seq, Timestamp: time.Unix(seq, 0).UTC(),
		TaskData: events.TaskData{ID: "task", UserID: userID, Title: fmt.Sprint("change ", seq), Tags: []string{}, Version: seq, Seq: seq},
	}
}

func notification(userID string, seq int64) events.NotificationEvent {
	return events.NotificationEvent{
		EventID: uuid.NewString(), SchemaVersion: events.SchemaVersion, EventType: events.Added, NotificationSeq: seq, Unread: seq,
		NotificationID: uuid.NewString(), TaskID: "task", UserID: userID, Kind: "reminder", Title: fmt.Sprint("notification ", seq), Timestamp: time.Unix(seq, 0).UTC(),
	}
}

// Add adds a user's next event and returns it.
func (s *Source[E]) Add(userID string) E {
	s.mu.Lock()
	defer s.mu.Unlock()
	ev := s.next(userID, int64(len(s.events[userID])+1))
	s.events[userID] = append(s.events[userID], ev)
	return ev
}

// AddN adds n events and returns them.
func (s *Source[E]) AddN(userID string, n int) []E {
	out := make([]E, n)
	for i := range out {
		out[i] = s.Add(userID)
	}
	return out
}

// Fail makes every call fail with err; nil ends it.
func (s *Source[E]) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Prune removes a user's events up to seq.
func (s *Source[E]) Prune(userID string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pruned[userID] = seq
}

// Rewind sets a user's history back to seq, as a restored database does.
func (s *Source[E]) Rewind(userID string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events[userID] = s.events[userID][:seq]
}

// DeleteAccount ends a user's account. RestoreAccount makes it again.
func (s *Source[E]) DeleteAccount(userID string) { s.setDeleted(userID, true) }

// RestoreAccount undoes DeleteAccount.
func (s *Source[E]) RestoreAccount(userID string) { s.setDeleted(userID, false) }

func (s *Source[E]) setDeleted(userID string, deleted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted[userID] = deleted
}

// EndSession makes the source say that a user's session has ended.
func (s *Source[E]) EndSession(userID, session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[userID] = append(s.ended[userID], session)
}

// Claim makes the source return head as a user's newest number, even if it has other events.
func (s *Source[E]) Claim(userID string, head int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads[userID] = head
}

// Gate makes every call wait until it receives from the returned channel. Closing the channel lets all calls through.
func (s *Source[E]) Gate() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = make(chan struct{})
	return s.gate
}

// Len returns how many events a user has.
func (s *Source[E]) Len(userID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events[userID])
}

// Calls returns how many times Read and Heads were called.
func (s *Source[E]) Calls() (reads, heads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.asked
}

func (s *Source[E]) enter(ctx context.Context, count *int) error {
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

func (s *Source[E]) head(userID string) int64 {
	if head, ok := s.heads[userID]; ok {
		return head
	}
	return int64(len(s.events[userID]))
}

// Page returns a page with the events themselves, for a test that encodes them in its own way. unread is nil for changes of
// tasks. The errors are Read's.
func (s *Source[E]) Page(ctx context.Context, userID string, since int64, limit int) (items []E, head int64, unread *int64, err error) {
	if err := s.enter(ctx, &s.reads); err != nil {
		return nil, 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleted[userID] {
		return nil, 0, nil, fmt.Errorf("user %s: %w", userID, hub.ErrNoAccount)
	}
	if since < s.pruned[userID] {
		return nil, 0, nil, fmt.Errorf("since %d: %w", since, hub.ErrPruned)
	}
	all := s.events[userID]
	from := min(since, int64(len(all)))
	to := min(from+int64(limit), int64(len(all)))
	if _, ok := any(s).(*Notifications); ok {
		count := int64(len(all))
		unread = &count
	}
	return slices.Clone(all[from:to]), s.head(userID), unread, nil
}

// Read implements hub.Source.
func (s *Source[E]) Read(ctx context.Context, userID string, since int64, limit int) (hub.Page, error) {
	items, head, unread, err := s.Page(ctx, userID, since, limit)
	if err != nil {
		return hub.Page{}, err
	}
	s.mu.Lock()
	page := hub.Page{Head: head, Unread: unread, Ended: slices.Clone(s.ended[userID])}
	s.mu.Unlock()
	for i, ev := range items {
		frame, err := s.encode(ev)
		if err != nil {
			return hub.Page{}, err
		}
		page.Events = append(page.Events, hub.Event{Seq: since + 1 + int64(i), Frame: frame})
	}
	return page, nil
}

// Heads implements hub.Source.
func (s *Source[E]) Heads(ctx context.Context, userIDs []string) (map[string]int64, error) {
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
		if !s.deleted[id] {
			heads[id] = s.head(id)
		}
	}
	return heads, nil
}
