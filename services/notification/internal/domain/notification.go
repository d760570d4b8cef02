package domain

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
)

// ErrNotFound says that the caller has no such notification.
var ErrNotFound = errors.New("no such notification")

// ErrTaskDone says that a notification cannot come again because its task needs no reminder any more.
var ErrTaskDone = errors.New("the task has no reminder any more")

// lateAfter is how far behind its time a reminder may be without being called late. Reminders are set to the minute,
// so within one nobody can tell; restarts and rebalances of a healthy system end well within it.
const lateAfter = time.Minute

// ChannelInApp is the one channel there is: the user's list of notifications, and every open browser.
const ChannelInApp = "in_app"

// The states of a delivery.
const (
	DeliveryDelivered = "delivered" // the channel has it
	DeliveryFailed    = "failed"    // the channel can never take it; LastError says why
)

// Notification is what a user sees.
type Notification struct {
	ID, UserID, TaskID string
	Kind, Title, Body  string
	DueAt              *time.Time
	Late               bool
	CreatedAt          time.Time
	ReadAt             *time.Time
	SnoozedUntil       *time.Time // when it comes again, until it has
}

// Delivery is how a notification fared on one channel.
type Delivery struct {
	Channel, State string
	Attempts       int
	LastError      string
	At             time.Time
}

// idSpace is the namespace of notification ids (UUIDv5). It must never change: a redelivery would not meet the
// notification it made before.
var idSpace = uuid.MustParse("8f0c5f4e-6d0c-5c0e-9a53-2f6f4f0f6b1d")

// Due is a reminder, or a snoozed notification, whose time has come.
type Due struct {
	SnoozedID      string // the notification that was snoozed; empty for a reminder
	TaskID, UserID string
	Title          string
	DueAt          *time.Time
	RemindAt       time.Time // what the user asked for: remind_at, or the end of the snooze
	DeliverAt      time.Time // RemindAt, or the end of the quiet hours that it fell into
	TaskVersion    int64
}

// notificationID is the same whenever and wherever the same reminder is delivered.
func (d Due) notificationID() string {
	at := strconv.FormatInt(d.RemindAt.UnixMicro(), 10)
	if d.SnoozedID != "" {
		return uuid.NewSHA1(idSpace, []byte("snooze/"+d.SnoozedID+"/"+at)).String()
	}
	return uuid.NewSHA1(idSpace, []byte(d.TaskID+"/"+at+"/"+strconv.FormatInt(d.TaskVersion, 10))).String()
}

// Decision is what becomes of one due reminder: it is held until HoldUntil, or else it becomes Notification.
type Decision struct {
	HoldUntil    time.Time // zero: deliver now
	Notification Notification
	Delivery     *Delivery                 // nil when the user has switched the channel off
	Event        *events.NotificationEvent // nil when nothing is to be pushed
	EventJSON    []byte                    // Event, encoded
}

// Decide says what becomes of a due reminder at now. It depends on its arguments alone, except for the event's id.
func Decide(d Due, p Preferences, now time.Time) Decision {
	if p.Quiet != nil && d.SnoozedID == "" { // a snooze names its time later than the quiet hours were set: it wins
		if end, quiet := p.Quiet.EndAt(now); quiet {
			return Decision{HoldUntil: micro(end)}
		}
	}
	n := Notification{
		ID: d.notificationID(), UserID: d.UserID, TaskID: d.TaskID, Kind: events.KindReminder, Title: d.Title,
		DueAt: d.DueAt, Late: now.Sub(d.DeliverAt) > lateAfter, CreatedAt: micro(now),
	}
	n.Body = body(d, n.Late)
	decision := Decision{Notification: n}
	if !p.InApp {
		return decision
	}
	delivery := &Delivery{Channel: ChannelInApp, State: DeliveryDelivered, Attempts: 1, At: n.CreatedAt}
	decision.Delivery = delivery
	ev := events.NotificationEvent{
		EventID: uuid.Must(uuid.NewV7()).String(), SchemaVersion: events.SchemaVersion, NotificationID: n.ID, TaskID: n.TaskID,
		UserID: n.UserID, Kind: n.Kind, Title: n.Title, Body: n.Body, DueAt: n.DueAt, Late: n.Late, Timestamp: n.CreatedAt,
	}
	data, err := ev.Encode()
	if err != nil { // one reminder that cannot be an event must not hold back the others: it stays in the list
		delivery.State, delivery.LastError = DeliveryFailed, err.Error()
		return decision
	}
	decision.Event, decision.EventJSON = &ev, data
	return decision
}

// clock is how a body shows an instant. Clients that know the kind show due_at in the user's own zone instead.
const clock = "2 January 2006, 15:04 MST"

func body(d Due, late bool) string {
	text := ""
	if d.DueAt != nil {
		text = fmt.Sprintf("Due %s.", d.DueAt.UTC().Format(clock))
	}
	if late {
		if text != "" {
			text += " "
		}
		text += fmt.Sprintf("This reminder was for %s and is late.", d.RemindAt.UTC().Format(clock))
	}
	return text
}
