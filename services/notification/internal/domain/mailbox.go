package domain

// This file has what a user can do with notifications and preferences, with the limits of each operation.

import (
	"context"
	"fmt"
	"time"
)

const (
	// DefaultLimit and MaxLimit bound a page, as in all lists of the API.
	DefaultLimit = 50
	MaxLimit     = 200
	// MaxSnooze bounds a snooze. After more than a year, a new reminder is more useful.
	MaxSnooze = 366 * 24 * time.Hour
)

// Filter selects notifications of one user, newest first.
type Filter struct {
	UserID string
	Unread *bool // true: only unread, false: only read
	After  *Key  // the last notification of the page before
	Limit  int   // 1 to MaxLimit
}

// Key orders a user's notifications.
type Key struct {
	CreatedAt time.Time
	ID        string
}

// Listing is a part of a list, with the state of the whole inbox at that moment.
type Listing struct {
	Items  []Notification
	Unread int64 // unread notifications of the inbox
	Seq    int64 // the number of the newest change of the inbox
}

// Page is a listing. More reports whether another page follows.
type Page struct {
	Listing
	More bool
}

// MailboxStore is the part of the database that the mailbox uses. For another user's notification it returns
// ErrNotFound.
type MailboxStore interface {
	// List returns up to limit notifications.
	List(ctx context.Context, f Filter, limit int) (Listing, error)
	// MarkRead sets ReadAt unless it is set.
	MarkRead(ctx context.Context, userID, id string, at time.Time) (Notification, error)
	// Snooze marks the notification as read and delivers it again at until. It returns ErrTaskDone when the task's reminder
	// is cancelled.
	Snooze(ctx context.Context, userID, id string, until, at time.Time) (Notification, error)
	// Deliveries returns the deliveries of a notification, by channel.
	Deliveries(ctx context.Context, userID, id string) ([]Delivery, error)
	// Preferences returns the user's preferences, or DefaultPreferences if the user has not set any.
	Preferences(ctx context.Context, userID string) (Preferences, error)
	// SavePreferences also makes reminders due that the old quiet hours deferred, so that the engine decides them again.
	SavePreferences(ctx context.Context, userID string, p Preferences, at time.Time) error
}

// Mailbox implements what users can do with their own notifications.
type Mailbox struct {
	store MailboxStore
	now   func() time.Time
	wake  func()
}

// NewMailbox makes a mailbox. It calls wake after a change that concerns the engine; wake must not block.
func NewMailbox(store MailboxStore, now func() time.Time, wake func()) *Mailbox {
	return &Mailbox{store: store, now: now, wake: wake}
}

// List returns a page of notifications, newest first.
func (m *Mailbox) List(ctx context.Context, f Filter) (Page, error) {
	list, err := m.store.List(ctx, f, f.Limit+1)
	if err != nil {
		return Page{}, err
	}
	page := Page{Listing: list}
	if len(list.Items) > f.Limit {
		page.Items, page.More = list.Items[:f.Limit], true
	}
	return page, nil
}

// Read marks a notification as read. A repeated call changes nothing.
func (m *Mailbox) Read(ctx context.Context, userID, id string) (Notification, error) {
	return m.store.MarkRead(ctx, userID, id, truncate(m.now()))
}

// SnoozeFor delivers a notification again after some minutes.
func (m *Mailbox) SnoozeFor(ctx context.Context, userID, id string, minutes int64) (Notification, error) {
	if most := int64(MaxSnooze.Minutes()); minutes < 1 || minutes > most {
		return Notification{}, &FieldError{"minutes", fmt.Sprintf("must be from 1 to %d", most)}
	}
	return m.snooze(ctx, userID, id, m.now().Add(time.Duration(minutes)*time.Minute))
}

// SnoozeUntil delivers a notification again at until, as a new one with its own id. A repeated call with
// the same until changes nothing. A call with another until replaces the first one.
func (m *Mailbox) SnoozeUntil(ctx context.Context, userID, id string, until time.Time) (Notification, error) {
	now := m.now()
	if !until.After(now) {
		return Notification{}, &FieldError{"until", "must be in the future"}
	}
	if until.After(now.Add(MaxSnooze)) {
		return Notification{}, &FieldError{"until", "must be within a year"}
	}
	return m.snooze(ctx, userID, id, until)
}

func (m *Mailbox) snooze(ctx context.Context, userID, id string, until time.Time) (Notification, error) {
	n, err := m.store.Snooze(ctx, userID, id, truncate(until), truncate(m.now()))
	if err == nil {
		m.wake()
	}
	return n, err
}

// Deliveries returns the delivery of a notification on each channel.
func (m *Mailbox) Deliveries(ctx context.Context, userID, id string) ([]Delivery, error) {
	return m.store.Deliveries(ctx, userID, id)
}

// Preferences returns the user's preferences.
func (m *Mailbox) Preferences(ctx context.Context, userID string) (Preferences, error) {
	return m.store.Preferences(ctx, userID)
}

// SavePreferences replaces the user's preferences. They apply to all later deliveries, including reminders that the
// old quiet hours deferred.
func (m *Mailbox) SavePreferences(ctx context.Context, userID string, p Preferences) error {
	if err := m.store.SavePreferences(ctx, userID, p, truncate(m.now())); err != nil {
		return err
	}
	m.wake()
	return nil
}
