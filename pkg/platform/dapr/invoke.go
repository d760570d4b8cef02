package dapr

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// Invoke calls another app through the sidecars. httpMethod and path, with its query, arrive unchanged; path is in
// escaped form. body is nil, JSON as []byte or json.RawMessage, or a value to encode as JSON.
//
// For an answer outside 2xx it returns an *InvokeError together with status and body. A failure to reach the app is an
// *Error. The route must be idempotent: a request is sent again when its answer was lost, or was 502, 503 or 504.
func (c *Client) Invoke(ctx context.Context, appID, httpMethod, path string, body any) (status int, resp []byte, err error) {
	call := "invoke " + httpMethod + " " + route(path)
	payload, err := encodeBody(body)
	if err != nil {
		return 0, nil, &Error{Call: call, Component: appID, Err: fmt.Errorf("%w: %w", errArgument, err)}
	}
	target := c.base + "invoke/" + url.PathEscape(appID) + "/method/" + strings.TrimPrefix(path, "/")
	var appErr *InvokeError
	err = c.do(ctx, call, appID, func(ctx context.Context) error {
		status, resp, appErr = 0, nil, nil
		var err error
		if status, resp, err = c.invokeOnce(ctx, httpMethod, target, payload); err != nil {
			return err
		}
		if status/100 == 2 {
			return nil
		}
		appErr = &InvokeError{AppID: appID, Method: httpMethod, Path: route(path), Status: status, Body: resp}
		return appErr
	})
	if err != nil && appErr != nil {
		return status, resp, appErr
	}
	return status, resp, err
}

func (c *Client) invokeOnce(ctx context.Context, method, target string, payload []byte) (int, []byte, error) {
	var body io.Reader
	if payload != nil {
		body = bytes.NewReader(payload) // of known length, so the sidecar can send it a second time
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errArgument, err)
	}
	if payload != nil {
		req.Header.Set("Content-Type", contentTypeJSON)
	}
	if c.cfg.APIToken != "" {
		req.Header.Set(tokenHeader, c.cfg.APIToken)
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	if err != nil {
		return 0, nil, err
	}
	if len(answer) > maxAnswerBytes {
		return 0, nil, final(fmt.Errorf("the answer is larger than %d bytes", maxAnswerBytes))
	}
	if msg, ok := sidecarError(res, answer); ok {
		err := fmt.Errorf("the sidecar answered %d: %s", res.StatusCode, msg)
		if res.StatusCode < http.StatusInternalServerError {
			err = final(err) // a malformed app id, or an app that this one may not call
		}
		return 0, nil, err
	}
	return res.StatusCode, answer, nil
}

// sidecarError returns the message of an error of daprd itself. daprd forwards the app's own answers unchanged.
func sidecarError(res *http.Response, answer []byte) (string, bool) {
	if res.StatusCode/100 == 2 || !strings.HasPrefix(res.Header.Get("Content-Type"), contentTypeJSON) {
		return "", false
	}
	var e struct {
		ErrorCode string `json:"errorCode"`
		Message   string `json:"message"`
	}
	if json.Unmarshal(answer, &e) != nil || !strings.HasPrefix(e.ErrorCode, "ERR_") {
		return "", false
	}
	return e.ErrorCode + ": " + e.Message, true
}

func encodeBody(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	case json.RawMessage:
		return b, nil
	default:
		return json.Marshal(b)
	}
}

// route returns path without its query.
func route(path string) string {
	r, _, _ := strings.Cut(path, "?")
	return "/" + strings.TrimPrefix(r, "/")
}
