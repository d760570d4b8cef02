package domain

// This file decides what a due reminder becomes: a notification, an event, or a later delivery after quiet hours.

import (
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
)

// ErrNotFound is wrapped when the user has no such notification.
var ErrNotFound = errors.New("no such notification")

// ErrTaskDone is wrapped when a notification cannot be snoozed because its task has no reminder any more.
var ErrTaskDone = errors.New("the task has no reminder any more")

// lateAfter is the delay after which a reminder is marked late. Users set reminders to the minute, so they do not notice
// a shorter delay. Restarts and rebalances of a healthy system take less.
const lateAfter = time.Minute

// ChannelInApp is the only channel: the user's list of notifications and every open browser.
const ChannelInApp = "in_app"

// The states of a delivery.
const (
	DeliveryDelivered = "delivered" // the channel accepted the notification
	DeliveryFailed    = "failed"    // the channel can never deliver it; LastError is the reason
)

// Notification is one notification of a user.
type Notification struct {
	ID, UserID, TaskID string
	Seq                int64 // the number of its newest change in the user's inbox; 0 when a version without numbers made it
	Kind, Title, Body  string
	DueDate            string // of a task without a time of day; DueAt is then the end of that day
	DueAt              *time.Time
	Late               bool
	CreatedAt          time.Time
	ReadAt             *time.Time
	SnoozedUntil       *time.Time // when it is delivered again; nil after that
}

// Delivery is the delivery of a notification on one channel.
type Delivery struct {
	Channel, State string
	Attempts       int
	LastError      string
	At             time.Time
}

// idSpace is the namespace of notification ids (UUIDv5). It must never change: a redelivery would create a second
// notification.
var idSpace = uuid.MustParse("8f0c5f4e-6d0c-5c0e-9a53-2f6f4f0f6b1d")

// Due is a reminder or a snoozed notification that is due.
type Due struct {
	SnoozedID      string // the notification that was snoozed; empty for a reminder
	TaskID, UserID string
	Title          string
	DueDate        string
	DueAt          *time.Time
	Older          bool      // the event is of a version that names neither the day nor the zone
	Timezone       string    // the user's now; empty when no event has named it yet
	RemindAt       time.Time // the time that the user set: remind_at, or the end of the snooze
	DeliverAt      time.Time // RemindAt, or the end of the quiet hours that it fell into
	TaskVersion    int64
}

// notificationID returns the same id for the same reminder, at any time and on any replica.
func (d Due) notificationID() string {
	at := strconv.FormatInt(d.RemindAt.UnixMicro(), 10)
	if d.SnoozedID != "" {
		return uuid.NewSHA1(idSpace, []byte("snooze/"+d.SnoozedID+"/"+at)).String()
	}
	return uuid.NewSHA1(idSpace, []byte(d.TaskID+"/"+at+"/"+strconv.FormatInt(d.TaskVersion, 10))).String()
}

// Decision is the decision about one due reminder: it is held until HoldUntil, or it becomes Notification.
type Decision struct {
	HoldUntil    time.Time // zero: deliver now
	Notification Notification
	Delivery     *Delivery // nil when the user has switched the channel off
	// Event is the change of the inbox, without its numbers. It is nil when the notification cannot be an event.
	Event *events.NotificationEvent
}

// Decide decides about a due reminder at now. The result depends only on the arguments, except for the event's id.
func Decide(d Due, p Preferences, now time.Time) Decision {
	if p.Quiet != nil && d.SnoozedID == "" { // a snooze is newer than the quiet hours, so its time wins
		if end, quiet := p.Quiet.EndAt(now); quiet {
			return Decision{HoldUntil: truncate(end)}
		}
	}
	n := Notification{
		ID: d.notificationID(), UserID: d.UserID, TaskID: d.TaskID, Kind: events.KindReminder, Title: d.Title,
		DueDate: d.DueDate, DueAt: d.DueAt, Late: now.Sub(d.DeliverAt) > lateAfter, CreatedAt: truncate(now),
	}
	n.Body = body(d, p, now, n.Late)
	decision := Decision{Notification: n}
	happened := events.Listed
	if p.InApp {
		happened = events.Added
		decision.Delivery = &Delivery{Channel: ChannelInApp, State: DeliveryDelivered, Attempts: 1, At: n.CreatedAt}
	}
	ev, err := Event(n, happened, n.CreatedAt)
	switch {
	case err == nil:
		decision.Event = &ev
	case decision.Delivery != nil: // this reminder must not block the others: it is only listed
		decision.Delivery.State, decision.Delivery.LastError = DeliveryFailed, err.Error()
	}
	return decision
}
