// Package history reads users' events and newest numbers from the services that keep them, by Dapr service invocation: the
// changes of tasks from the task API, the changes of the inbox from the notification service.
//
// Promises: an event is returned as the service has it. This includes event types that this version does not know: they
// have a place in the stream. An event that cannot be decoded ends the page before it, and the hub handles the gap. The
// status 410 is hub.ErrPruned. A 404 of the task API itself is hub.ErrNoAccount. Every other failure is temporary.
package history

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
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

const (
	// timeout bounds one read, including the retries of the client: a sweep must not hang on a service that does not answer.
	timeout = 5 * time.Second
	// typeNotFound is the type of the task API's problem document about a user that it does not have. A 404 without it comes
	// from a sidecar or a proxy on the way.
	typeNotFound = "urn:taskwire:problem:not-found"
)

// Invoker is the part of the Dapr client that invokes.
type Invoker interface {
	Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error)
}

// Client reads one stream from the service that keeps it.
type Client struct {
	invoker      Invoker
	app          string
	pages, heads string                              // the routes
	decode       func(raw []byte) (hub.Event, error) // one item of a page
	owns         bool                                // the service knows which accounts exist
}

var _ hub.Source = (*Client)(nil)

// Tasks returns a client of the task API. It knows which accounts exist: a user that it does not have is gone.
func Tasks(i Invoker) *Client {
	return &Client{invoker: i, app: apps.TaskAPI, pages: "/internal/changes", heads: "/internal/heads", decode: decodeChange, owns: true}
}

// Notifications returns a client of the notification service. It knows only the users who ever had a notification: any other
// one has none.
func Notifications(i Invoker) *Client {
	return &Client{invoker: i, app: apps.Notification, pages: "/internal/notifications", heads: "/internal/notification-heads", decode: decodeNotification}
}

// Read implements hub.Source.
func (c *Client) Read(ctx context.Context, userID string, since int64, limit int) (hub.Page, error) {
	query := url.Values{"user_id": {userID}, "since": {strconv.FormatInt(since, 10)}, "limit": {strconv.Itoa(limit)}}
	var answer struct {
		Items  []json.RawMessage `json:"items"`
		Head   int64             `json:"head"`
		Unread *int64            `json:"unread"`
		Ended  []string          `json:"ended_sessions"`
	}
	if err := c.call(ctx, http.MethodGet, c.pages+"?"+query.Encode(), nil, &answer); err != nil {
		return hub.Page{}, err
	}
	return hub.Page{Events: c.readable(answer.Items), Head: answer.Head, Unread: answer.Unread, Ended: answer.Ended}, nil
}

// readable decodes events up to the first one that cannot be decoded.
func (c *Client) readable(raws []json.RawMessage) []hub.Event {
	items := make([]hub.Event, 0, len(raws))
	for _, raw := range raws {
		ev, err := c.decode(raw)
		if err != nil {
			return items
		}
		items = append(items, ev)
	}
	return items
}

// decodeChange does not use events.DecodeTaskUpdateEvent, which refuses event types that it does not know.
func decodeChange(raw []byte) (hub.Event, error) {
	var ev events.TaskUpdateEvent
	if err := json.Unmarshal(raw, &ev); err != nil {
		return hub.Event{}, err
	}
	frame, err := wire.Event(ev)
	return hub.Event{Seq: ev.Seq, Frame: frame}, err
}

func decodeNotification(raw []byte) (hub.Event, error) {
	var ev events.NotificationEvent
	if err := json.Unmarshal(raw, &ev); err != nil {
		return hub.Event{}, err
	}
	frame, err := wire.Notification(ev)
	return hub.Event{Seq: ev.NotificationSeq, Frame: frame}, err
}

// Heads implements hub.Source.
func (c *Client) Heads(ctx context.Context, userIDs []string) (map[string]int64, error) {
	var answer struct {
		Heads map[string]int64 `json:"heads"`
	}
	body := map[string]any{"user_ids": userIDs}
	if err := c.call(ctx, http.MethodPost, c.heads, body, &answer); err != nil {
		return nil, err
	}
	if answer.Heads == nil { // not an answer of this route: no account is gone
		return nil, fmt.Errorf("the answer to POST %s has no heads", c.heads)
	}
	if !c.owns {
		for _, id := range userIDs {
			if _, there := answer.Heads[id]; !there {
				answer.Heads[id] = 0
			}
		}
	}
	return answer.Heads, nil
}

func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, raw, err := c.invoker.Invoke(ctx, c.app, method, path, body)
	if refused, ok := errors.AsType[*dapr.InvokeError](err); ok {
		switch {
		case refused.Status == http.StatusGone:
			return fmt.Errorf("%w: %w", hub.ErrPruned, err)
		case refused.Status == http.StatusNotFound && c.owns && problemType(refused.Body) == typeNotFound:
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
