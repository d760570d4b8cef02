// Package invocation has the routes of the task API that other services call through Dapr. Every route requires the API token
// of our sidecar. The public port does not have these routes.
//
//	route                            caller                   answer
//	POST /internal/next-occurrence   recurring-task service   the task that follows a completed one (idempotent)
//	POST /internal/successors        recurring-task service   the same, for the previous version of that service
//	GET  /internal/changes           WebSocket service        a user's changes after a seq, without a gap
//	POST /internal/heads             WebSocket service        the newest seq of each of many users
//	GET  /internal/jwks              every service            the public keys of access tokens (RFC 7517)
//	GET  /internal/revocations       every service            what ended before its access tokens expire
package invocation

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/accounts"
	"github.com/taskwire/taskwire/services/task-api/internal/apierror"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

const (
	// engine is the actor in the events of a successor.
	engine = apps.RecurringTask
	// maxChanges bounds one page of changes. A page of usual tasks has half a megabyte, and a page of the largest tasks
	// some tens of megabytes. defaultChanges is the length of a page when the request has no limit.
	maxChanges, defaultChanges = 500, 100
	// maxRevocations bounds one page of revocations, which has about 200 bytes for each. defaultRevocations is its usual length.
	maxRevocations, defaultRevocations = 5000, 1000
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

// Accounts has the use cases of accounts that the routes call.
type Accounts interface {
	Revocations(ctx context.Context, since time.Time, after string, limit int) (accounts.RevocationPage, error)
}

type handlers struct {
	store    Store
	accounts Accounts
	jwks     func() []byte
}

// Register adds the routes to the server. jwks returns the key set as JSON.
func Register(s Server, store Store, users Accounts, jwks func() []byte) {
	h := &handlers{store, users, jwks}
	for _, r := range []struct {
		method, path string
		handle       func(*gin.Context) error
	}{
		{http.MethodPost, "/internal/next-occurrence", h.nextOccurrence},
		{http.MethodPost, "/internal/successors", h.nextOccurrence},
		{http.MethodGet, "/internal/changes", h.changes},
		{http.MethodPost, "/internal/heads", h.heads},
		{http.MethodGet, "/internal/jwks", h.keys},
		{http.MethodGet, "/internal/revocations", h.revocations},
	} {
		s.Invoke(r.method, r.path, func(c *gin.Context) error { return apierror.Of(r.handle(c)) })
	}
}

// completion is the body of POST /internal/next-occurrence: a task that was completed, and the event of its completion. The body of
// POST /internal/successors has these members too. Its others, which describe the task, are not trusted and not read.
type completion struct {
	EventID string `json:"event_id"`
	UserID  string `json:"user_id"`
	TaskID  string `json:"task_id"`
}

// nextOccurrence handles POST /internal/next-occurrence: it creates the task that follows a completed one. The stored task decides
// which one that is. It answers 201 with the new task, and 200 with the task if it already exists. It answers 409 if there is none:
// the completed task is gone, does not recur, is open again or is the last of its series. It answers 422 if the values are not those
// of a valid task. It never answers 404, which is the answer of a version without this route.
func (h *handlers) nextOccurrence(c *gin.Context) error {
	body, err := io.ReadAll(c.Request.Body) // bounded by the server
	if err != nil {
		return err
	}
	var done completion
	// Not strict: another version of the caller sends more members.
	if err := json.Unmarshal(body, &done); err != nil {
		return &httpx.Error{Code: httpx.CodeInvalid, Message: "The body is not that of a completion.", Err: err}
	}
	for field, id := range map[string]string{"user_id": done.UserID, "task_id": done.TaskID} {
		if uuid.Validate(id) != nil {
			return httpx.Unprocessable(field, "must be a UUID")
		}
	}
	t, isNew, err := h.store.CreateSuccessor(c.Request.Context(), tasks.SuccessorRequest{
		UserID: done.UserID, TaskID: done.TaskID, Actor: engine, Causation: done.EventID,
	})
	switch {
	case errors.Is(err, domain.ErrNotFound):
		return &httpx.Error{Code: httpx.CodeConflict, Message: "There is no such task any more."}
	case errors.Is(err, domain.ErrNotRecurring):
		return &httpx.Error{Code: httpx.CodeConflict, Message: "The task does not recur any more."}
	case err != nil:
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
	c.JSON(http.StatusOK, gin.H{
		"items": page.Items, "head": page.Head, "oldest": page.Oldest, "has_more": page.HasMore, "ended_sessions": page.EndedSessions,
	})
	return nil
}

// heads handles POST /internal/heads. The answer leaves out users that do not exist.
func (h *handlers) heads(c *gin.Context) error {
	ids, err := httpx.UserIDs(c)
	if err != nil {
		return err
	}
	heads, err := h.store.Heads(c.Request.Context(), ids)
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
