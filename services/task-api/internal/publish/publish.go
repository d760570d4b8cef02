// Package publish makes the events of this service. Its four functions are the only code that makes events. Each function
// makes the event's id, validates the event and adds it to the outbox in the transaction of the change. This package sends
// nothing: the relay sends the committed events.
//
// When an event breaks a rule of package events, the function returns an error that names the field. The caller must
// then not commit the change.
package publish

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/tracecontext"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// Tx is the transaction of a change.
type Tx interface {
	// Add adds an event to the outbox. The event is stored when the transaction commits.
	Add(m outbox.Message)
}

// Publisher makes events. It is safe for concurrent use.
type Publisher struct{ log *slog.Logger }

// New returns a publisher that logs each event at level debug.
func New(log *slog.Logger) *Publisher { return &Publisher{log: log} }

// Change is one change of a task. Its fields go into the events.
type Change struct {
	Task      domain.Task // after the change
	Type      events.Type
	Changes   []events.Change // the fields that differ; empty for a new task
	Actor     string          // the acting user's id, or the name of the service that acts for the user
	Causation string          // the event or request that led to the change; may be empty
	Zone      string          // the owner's time zone, in which the text of a reminder names times; empty for a deletion
}

// Made is an event that was added to the outbox.
type Made struct {
	ID   string
	Data []byte // its JSON
}

// PublishTaskEvent makes the event of a change that the audit log and the recurrence engine consume.
func (p *Publisher) PublishTaskEvent(ctx context.Context, tx Tx, c Change) (Made, error) {
	id, err := newID()
	if err != nil {
		return Made{}, err
	}
	return p.put(ctx, tx, c, events.TaskEvent{
		EventID: id, SchemaVersion: events.SchemaVersion, EventType: c.Type, TaskID: c.Task.ID, UserID: c.Task.UserID,
		TaskData: c.Task.TaskData, TaskVersion: c.Task.Version, Seq: c.Task.Seq, Changes: c.Changes, Actor: c.Actor,
		CausationID: c.Causation, Timestamp: c.Task.UpdatedAt,
	})
}

// PublishTaskUpdateEvent makes the event of a change that the user's open browsers receive.
func (p *Publisher) PublishTaskUpdateEvent(ctx context.Context, tx Tx, c Change) (Made, error) {
	id, err := newID()
	if err != nil {
		return Made{}, err
	}
	return p.put(ctx, tx, c, events.TaskUpdateEvent{
		EventID: id, SchemaVersion: events.SchemaVersion, EventType: c.Type, TaskID: c.Task.ID, UserID: c.Task.UserID,
		TaskData: c.Task.TaskData, TaskVersion: c.Task.Version, Seq: c.Task.Seq, Timestamp: c.Task.UpdatedAt,
	})
}

// PublishReminderEvent schedules, moves or cancels the task's reminder, according to c.Type. A scheduled reminder needs
// remind_at and a due date, otherwise the error is an *events.ValidationError. A due date without a time means the end of
// that day in the task's zone; the event then names the day too.
func (p *Publisher) PublishReminderEvent(ctx context.Context, tx Tx, c Change) (Made, error) {
	id, err := newID()
	if err != nil {
		return Made{}, err
	}
	e := events.ReminderEvent{
		EventID: id, SchemaVersion: events.SchemaVersion, EventType: c.Type, TaskID: c.Task.ID, UserID: c.Task.UserID,
		Title: c.Task.Title, TaskVersion: c.Task.Version, Timestamp: c.Task.UpdatedAt,
	}
	if c.Type == events.Scheduled {
		due, ok, err := c.Task.DueInstant()
		switch {
		case err != nil:
			return Made{}, fmt.Errorf("make ReminderEvent of task %s: %w", c.Task.ID, err)
		case !ok:
			return Made{}, fmt.Errorf("make ReminderEvent of task %s: %w", c.Task.ID, &events.ValidationError{Field: "due_at", Reason: "is missing: the task has neither due_date nor due_at"})
		case c.Task.RemindAt == nil:
			return Made{}, fmt.Errorf("make ReminderEvent of task %s: %w", c.Task.ID, &events.ValidationError{Field: "remind_at", Reason: "is missing"})
		}
		e.DueAt, e.DueDate, e.Timezone, e.RemindAt = due, c.Task.DueDate, c.Zone, *c.Task.RemindAt
	}
	return p.put(ctx, tx, c, e)
}

func (p *Publisher) put(ctx context.Context, tx Tx, c Change, e events.Event) (Made, error) {
	data, err := e.Encode()
	if err != nil {
		return Made{}, fmt.Errorf("make %s of task %s: %w", e.Name(), e.Subject(), err)
	}
	add(ctx, tx, e, data)
	p.log.LogAttrs(ctx, slog.LevelDebug, "made event", slog.String("event", e.Name()), slog.String("event_type", string(c.Type)),
		slog.String("event_id", e.ID()), slog.String("task_id", e.Subject()), slog.String("user_id", e.Key()), slog.String("actor", c.Actor))
	return Made{ID: e.ID(), Data: data}, nil
}

// add adds an encoded event to the outbox.
func add(ctx context.Context, tx Tx, e events.Event, data []byte) {
	tx.Add(outbox.Message{
		Topic: e.Topic(), Key: e.Key(), EventID: e.ID(), Type: e.Name(), Subject: e.Subject(), Data: data, TraceParent: tracecontext.Parent(ctx),
	})
}

// newID returns an event id. It is a UUIDv7, so that ids ascend with time.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make event id: %w", err)
	}
	return id.String(), nil
}
