package publish

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// AccountChange is one thing that happened to an account. Its fields go into the events.
type AccountChange struct {
	Type      events.AccountEventType
	UserID    string
	At        time.Time
	SessionID string   // the session that the change is about; may be empty
	Actor     string   // who made the change; empty if a stranger did
	Address   string   // of the request; may be empty
	Device    string   // of the request; may be empty
	Reason    string   // why a log-in was refused; may be empty
	Role      string   // the new role
	Count     int64    // of refused log-ins; 0 means one
	Ended     []string // the sessions that end with the change
	EndReason string   // why they end; may be empty
}

// PublishAccountEvent makes the events of what happened to an account: one of the type of the change, then one session_ended for
// each session that ends with it. The type session_ended itself is that of a change which does nothing but end sessions. A log-out
// is the end of its own session, so it makes no session_ended for it. If sessions end, the websocket service is told on the topic of
// the user's changes (events.SessionUpdateEvent). A deletion is the end of all sessions and names none: the open sockets are sent
// the deletions of the tasks before they end.
//
// The caller must hold the lock of the user's row in heads, which the order of the user's events needs.
func (p *Publisher) PublishAccountEvent(ctx context.Context, tx Tx, c AccountChange) error {
	if c.Type != events.AccountSessionEnded {
		if err := p.putAccount(ctx, tx, c, c.Type, c.SessionID); err != nil {
			return err
		}
	}
	for _, id := range c.Ended {
		if c.Type == events.AccountLoggedOut && id == c.SessionID {
			continue
		}
		if err := p.putAccount(ctx, tx, c, events.AccountSessionEnded, id); err != nil {
			return err
		}
	}
	for ids := range slices.Chunk(c.Ended, events.MaxSessionIDs) {
		id, err := newID()
		if err != nil {
			return err
		}
		err = p.putOf(ctx, tx, string(events.SessionsEnded), events.SessionUpdateEvent{
			EventID: id, SchemaVersion: events.SchemaVersion, EventType: events.SessionsEnded, TaskID: c.UserID, UserID: c.UserID,
			SessionIDs: ids, Timestamp: c.At,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Publisher) putAccount(ctx context.Context, tx Tx, c AccountChange, kind events.AccountEventType, session string) error {
	id, err := newID()
	if err != nil {
		return err
	}
	e := events.AccountEvent{
		EventID: id, SchemaVersion: events.SchemaVersion, EventType: kind, UserID: c.UserID, Timestamp: c.At, SessionID: session,
		Actor: c.Actor, Address: c.Address, Device: c.Device, Reason: c.EndReason,
	}
	if kind != events.AccountSessionEnded {
		e.Reason, e.Role, e.Count = c.Reason, c.Role, c.Count
	}
	return p.putOf(ctx, tx, string(kind), e)
}

// putOf puts an event about an account.
func (p *Publisher) putOf(ctx context.Context, tx Tx, kind string, e events.Event) error {
	data, err := e.Encode()
	if err != nil {
		return fmt.Errorf("make %s of user %s: %w", e.Name(), e.Key(), err)
	}
	add(ctx, tx, e, data)
	p.log.LogAttrs(ctx, slog.LevelDebug, "made event", slog.String("event", e.Name()), slog.String("event_type", kind),
		slog.String("event_id", e.ID()), slog.String("user_id", e.Key()))
	return nil
}
