package httpapi

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// This file serves single tasks, and decides what counts as a task id, as the body of a task and as an idempotency key.

// createTask handles POST /tasks. A repetition with the same Idempotency-Key creates nothing, and has the answer of the first
// request. When the user already has a task with the id of the body, deleted or not, the answer is 200 and that task.
func (h *handlers) createTask(c *gin.Context) error {
	members, err := readMembers(c)
	if err != nil {
		return err
	}
	id, fields, err := newTask(members, h.Now())
	if err != nil {
		return err
	}
	key, err := idempotencyKey(c, "POST /tasks", members)
	if err != nil {
		return err
	}
	answer, err := h.Tasks.Create(c.Request.Context(), tasks.CreateRequest{UserID: auth.UserID(c), ID: id, Fields: fields, Key: key})
	if err != nil {
		return err
	}
	if answer.Replayed {
		c.Header("Idempotency-Replayed", "true")
	}
	c.Header("Location", "/api/v1/tasks/"+answer.Task.ID)
	if !answer.Made {
		return respond(c, http.StatusOK, answer.Task)
	}
	return respond(c, http.StatusCreated, answer.Task)
}

// getTask handles GET /tasks/:id. It answers 304 if If-None-Match contains the version of the task, and 412 if If-Match does not.
func (h *handlers) getTask(c *gin.Context) error {
	if err := httpx.NoQuery(c); err != nil {
		return err
	}
	id, err := taskID(c)
	if err != nil {
		return err
	}
	t, err := h.Tasks.Get(c.Request.Context(), auth.UserID(c), id)
	if err != nil {
		return err
	}
	notModified, err := readConditions(c, t)
	if err != nil {
		return withETag(c, err)
	}
	if notModified {
		c.Header("ETag", etag(t.Version))
		c.Status(http.StatusNotModified)
		return nil
	}
	return respond(c, http.StatusOK, t.TaskData)
}

// replaceTask handles PUT /tasks/:id. A field that the body leaves out gets its default.
func (h *handlers) replaceTask(c *gin.Context) error { return h.write(c, domain.Replace, true) }

// patchTask handles PATCH /tasks/:id, a JSON Merge Patch (RFC 7396).
func (h *handlers) patchTask(c *gin.Context) error { return h.write(c, domain.Patch, false) }

func (h *handlers) write(c *gin.Context, apply func(domain.Task, domain.Fields, domain.Defaults) (domain.Task, error), whole bool) error {
	fields, err := readFields(c)
	if err != nil {
		return err
	}
	return h.respondChange(c, tasks.Op{
		Reopens: whole || fields.Status.Set, Position: tasks.PositionOf(fields),
		Apply: func(t domain.Task, d domain.Defaults) (domain.Task, error) { return apply(t, fields, d) },
	})
}

// deleteTask handles DELETE /tasks/:id. Deleting a deleted task answers 204 too, so a client can repeat it.
func (h *handlers) deleteTask(c *gin.Context) error {
	if _, err := h.change(c, tasks.Op{Apply: lifecycle(domain.Delete), Deleted: true, Deletes: true}); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// respondChange runs an operation on the task of the path and answers with the task.
func (h *handlers) respondChange(c *gin.Context, op tasks.Op) error {
	result, err := h.change(c, op)
	if err != nil {
		return err
	}
	c.Header("ETag", etag(result.Task.Version))
	c.JSON(http.StatusOK, changedTask{result.Task.TaskData, result.Next})
	return nil
}

// changedTask is the answer to a change of a task. NextOccurrence is there if the change opened a completed or skipped occurrence of
// a series that had a next one.
type changedTask struct {
	events.TaskData
	NextOccurrence *tasks.NextOccurrence `json:"next_occurrence,omitempty"`
}

// change runs an operation on the task of the path, if the task meets the conditions of the request.
func (h *handlers) change(c *gin.Context, op tasks.Op) (result tasks.OpResult, err error) {
	if err = httpx.NoQuery(c); err != nil {
		return tasks.OpResult{}, err
	}
	if op.TaskID, err = taskID(c); err != nil {
		return tasks.OpResult{}, err
	}
	if err = writeConditions(c, &op); err != nil {
		return tasks.OpResult{}, err
	}
	result, err = h.Tasks.Change(c.Request.Context(), tasks.ChangeRequest{UserID: auth.UserID(c), Op: op})
	return result, withETag(c, err)
}

// respond answers with a task and its ETag.
func respond(c *gin.Context, status int, t events.TaskData) error {
	c.Header("ETag", etag(t.Version))
	c.JSON(status, t)
	return nil
}

// taskID reads the id of the path. A malformed id is treated as not found.
func taskID(c *gin.Context) (string, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil || len(c.Param("id")) != len(uuid.Nil.String()) {
		return "", domain.ErrNotFound
	}
	return id.String(), nil
}

// readFields reads the fields of a task from the body.
func readFields(c *gin.Context) (domain.Fields, error) {
	members, err := readMembers(c)
	if err != nil {
		return domain.Fields{}, err
	}
	return domain.ParseFields(members)
}

// readMembers reads the members of a body that is an object.
func readMembers(c *gin.Context) (members map[string]json.RawMessage, err error) {
	if err := readBody(c, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, httpx.Invalid("", "The body must be an object.")
	}
	return members, nil
}

// newTask reads the fields of a new task, and the id that the client gives it, or "".
func newTask(members map[string]json.RawMessage, now time.Time) (id string, f domain.Fields, err error) {
	rest := maps.Clone(members)
	if raw, ok := members["id"]; ok {
		delete(rest, "id")
		var given *string // null is the same as absent
		if json.Unmarshal(raw, &given) != nil {
			return "", f, httpx.Invalid("id", "must be a string")
		}
		if given != nil {
			if id, err = domain.NewID(*given, now); err != nil {
				return "", f, err
			}
		}
	}
	f, err = domain.ParseFields(rest)
	return id, f, err
}

// maxKeyLength bounds an Idempotency-Key, in bytes. It is several times the length of a UUID with a prefix.
const maxKeyLength = 255

// idempotencyKey reads the header of draft-ietf-httpapi-idempotency-key-header, as a structured string ("…") or without quotes.
// It returns nil if there is no header. The hash covers the route and the members in sorted order, so it does not depend on
// their order in the body.
func idempotencyKey(c *gin.Context, route string, members any) (*tasks.IdempotencyKey, error) {
	values := c.Request.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return nil, nil
	}
	key := values[0]
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	if len(values) > 1 || key == "" || len(key) > maxKeyLength {
		return nil, httpx.Invalid("Idempotency-Key", fmt.Sprintf("must be one key of 1 to %d characters", maxKeyLength))
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return nil, httpx.Invalid("Idempotency-Key", "must have printable ASCII characters only")
		}
	}
	body, err := json.Marshal(members) // sorts the names
	if err != nil {
		return nil, fmt.Errorf("hash request: %w", err)
	}
	return &tasks.IdempotencyKey{Key: key, Hash: sha256.Sum256(append([]byte(route+"\n"), body...))}, nil
}
