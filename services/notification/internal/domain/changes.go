package domain

// This file defines the numbered changes of an inbox: the event of each, and the log that is replayed.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
)

// ChangeRetention is how long the change log keeps a change, as long as the log of tasks. A client that was away for longer
// reads GET /notifications, which costs less than replaying more than a week of changes.
const ChangeRetention = 7 * 24 * time.Hour

// ErrTooOld is wrapped when some of the changes after a number are not kept any more.
var ErrTooOld = errors.New("the changes since then are not kept any more")

// ChangePage is a part of the change log of an inbox, oldest first, without gaps.
type ChangePage struct {
	Items   []json.RawMessage // the published NotificationEvents, byte for byte
	Head    int64             // the number of the newest change; 0 for a user who never had a notification
	Oldest  int64             // the oldest number that is kept; 0 when all are
	HasMore bool
	Unread  int64 // unread notifications of the inbox after the change Head
}

// ChangeLog reads the change logs without locks.
type ChangeLog interface {
	// Changes returns up to limit changes of a user's inbox after since, or ErrTooOld when some of them were pruned.
	Changes(ctx context.Context, userID string, since int64, limit int) (ChangePage, error)
	// Heads returns the number of each user's newest change. Users who never had a notification are missing.
	Heads(ctx context.Context, userIDs []string) (map[string]int64, error)
}

// Event returns the event of a change of a notification, without its numbers. n is the notification after the change. The
// error says why it cannot be an event.
func Event(n Notification, happened events.Type, at time.Time) (events.NotificationEvent, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return events.NotificationEvent{}, fmt.Errorf("make event id: %w", err)
	}
	ev := events.NotificationEvent{
		EventID: id.String(), SchemaVersion: events.SchemaVersion, EventType: happened, NotificationID: n.ID, TaskID: n.TaskID,
		UserID: n.UserID, Kind: n.Kind, Title: n.Title, Body: n.Body, DueDate: n.DueDate, DueAt: n.DueAt, Late: n.Late,
		ReadAt: n.ReadAt, Timestamp: at,
	}
	return ev, ev.Validate()
}
