// Package subscriber handles the deliveries of the notification service: reminder events, and the wake-ups of the cron
// binding.
//
// Promises: an event is acknowledged only after its effect was committed, in one transaction with its id. The same event
// again, and an event older than the newest of its task, are acknowledged and change nothing. Any failure causes another
// delivery.
package subscriber

import (
	"context"
	"log/slog"

	"gorm.io/gorm"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/subscribe"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// Inbox runs an event's effect once, in a transaction with the event's id.
type Inbox interface {
	Once(ctx context.Context, eventID string, fn func(tx *gorm.DB) error) error
}

// Reminders stores the reminder of an event in the transaction tx.
type Reminders interface {
	Apply(ctx context.Context, tx *gorm.DB, r domain.Reminder) (domain.Outcome, error)
}

// Subscriber turns deliveries into reminders.
type Subscriber struct {
	inbox     Inbox
	reminders Reminders
	wake      func()
	log       *slog.Logger
}

// New makes a subscriber. It calls wake when there may be a due reminder; wake must not block.
func New(inbox Inbox, reminders Reminders, wake func(), log *slog.Logger) *Subscriber {
	return &Subscriber{inbox: inbox, reminders: reminders, wake: wake, log: log}
}

// bindingCron is the name of the input binding's component, which is also its route.
const bindingCron = "reminder-cron"

// Subscribe registers the service's deliveries.
func (s *Subscriber) Subscribe(server *subscribe.Server) {
	subscribe.Handle(server, events.TopicReminders, events.DecodeReminderEvent, s.onReminder)
	server.Binding(bindingCron, s.onCron)
}

// onReminder schedules, moves or cancels the reminder of a task.
func (s *Subscriber) onReminder(ctx context.Context, ev events.ReminderEvent, _ subscribe.Delivery) error {
	known, outcome := true, domain.Stale
	err := s.inbox.Once(ctx, ev.EventID, func(tx *gorm.DB) (err error) {
		known = false
		outcome, err = s.reminders.Apply(ctx, tx, domain.ReminderOf(ev))
		return err
	})
	if err != nil {
		return err
	}
	if known {
		s.log.DebugContext(ctx, "reminder event processed before", "event_id", ev.EventID, "task_id", ev.TaskID, "user_id", ev.UserID)
		return nil
	}
	if outcome == domain.Scheduled {
		s.wake() // it may be due before the engine's next round
	}
	s.log.DebugContext(ctx, "reminder event applied", "event_id", ev.EventID, "task_id", ev.TaskID, "user_id", ev.UserID, "outcome", outcome.String())
	return nil
}

// onCron only wakes the engine. The binding fires on every replica, never repeats a missed time and ignores errors, so
// nothing may depend on it.
func (s *Subscriber) onCron(context.Context) error {
	s.wake()
	return nil
}
