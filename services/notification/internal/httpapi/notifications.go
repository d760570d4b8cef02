package httpapi

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/notification/internal/domain"
)

// notification is a notification in an answer.
type notification struct {
	ID           string     `json:"id"`
	Seq          int64      `json:"notification_seq"`
	Kind         string     `json:"kind"`
	TaskID       string     `json:"task_id"`
	Title        string     `json:"title"`
	Body         string     `json:"body"`
	DueDate      string     `json:"due_date,omitempty"`
	DueAt        *time.Time `json:"due_at,omitempty"`
	Late         bool       `json:"late"`
	CreatedAt    time.Time  `json:"created_at"`
	ReadAt       *time.Time `json:"read_at,omitempty"`
	SnoozedUntil *time.Time `json:"snoozed_until,omitempty"`
}

func newNotification(n domain.Notification) notification {
	return notification{
		ID: n.ID, Seq: n.Seq, Kind: n.Kind, TaskID: n.TaskID, Title: n.Title, Body: n.Body, DueDate: n.DueDate, DueAt: n.DueAt,
		Late: n.Late, CreatedAt: n.CreatedAt, ReadAt: n.ReadAt, SnoozedUntil: n.SnoozedUntil,
	}
}

type list struct {
	Items      []notification `json:"items"`
	NextCursor string         `json:"next_cursor"` // "" on the last page
	Unread     int64          `json:"unread"`      // of the whole inbox, whatever the filter
	Seq        int64          `json:"notification_seq"`
}

// list handles GET /api/v1/notifications: the caller's notifications, newest first. unread=true returns only those that
// are not read, and unread=false only those that are. unread and notification_seq of the answer are of the whole inbox, at the
// same moment as the items.
func (h handlers) list(c *gin.Context) error {
	q := httpx.NewQuery(c)
	f := domain.Filter{
		UserID: auth.UserID(c), Unread: q.Boolean("unread"), After: after(q), Limit: q.Limit(domain.DefaultLimit, domain.MaxLimit),
	}
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.mailbox.List(c.Request.Context(), f)
	if err != nil {
		return err
	}
	answer := list{Items: make([]notification, len(page.Items)), Unread: page.Unread, Seq: page.Seq}
	for i, n := range page.Items {
		answer.Items[i] = newNotification(n)
	}
	if page.More {
		last := page.Items[len(page.Items)-1]
		answer.NextCursor = encodeCursor(domain.Key{CreatedAt: last.CreatedAt, ID: last.ID})
	}
	c.JSON(http.StatusOK, answer)
	return nil
}

// read handles POST /api/v1/notifications/:id/read. For a notification that is read already it changes nothing.
func (h handlers) read(c *gin.Context) error {
	q := httpx.NewQuery(c)
	id := q.PathUUID("id")
	if err := q.Err(); err != nil {
		return err
	}
	n, err := h.mailbox.Read(c.Request.Context(), auth.UserID(c), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, newNotification(n))
	return nil
}

type snoozeRequest struct {
	Until   *string `json:"until"`
	Minutes *int64  `json:"minutes"`
}

// snooze handles POST /api/v1/notifications/:id/snooze: it marks the notification as read, and at until, or after
// minutes, a new one is delivered. None is delivered when the task is completed, deleted or rescheduled before.
func (h handlers) snooze(c *gin.Context) error {
	q := httpx.NewQuery(c)
	id := q.PathUUID("id")
	if err := q.Err(); err != nil {
		return err
	}
	var body snoozeRequest
	if err := httpx.DecodeJSON(c, &body); err != nil {
		return err
	}
	n, err := h.snoozed(c, id, body)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, newNotification(n))
	return nil
}

func (h handlers) snoozed(c *gin.Context, id string, body snoozeRequest) (domain.Notification, error) {
	ctx, userID := c.Request.Context(), auth.UserID(c)
	switch {
	case body.Until != nil && body.Minutes != nil:
		return domain.Notification{}, httpx.Unprocessable("minutes", "must not be given together with until")
	case body.Until != nil:
		until, err := time.Parse(time.RFC3339Nano, *body.Until)
		if err != nil {
			return domain.Notification{}, httpx.Unprocessable("until", "must be an RFC 3339 time, for example 2030-01-31T09:00:00Z")
		}
		return h.mailbox.SnoozeUntil(ctx, userID, id, until)
	case body.Minutes != nil:
		return h.mailbox.SnoozeFor(ctx, userID, id, *body.Minutes)
	}
	return domain.Notification{}, httpx.Unprocessable("until", "or minutes must be given")
}

type delivery struct {
	Channel   string    `json:"channel"`
	State     string    `json:"state"`
	Attempts  int       `json:"attempts"`
	LastError string    `json:"last_error,omitempty"`
	At        time.Time `json:"at"`
}

// deliveries handles GET /api/v1/notifications/:id/deliveries: the notification's delivery on each channel. The list has
// one page.
func (h handlers) deliveries(c *gin.Context) error {
	q := httpx.NewQuery(c)
	id := q.PathUUID("id")
	if err := q.Err(); err != nil {
		return err
	}
	found, err := h.mailbox.Deliveries(c.Request.Context(), auth.UserID(c), id)
	if err != nil {
		return err
	}
	items := make([]delivery, len(found))
	for i, d := range found {
		items[i] = delivery{Channel: d.Channel, State: d.State, Attempts: d.Attempts, LastError: d.LastError, At: d.At}
	}
	c.JSON(http.StatusOK, gin.H{"items": items, "next_cursor": ""})
	return nil
}
