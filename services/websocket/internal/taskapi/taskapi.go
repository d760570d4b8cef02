// Package taskapi reads users' changes and newest seqs from the task API, by Dapr service invocation.
//
// Promises: a change is returned as the task API has it. This includes event types that this version does not know: they
// have a place in the sequence. A change that cannot be decoded ends the page before it, and the hub handles the gap. The
// status 410 is hub.ErrPruned. A 404 of the task API itself is hub.ErrNoAccount. Every other failure is temporary.
package taskapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
)

const (
	appID = apps.TaskAPI
	// timeout bounds one read, including the retries of the client: a sweep must not hang on a task API that does not answer.
	timeout = 5 * time.Second
	// typeNotFound is the type of the task API's problem document about a user that it does not have. A 404 without it comes
	// from a sidecar or a proxy on the way.
	typeNotFound = "urn:taskwire:problem:not-found"
)

// Invoker is the part of the Dapr client that invokes.
type Invoker interface {
	Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error)
}

// Client reads from the task API.
type Client struct{ invoker Invoker }

// New returns a client.
func New(i Invoker) *Client { return &Client{invoker: i} }

var _ hub.Source = (*Client)(nil)

// Changes implements hub.Source.
func (c *Client) Changes(ctx context.Context, userID string, since int64, limit int) (hub.Changes, error) {
	query := url.Values{"user_id": {userID}, "since": {strconv.FormatInt(since, 10)}, "limit": {strconv.Itoa(limit)}}
	var answer struct {
		Items []json.RawMessage `json:"items"`
		Head  int64             `json:"head"`
	}
	if err := c.call(ctx, http.MethodGet, "/internal/changes?"+query.Encode(), nil, &answer); err != nil {
		return hub.Changes{}, err
	}
	return hub.Changes{Items: readable(answer.Items), Head: answer.Head}, nil
}

// readable decodes changes up to the first one that cannot be decoded. It does not use events.DecodeTaskUpdateEvent, which
// refuses event types that it does not know.
func readable(raws []json.RawMessage) []events.TaskUpdateEvent {
	items := make([]events.TaskUpdateEvent, 0, len(raws))
	for _, raw := range raws {
		var ev events.TaskUpdateEvent
		if json.Unmarshal(raw, &ev) != nil {
			return items
		}
		items = append(items, ev)
	}
	return items
}

// Heads implements hub.Source.
func (c *Client) Heads(ctx context.Context, userIDs []string) (map[string]int64, error) {
	var answer struct {
		Heads map[string]int64 `json:"heads"`
	}
	body := map[string]any{"user_ids": userIDs}
	if err := c.call(ctx, http.MethodPost, "/internal/heads", body, &answer); err != nil {
		return nil, err
	}
	return answer.Heads, nil
}

func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, raw, err := c.invoker.Invoke(ctx, appID, method, path, body)
	if refused, ok := errors.AsType[*dapr.InvokeError](err); ok {
		switch {
		case refused.Status == http.StatusGone:
			return fmt.Errorf("%w: %w", hub.ErrPruned, err)
		case refused.Status == http.StatusNotFound && problemType(refused.Body) == typeNotFound:
			return fmt.Errorf("%w: %w", hub.ErrNoAccount, err)
		}
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("decode the answer to %s %s: %w", method, path, err)
	}
	return nil
}

// problemType returns the type of a problem document (RFC 9457), or "" for another body.
func problemType(body []byte) string {
	var problem struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	return problem.Type
}
