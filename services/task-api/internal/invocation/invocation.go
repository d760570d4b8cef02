// Package invocation has the routes of the task API that other services call through Dapr. Every route requires the API token
// of our sidecar. The public port does not have these routes.
//
//	route                       caller                       answer
//	POST /internal/successors   recurring-task service       the task that follows a completed one (idempotent)
//	GET  /internal/changes      WebSocket service            a user's changes after a seq, without a gap
//	POST /internal/heads        WebSocket service            the newest seq of each of many users
//	GET  /internal/jwks         every service                the public keys of access tokens (RFC 7517)
package invocation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/apierror"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

const (
	// engine is the actor in the events of a successor.
	engine = apps.RecurringTask
	// maxUsers bounds the users of one request for heads.
	maxUsers = 1000
	// maxChanges bounds one page of changes. A page of usual tasks has half a megabyte, and a page of the largest tasks
	// some tens of megabytes. defaultChanges is the length of a page when the request has no limit.
	maxChanges, defaultChanges = 500, 100
)

// Store has the use cases that the routes call.
type Store interface {
	CreateSuccessor(ctx context.Context, r tasks.SuccessorRequest) (domain.Task, bool, error)
	Changes(ctx context.Context, userID string, since int64, limit int) (tasks.ChangePage, error)
	Heads(ctx context.Context, userIDs []string) (map[string]int64, error)
}

// Server receives service invocations.
type Server interface {
	Invoke(method, path string, h func(*gin.Context) error)
}

type handlers struct {
	store Store
	jwks  func() []byte
}

// Register adds the routes to the server. jwks returns the key set as JSON.
func Register(s Server, store Store, jwks func() []byte) {
	h := &handlers{store, jwks}
	for _, r := range []struct {
		method, path string
		handle       func(*gin.Context) error
	}{
		{http.MethodPost, "/internal/successors", h.successors},
		{http.MethodGet, "/internal/changes", h.changes},
		{http.MethodPost, "/internal/heads", h.heads},
		{http.MethodGet, "/internal/jwks", h.keys},
	} {
		s.Invoke(r.method, r.path, func(c *gin.Context) error { return apierror.Of(r.handle(c)) })
	}
}

// successor is the body of POST /internal/successors. task_id, series_id, occurrence_no and task_data describe the completed
// task. due_date, due_at and remind_at describe the new task.
type successor struct {
	EventID      string             `json:"event_id"`
	UserID       string             `json:"user_id"`
	TaskID       string             `json:"task_id"`
	SeriesID     string             `json:"series_id"`
	OccurrenceNo int                `json:"occurrence_no"`
	DueDate      string             `json:"due_date"`
	DueAt        *time.Time         `json:"due_at"`
	Timezone     string             `json:"timezone"`
	RemindAt     *time.Time         `json:"remind_at"`
	Recurrence   *events.Recurrence `json:"recurrence"`
	TaskData     events.TaskData    `json:"task_data"`
}

// successors handles POST /internal/successors: it creates the task that follows a completed one. It answers 201 with the new
// task, and 200 with the task if it already exists. It answers 404 if the completed task does not exist, 409 if the series has
// ended, and 422 if the values are not those of a valid task.
func (h *handlers) successors(c *gin.Context) error {
	body, err := io.ReadAll(c.Request.Body) // bounded by the server
	if err != nil {
		return err
	}
	var s successor
	// Not strict: a newer version of the caller may send more members, also in task_data.
	if err := json.Unmarshal(body, &s); err != nil {
		return &httpx.Error{Code: httpx.CodeInvalid, Message: "The body is not a request for a successor.", Err: err}
	}
	for field, id := range map[string]string{"user_id": s.UserID, "task_id": s.TaskID, "series_id": s.SeriesID} {
		if uuid.Validate(id) != nil {
			return httpx.Unprocessable(field, "must be a UUID")
		}
	}
	done := s.TaskData
	if done.ID != s.TaskID || done.UserID != s.UserID {
		return httpx.Unprocessable("task_data", "must be the completed task")
	}
	done.SeriesID, done.OccurrenceNo, done.Recurrence = s.SeriesID, s.OccurrenceNo, s.Recurrence
	if s.Timezone != "" {
		done.Timezone = s.Timezone
	}
	t, isNew, err := h.store.CreateSuccessor(c.Request.Context(), tasks.SuccessorRequest{
		Completed: done, Next: domain.Next{DueDate: s.DueDate, DueAt: s.DueAt, RemindAt: s.RemindAt}, Actor: engine, Causation: s.EventID,
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if isNew {
		status = http.StatusCreated
	}
	c.JSON(status, t.TaskData)
	return nil
}

// changes handles GET /internal/changes. It answers 410 if some of the changes after since are not kept any more.
func (h *handlers) changes(c *gin.Context) error {
	q := httpx.NewQuery(c)
	userID := q.UUID("user_id")
	if userID == "" {
		q.Refuse("user_id", "must be given")
	}
	since, _ := q.Integer("since", 0, math.MaxInt64)
	limit := q.Limit(defaultChanges, maxChanges)
	q.IgnoreUnknown() // a newer version of the caller may send more
	if err := q.Err(); err != nil {
		return err
	}
	page, err := h.store.Changes(c.Request.Context(), userID, since, limit)
	if err != nil {
		if errors.Is(err, tasks.ErrNoUser) {
			return httpx.NotFound("There is no such user.")
		}
		return err
	}
	c.JSON(http.StatusOK, gin.H{"items": page.Items, "head": page.Head, "oldest": page.Oldest, "has_more": page.HasMore})
	return nil
}

// heads handles POST /internal/heads. The answer leaves out users that do not exist.
func (h *handlers) heads(c *gin.Context) error {
	var body struct {
		UserIDs []string `json:"user_ids"`
	}
	if err := httpx.DecodeJSON(c, &body); err != nil {
		return err
	}
	if len(body.UserIDs) > maxUsers {
		return httpx.Invalid("user_ids", fmt.Sprintf("must have at most %d ids", maxUsers))
	}
	for _, id := range body.UserIDs {
		if uuid.Validate(id) != nil {
			return httpx.Invalid("user_ids", "must be UUIDs")
		}
	}
	heads, err := h.store.Heads(c.Request.Context(), body.UserIDs)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"heads": heads})
	return nil
}

// keys handles GET /internal/jwks.
func (h *handlers) keys(c *gin.Context) error {
	c.Data(http.StatusOK, "application/jwk-set+json", h.jwks())
	return nil
}
