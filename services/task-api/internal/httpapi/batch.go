package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/auth"
	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/services/task-api/internal/apierror"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/tasks"
)

// This file decides which members each operation of a batch needs, and how the results are written.

// batchBody is the body of POST /tasks:batch.
type batchBody struct {
	Atomic     bool        `json:"atomic"`
	Operations []operation `json:"operations"`
}

// operation is one operation of a batch. Every op except create needs the id of a task. Task is the body of create and
// replace, and Patch is the merge patch of update. IfMatch is the version that the task must have.
type operation struct {
	Op      string                     `json:"op"`
	ID      string                     `json:"id,omitempty"`
	IfMatch *int64                     `json:"if_match,omitempty"`
	Task    map[string]json.RawMessage `json:"task,omitempty"`
	Patch   map[string]json.RawMessage `json:"patch,omitempty"`
}

// operationResult is the outcome of one operation. Its status is that of the single request for the same operation. It has a
// task or a problem; a deletion has neither.
type operationResult struct {
	Status  int                   `json:"status"`
	Task    *events.TaskData      `json:"task,omitempty"`
	Next    *tasks.NextOccurrence `json:"next_occurrence,omitempty"`
	Problem *httpx.Problem        `json:"problem,omitempty"`
}

// batchTasks handles POST /tasks:batch. It runs up to tasks.MaxBatch operations in order in one transaction, and answers with
// one result for each. An operation that fails does not affect the others, and the answer is 200. With "atomic": true the
// first failure rolls back the whole batch. The answer is then the problem of that operation, and its member results has a
// result for every operation.
//
// A repetition with the same Idempotency-Key does nothing, and its answer is byte for byte the first one. An atomic batch that
// failed stores no answer.
func (h *handlers) batchTasks(c *gin.Context) error {
	var body batchBody
	if err := readBody(c, &body); err != nil {
		return err
	}
	switch n := len(body.Operations); {
	case n == 0:
		return httpx.Unprocessable("operations", "must not be empty")
	case n > tasks.MaxBatch:
		return httpx.Unprocessable("operations", fmt.Sprintf("must be at most %d, got %d", tasks.MaxBatch, n))
	}
	if err := h.writes.take(auth.UserID(c), len(body.Operations)-1); err != nil {
		return err
	}
	key, err := idempotencyKey(c, "POST /tasks:batch", body)
	if err != nil {
		return err
	}
	r := tasks.BatchRequest{UserID: auth.UserID(c), Atomic: body.Atomic, Key: key}
	for _, o := range body.Operations {
		r.Ops = append(r.Ops, o.parse(h.Now()))
	}
	ctx := c.Request.Context()
	r.Answer = func(results []tasks.OpResult) ([]byte, error) { return batchAnswer(ctx, body.Operations, results) }
	answer, err := h.Tasks.Batch(ctx, r)
	var failed *tasks.AtomicError
	if errors.As(err, &failed) {
		return atomicFailure(c, len(body.Operations), failed)
	}
	if err != nil {
		return err
	}
	if answer.Replayed {
		c.Header("Idempotency-Replayed", "true")
	}
	if answer.Body == nil {
		if answer.Body, err = batchAnswer(ctx, body.Operations, answer.Results); err != nil {
			return err
		}
	}
	c.Data(http.StatusOK, "application/json; charset=utf-8", answer.Body)
	return nil
}

// batchAnswer encodes the answer of a batch whose operations are ops.
func batchAnswer(ctx context.Context, ops []operation, results []tasks.OpResult) ([]byte, error) {
	out := make([]operationResult, len(results))
	for i, r := range results {
		switch {
		case r.Err != nil:
			p := httpx.ProblemOf(ctx, apierror.Of(r.Err))
			out[i] = operationResult{Status: p.Status, Problem: &p}
		case ops[i].Op == "delete":
			out[i] = operationResult{Status: http.StatusNoContent}
		case r.Made:
			out[i] = operationResult{Status: http.StatusCreated, Task: &results[i].Task.TaskData}
		default:
			out[i] = operationResult{Status: http.StatusOK, Task: &results[i].Task.TaskData, Next: r.Next}
		}
	}
	return json.Marshal(struct {
		Results []operationResult `json:"results"`
	}{out})
}

