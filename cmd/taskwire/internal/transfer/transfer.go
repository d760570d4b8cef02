// Package transfer imports a file of tasks into a running Taskwire, and exports one from it, for `taskwire import` and
// `taskwire export`.
//
// Promises: a file is streamed and never held in memory. An interrupted import can be repeated and creates nothing twice.
// A failed export leaves no file behind, and an existing file does not change.
package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// This file has the requests to the server and its errors.

const (
	// maxProblem bounds what is read of an error answer: a problem document and its trace id.
	maxProblem = 64 << 10
	// headerTimeout is how long the server may take to begin its answer after it has the whole request.
	headerTimeout = 60 * time.Second
)

// Target is the address of Taskwire and the access token of the account.
type Target struct{ URL, Token string }

var client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: headerTimeout}}

// request returns the answer to a request, if its status is 200.
func (t Target) request(ctx context.Context, method, path, format string, body io.Reader) (*http.Response, error) {
	base, err := url.Parse(t.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("--url %q is not an address like http://127.0.0.1:8080", t.URL)
	}
	if t.Token == "" {
		return nil, errors.New("there is no access token: set the environment variable TASKWIRE_TOKEN")
	}
	at := base.JoinPath(path)
	at.RawQuery = url.Values{"format": {format}}.Encode()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, fmt.Errorf("request to %s: %w", t.URL, err)
	}
	req.Header.Set("Authorization", "Bearer "+t.Token)
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // it repeats the address
		}
		return nil, fmt.Errorf("cannot reach %s: %w", t.URL, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

// problem returns the server's problem document (RFC 9457) as one sentence.
func problem(resp *http.Response) error {
	var p struct{ Title, Detail string }
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Title == "" {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		p.Detail += " (The token comes from TASKWIRE_TOKEN.)"
	}
	return fmt.Errorf("%s (%d): %s", p.Title, resp.StatusCode, strings.TrimSpace(p.Detail))
}
