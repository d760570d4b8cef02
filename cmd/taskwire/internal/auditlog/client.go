// Package auditlog checks an audit log from the outside: over HTTP, or in files. It uses only the log's public key and the
// rules of pkg/platform/auditlog.
package auditlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// answerTimeout bounds a small answer. A checkpoint waits up to 8 s for its signature.
	answerTimeout = 15 * time.Second
	// partTimeout bounds one answer of an export, which ends by itself after 20 s.
	partTimeout = 2 * time.Minute
	// maxAnswer bounds a small answer.
	maxAnswer = 1 << 20
)

// Client asks a log over HTTP.
type Client struct {
	URL   string // of the gateway
	Token string // an access token, or a personal one
	HTTP  *http.Client
}

// StatusError is an answer other than 200.
type StatusError struct {
	Status int
	Detail string // what the server says
}

func (e *StatusError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("the server answered %d", e.Status)
	}
	return fmt.Sprintf("the server answered %d: %s", e.Status, e.Detail)
}

// Key returns the log's public key, as the server says it.
func (c *Client) Key(ctx context.Context) (string, error) {
	raw, err := c.small(ctx, "/api/v1/audit/key")
	return strings.TrimSpace(string(raw)), err
}

// Checkpoint returns the signed head.
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	return c.small(ctx, "/api/v1/audit/checkpoint")
}

// Consistency returns the proof between two sizes.
func (c *Client) Consistency(ctx context.Context, from, to int64) ([]tlog.Hash, error) {
	raw, err := c.small(ctx, "/api/v1/audit/proof/consistency?from="+strconv.FormatInt(from, 10)+"&to="+strconv.FormatInt(to, 10))
	if err != nil {
		return nil, err
	}
	var proof struct {
		Hashes []tlog.Hash `json:"hashes"`
	}
	if err := json.Unmarshal(raw, &proof); err != nil {
		return nil, fmt.Errorf("the proof cannot be read: %w", err)
	}
	return proof.Hashes, nil
}

func (c *Client) small(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	body, err := c.get(ctx, path)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return raw, nil
}

// export opens an export that begins at a position.
func (c *Client) export(ctx context.Context, from int64) (io.ReadCloser, error) {
	return c.get(ctx, "/api/v1/audit/export?from="+strconv.FormatInt(from, 10))
}

func (c *Client) get(ctx context.Context, path string) (io.ReadCloser, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" {
		return nil, errors.New("--url is not an address like https://tasks.example.com")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var problem struct {
		Detail string `json:"detail"`
	}
	_ = json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&problem) // an answer of a proxy may have no document
	return nil, &StatusError{resp.StatusCode, problem.Detail}
}