// atomicFailure answers with the problem of the operation that failed. The result of every other operation is 424.
func atomicFailure(c *gin.Context, operations int, failed *tasks.AtomicError) error {
	p := httpx.ProblemOf(c.Request.Context(), apierror.Of(failed.Err))
	if p.Status >= http.StatusInternalServerError {
		return failed.Err // httpx logs it, and answers without the results
	}
	not := httpx.Problem{
		Type: "urn:taskwire:problem:not-done", Title: "Not done", Status: http.StatusFailedDependency,
		Detail: fmt.Sprintf("Not done, because operations[%d] of this atomic batch failed.", failed.Index),
	}
	results := make([]operationResult, operations)
	for i := range results {
		results[i] = operationResult{Status: not.Status, Problem: &not}
	}
	own := p
	results[failed.Index] = operationResult{Status: own.Status, Problem: &own}
	p.Detail = fmt.Sprintf("Nothing was done: operations[%d] failed: %s", failed.Index, p.Detail)
	p.Errors = nil
	for _, f := range own.Errors {
		p.Errors = append(p.Errors, httpx.FieldError{Field: fmt.Sprintf("operations[%d].%s", failed.Index, f.Field), Message: f.Message})
	}
	c.Header("Content-Type", "application/problem+json")
	c.JSON(p.Status, struct {
		httpx.Problem
		Results []operationResult `json:"results"`
	}{p, results})
	return nil
}

// parse returns the operation for the use case. An invalid operation becomes one that fails, so the other operations still run.
func (o operation) parse(now time.Time) tasks.Op {
	op, err := o.read(now)
	if err != nil {
		return tasks.Op{Err: err}
	}
	if o.IfMatch != nil {
		op.IfMatch = &tasks.Versions{*o.IfMatch}
	}
	return op
}

// read returns the operation without IfMatch.
func (o operation) read(now time.Time) (tasks.Op, error) {
	body, member := o.Task, "task"
	if o.Op == "update" {
		body, member = o.Patch, "patch"
	}
	takesBody := o.Op == "create" || o.Op == "replace" || o.Op == "update"
	switch {
	case o.Op != "create" && o.ID == "":
		return tasks.Op{}, httpx.Invalid("id", "is missing")
	case o.Op == "create" && o.ID != "":
		return tasks.Op{}, httpx.Invalid("id", "cannot be used with create: the new id is a member of task")
	case o.Op == "create" && o.IfMatch != nil:
		return tasks.Op{}, httpx.Invalid("if_match", "cannot be used with create")
	case takesBody && body == nil:
		return tasks.Op{}, httpx.Invalid(member, "is missing")
	case o.Patch != nil && o.Op != "update":
		return tasks.Op{}, httpx.Invalid("patch", "can be used with update only")
	case o.Task != nil && (!takesBody || o.Op == "update"):
		return tasks.Op{}, httpx.Invalid("task", "can be used with create and replace only")
	}
	if o.Op == "create" {
		id, fields, err := newTask(body, now)
		if err != nil {
			return tasks.Op{}, err
		}
		return tasks.Op{TaskID: id, Position: tasks.PositionOf(fields), Create: func(id, userID string, d domain.Defaults) (domain.Task, error) {
			return domain.New(id, userID, fields, d)
		}}, nil
	}
	fields, err := domain.ParseFields(body)
	if err != nil {
		return tasks.Op{}, err
	}
	id, err := uuid.Parse(o.ID)
	if err != nil || len(o.ID) != len(uuid.Nil.String()) {
		return tasks.Op{}, domain.ErrNotFound
	}
	op := tasks.Op{TaskID: id.String(), Position: tasks.PositionOf(fields)}
	switch o.Op {
	case "update":
		op.Reopens = fields.Status.Set
		op.Apply = func(t domain.Task, d domain.Defaults) (domain.Task, error) { return domain.Patch(t, fields, d) }
	case "replace":
		op.Reopens = true
		op.Apply = func(t domain.Task, d domain.Defaults) (domain.Task, error) { return domain.Replace(t, fields, d) }
	case "complete":
		op.Apply = lifecycle(domain.Complete)
	case "reopen":
		op.Apply, op.Reopens = lifecycle(domain.Reopen), true
	case "delete":
		op.Apply, op.Deleted, op.Deletes = lifecycle(domain.Delete), true, true
	case "restore":
		op.Apply, op.Deleted, op.Restores = lifecycle(domain.Restore), true, true
	case "skip":
		op.Skip = true
	default:
		return tasks.Op{}, httpx.Invalid("op", "must be create, update, replace, complete, reopen, delete, restore or skip")
	}
	return op, nil
}
