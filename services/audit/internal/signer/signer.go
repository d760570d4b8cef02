// Package signer asks the signer of the audit log for signatures, through Dapr. The signer is a process of its own with the
// signing key and the last checkpoint that it signed (services/audit-signer).
package signer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/events/apps"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

// timeout bounds a call, retries of the Dapr client included. A checkpoint that cannot be signed in time is answered with
// the newest kept one.
const timeout = 4 * time.Second

// Invoker is the part of the Dapr client that calls another app.
type Invoker interface {
	Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error)
}

// Client implements domain.Signer.
type Client struct{ sidecar Invoker }

var _ domain.Signer = (*Client)(nil)

// New makes a client.
func New(sidecar Invoker) *Client { return &Client{sidecar} }

// answer is the signer's answer.
type answer struct {
	Checkpoint string `json:"checkpoint"`
	Key        string `json:"verifier_key"`
}

func (a answer) signed() []byte {
	if a.Checkpoint == "" {
		return nil
	}
	return []byte(a.Checkpoint)
}

// Last implements domain.Signer.
func (c *Client) Last(ctx context.Context) (signed []byte, key string, err error) {
	a, err := c.call(ctx, http.MethodGet, "/internal/checkpoint", nil)
	if err != nil {
		return nil, "", fmt.Errorf("ask for the last checkpoint: %w", err)
	}
	return a.signed(), a.Key, nil
}

// request is the body of a request for a signature.
type request struct {
	From  int64       `json:"from"`
	Size  int64       `json:"size"`
	Root  tlog.Hash   `json:"root"`
	Proof []tlog.Hash `json:"proof"`
}

// Sign implements domain.Signer. The route is idempotent, so the Dapr client may repeat it.
func (c *Client) Sign(ctx context.Context, r domain.SignRequest) ([]byte, error) {
	a, err := c.call(ctx, http.MethodPost, "/internal/checkpoints", request(r))
	var invoked *dapr.InvokeError
	if errors.As(err, &invoked) {
		switch invoked.Status {
		case http.StatusConflict:
			return nil, &domain.StaleError{Last: a.signed()}
		case http.StatusUnprocessableEntity:
			return nil, &domain.RefusedError{Reason: detail(invoked.Body)}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ask for a signature of size %d: %w", r.Size, err)
	}
	return a.signed(), nil
}

func (c *Client) call(ctx context.Context, method, path string, body any) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	status, raw, err := c.sidecar.Invoke(ctx, apps.AuditSigner, method, path, body)
	if err != nil && status != http.StatusConflict {
		return answer{}, err
	}
	if decoded := json.Unmarshal(raw, &a); decoded != nil {
		return answer{}, fmt.Errorf("the signer's answer cannot be read: %w", decoded)
	}
	return a, err
}

// detail returns what a problem document says.
func detail(raw []byte) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	_ = json.Unmarshal(raw, &problem) // a document without a detail says nothing more
	return problem.Detail
}
