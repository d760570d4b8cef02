package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// This file gets a new access token with a refresh token.

const (
	// renewTimeout bounds one attempt. It is longer than the time that the service gives a request.
	renewTimeout = 20 * time.Second
	// maxSession bounds what is read of the answer: an account and two tokens.
	maxSession = 64 << 10
)

// Login is a log-in that can be renewed. A refresh token is valid once: the server answers with its successor. If the answer
// was lost, the same token gives the same successor for a minute, so Renew can be repeated.
type Login struct {
	URL     string // of the gateway
	Refresh string // the present refresh token
	// Save keeps a successor before it is used. May be nil. If it fails, the log-in is lost when the process ends.
	Save func(refresh string) error
}

// Renew returns a new access token and replaces the refresh token. It returns ErrRefused with the server's words when
// another attempt cannot succeed.
func (l *Login) Renew(ctx context.Context) (string, error) {
	address, err := url.JoinPath(l.URL, "/api/v1/auth/refresh")
	if err != nil {
		return "", fmt.Errorf("renew the access token: %w", err)
	}
	body, err := json.Marshal(map[string]string{"refresh_token": l.Refresh})
	if err != nil {
		return "", fmt.Errorf("renew the access token: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("renew the access token: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("renew the access token: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Detail  string `json:"detail"` // of a problem document
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxSession))
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if answer.Detail == "" { // another server's answer
		answer.Detail = "The refresh token was answered " + resp.Status + "."
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return "", &refusal{answer.Detail, live.NewToken, false}
	case final(resp.StatusCode):
		return "", &refusal{answer.Detail, live.Stop, false}
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("renew the access token: the server answered %s", resp.Status)
	case err != nil:
		return "", fmt.Errorf("renew the access token: read the answer: %w", err)
	case answer.Access == "" || answer.Refresh == "":
		return "", fmt.Errorf("renew the access token: the answer from %s has no tokens", l.URL)
	}
	l.Refresh = answer.Refresh
	if l.Save != nil {
		if err := l.Save(l.Refresh); err != nil {
			return "", fmt.Errorf("%w: the new refresh token cannot be kept: %w", ErrRefused, err)
		}
	}
	return answer.Access, nil
}

// final reports whether a repetition of the request has the same answer.
func final(status int) bool {
	return status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests && status != http.StatusNotFound
}
