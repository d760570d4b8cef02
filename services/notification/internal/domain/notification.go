package domain

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
)

// ErrNotFound is wrapped when the caller has no such notification.
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
	DeliveryDelivered = "delivered" // the channel has it
	DeliveryFailed    = "failed"    // the channel can never deliver it; LastError is the reason
)

// Notification is one notification of a user.
type Notification struct {
	ID, UserID, TaskID string
	Kind, Title, Body  string
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

// Due is a reminder, or a snoozed notification, whose time has come.
type Due struct {
	SnoozedID      string // the notification that was snoozed; empty for a reminder
	TaskID, UserID string
	Title          string
	DueAt          *time.Time
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
	Delivery     *Delivery                 // nil when the user has switched the channel off
	Event        *events.NotificationEvent // nil when nothing is to be pushed
	EventJSON    []byte                    // Event, encoded
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
		DueAt: d.DueAt, Late: now.Sub(d.DeliverAt) > lateAfter, CreatedAt: truncate(now),
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
	if err != nil { // this reminder must not block the others: it is only listed
		delivery.State, delivery.LastError = DeliveryFailed, err.Error()
		return decision
	}
	decision.Event, decision.EventJSON = &ev, data
	return decision
}

// clock is the format of an instant in a body. Clients that know the kind show due_at in the user's time zone instead.
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
