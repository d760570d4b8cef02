// Package taskapi calls the task API by Dapr service invocation.
//
// Promises: a final answer is returned as an Answer. Everything else is an error, after which the caller may try again.
// The route is idempotent, so that a second request never creates a second task.
package taskapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/services/recurring-task/internal/domain"
)

const (
	appID = apps.TaskAPI
	route = "internal/next-occurrence"
)

// Invoker is the part of the Dapr client that calls another app.
type Invoker interface {
	Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error)
}

// Client calls the task API.
type Client struct{ sidecar Invoker }

// New makes a client.
func New(sidecar Invoker) *Client { return &Client{sidecar: sidecar} }

var _ domain.Tasks = (*Client)(nil)

// request is the body of POST /internal/next-occurrence.
type request struct {
	EventID string `json:"event_id"`
	UserID  string `json:"user_id"`
	TaskID  string `json:"task_id"`
}

// CreateSuccessor implements domain.Tasks.
func (c *Client) CreateSuccessor(ctx context.Context, done domain.Completion) (domain.Answer, error) {
	status, body, err := c.sidecar.Invoke(ctx, appID, http.MethodPost, route, request(done))
	var refused *dapr.InvokeError
	if errors.As(err, &refused) {
		if reason, final := refusal(refused); final {
			return domain.Answer{Refused: reason}, nil
		}
	}
	if err != nil {
		return domain.Answer{}, err
	}
	var task struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &task); err != nil || task.ID == "" {
		return domain.Answer{}, fmt.Errorf("%s answered %d without a task", appID, status)
	}
	return domain.Answer{TaskID: task.ID, Made: status == http.StatusCreated}, nil
}

// problem is the part of a problem document (RFC 9457) that a log line shows.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

// refusal reports whether an answer is final, with its reason: there is no successor because the task is gone or open again, or its
// series has ended (409), or the successor could not be a task (422, for example because its date would be out of range). An answer
// without a problem document does not come from the task API's handler, so it is not final. Nor is 404: a task API of the previous
// version, which does not have the route yet, answers so while both are being upgraded.
func refusal(e *dapr.InvokeError) (reason string, final bool) {
	var p problem
	if json.Unmarshal(e.Body, &p) != nil || p.Title == "" {
		return "", false
	}
	switch e.Status {
	case http.StatusConflict, http.StatusUnprocessableEntity:
	default:
		return "", false
	}
	reason = fmt.Sprintf("%d %s", e.Status, p.Title)
	if p.Detail != "" {
		reason += ": " + p.Detail
	}
	for _, f := range p.Errors {
		reason += "; " + f.Field + " " + f.Message
	}
	return reason, true
}
