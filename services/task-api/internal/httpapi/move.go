package httpapi

import (
	"cmp"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/platform/optional"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// This file serves the moves of tasks in the order by position.

// moveBody is the body of POST /tasks/:id/move. The task goes before or after another one, and takes the status, as on a board
// with a column for each status.
type moveBody struct {
	Before *string        `json:"before"`
	After  *string        `json:"after"`
	Status *events.Status `json:"status"`
}

// moveTask handles POST /tasks/:id/move. It answers with the moved task. If there is no room between the two neighbours, other
// tasks move too, each with its event. A repeated move changes nothing.
func (h *handlers) moveTask(c *gin.Context) error {
	var body moveBody
	if err := readBody(c, &body); err != nil {
		return err
	}
	op, err := body.op(c.Param("id"))
	if err != nil {
		return err
	}
	return h.respondChange(c, op)
}

func (m moveBody) op(id string) (tasks.Op, error) {
	before, err := neighbour("before", m.Before, id)
	if err != nil {
		return tasks.Op{}, err
	}
	after, err := neighbour("after", m.After, id)
	switch {
	case err != nil:
		return tasks.Op{}, err
	case before != "" && after != "":
		return tasks.Op{}, httpx.Unprocessable("before", "must not be set together with after")
	case before == "" && after == "" && m.Status == nil:
		return tasks.Op{}, httpx.Unprocessable("after", "is missing: give before, after or status")
	}
	var fields domain.Fields
	if m.Status != nil {
		fields.Status = optional.Field[events.Status]{Set: true, Value: *m.Status}
	}
	op := tasks.Op{
		Reopens: m.Status != nil,
		Apply:   func(t domain.Task, d domain.Defaults) (domain.Task, error) { return domain.Patch(t, fields, d) },
	}
	if other := cmp.Or(before, after); other != "" {
		op.Beside = &tasks.Beside{Task: other, Before: before != ""}
	}
	return op, nil
}

// neighbour returns the id of the task next to which the task own is moved, or "".
func neighbour(member string, text *string, own string) (string, error) {
	if text == nil {
		return "", nil
	}
	id, err := uuid.Parse(*text)
	if err != nil || len(*text) != len(uuid.Nil.String()) {
		return "", httpx.Invalid(member, "must be the id of a task")
	}
	if parsed, err := uuid.Parse(own); err == nil && parsed == id {
		return "", httpx.Unprocessable(member, "must be the id of another task")
	}
	return id.String(), nil
}
