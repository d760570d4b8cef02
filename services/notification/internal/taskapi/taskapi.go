// Package taskapi asks the task API which accounts exist, by Dapr service invocation.
//
// Promise: only an answer of the task API reports that an account is gone. Everything else is an error.
package taskapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/taskwire/taskwire/pkg/events/apps"
)

const appID = apps.TaskAPI

// Invoker is the part of the Dapr client that invokes.
type Invoker interface {
	Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error)
}

// Client asks the task API.
type Client struct{ invoker Invoker }

// New makes a client.
func New(i Invoker) *Client { return &Client{invoker: i} }

// Existing implements domain.Accounts. Every account has a newest change number, and only accounts have one.
func (c *Client) Existing(ctx context.Context, userIDs []string) (map[string]bool, error) {
	_, raw, err := c.invoker.Invoke(ctx, appID, http.MethodPost, "internal/heads", map[string]any{"user_ids": userIDs})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Heads map[string]json.RawMessage `json:"heads"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("decode the answer about accounts: %w", err)
	}
	if answer.Heads == nil {
		return nil, errors.New("the answer about accounts has no heads")
	}
	existing := make(map[string]bool, len(answer.Heads))
	for id := range answer.Heads {
		existing[id] = true
	}
	return existing, nil
}
