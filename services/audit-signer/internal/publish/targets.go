package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
)

// maxAnswer is how much of an answer is read before the connection is used again.
const maxAnswer = 64 << 10

// HTTP posts each checkpoint to a URL. Any 2xx answer of that URL means that the place has it.
type HTTP struct {
	url    string
	client *http.Client
}

// NewHTTP makes a target. It does not follow a redirect: the POST could become a GET without the checkpoint, whose answer would
// be taken for the place's. So a 3xx answer is a failure.
func NewHTTP(address string) HTTP {
	return HTTP{url: address, client: &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send implements Target. The header Idempotency-Key is the same in every attempt.
func (h HTTP) Send(ctx context.Context, line []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(line))
	if err != nil {
		return errors.New("post a checkpoint: the address is not a URL") // the error would show it, with a secret in its query
	}
	sum := sha256.Sum256(line)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", hex.EncodeToString(sum[:16]))
	resp, err := h.client.Do(req)
	if err != nil {
		return fmt.Errorf("post a checkpoint: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("post a checkpoint: the answer was %d, and not 2xx", resp.StatusCode)
	}
	return nil
}

// Bus is the part of the Dapr client that Topic uses.
type Bus interface {
	PublishEvent(ctx context.Context, topic string, e dapr.Event) error
}

// Topic publishes each checkpoint on the topic audit-checkpoints, whose retention is unlimited.
type Topic struct{ Bus Bus }

// checkpointType is the CloudEvent's type.
const checkpointType = "audit.checkpoint"

// Send implements Target. The event's id is derived from the checkpoint, so it is the same in every attempt.
func (t Topic) Send(ctx context.Context, line []byte) error {
	return t.Bus.PublishEvent(ctx, events.TopicAuditCheckpoints, dapr.Event{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, line).String(), Key: checkpointType, Type: checkpointType, Data: bytes.TrimSpace(line),
	})
}

// withoutURL returns the cause of an error of package http, which shows the address.
func withoutURL(err error) error {
	for cause := errors.Unwrap(err); cause != nil && strings.Contains(err.Error(), "://"); cause = errors.Unwrap(cause) {
		err = cause
	}
	return err
}
