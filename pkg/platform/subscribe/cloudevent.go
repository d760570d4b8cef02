package subscribe

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// maxDrain is how much of a body above the limit is read to its end, so that daprd has written it all and hears the
// answer. Nothing a broker takes is as large.
const maxDrain = 64 << 20

// tooLargeError is about a body above the limit, of which only the beginning was kept.
type tooLargeError struct {
	limit, size int64
	sum         string // hex SHA-256 of the whole
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the body has %d bytes, more than %d; only its beginning is kept here (SHA-256 of the whole: %s)", e.size, e.limit, e.sum)
}

// readBody reads a body up to limit. Above it, it returns the beginning with a *tooLargeError.
func readBody(r io.Reader, limit int64) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil || int64(len(body)) <= limit {
		return body, err
	}
	sum := sha256.New()
	sum.Write(body)
	rest, err := io.Copy(sum, io.LimitReader(r, maxDrain))
	if err != nil {
		return nil, err
	}
	return body[:limit], &tooLargeError{limit: limit, size: int64(len(body)) + rest, sum: hex.EncodeToString(sum.Sum(nil))}
}

// cloudEvent is what is used of a CloudEvent (JSON format, version 1.0).
type cloudEvent struct {
	id          string
	data        []byte
	traceParent string
	traceState  string
}

// parseCloudEvent reads a CloudEvent. Attributes that are not what they should be are left out; only the data is
// needed. With an error it returns what could be read.
func parseCloudEvent(body []byte) (cloudEvent, error) {
	var fields map[string]json.RawMessage // not a struct: encoding/json would take "DATA" for data
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return cloudEvent{}, errors.New("the body is not a CloudEvent: not an object of JSON")
	}
	text := func(name string) (s string) {
		if raw := fields[name]; len(raw) > 0 && json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	ce := cloudEvent{id: text("id"), traceParent: text("traceparent"), traceState: text("tracestate")}
	if !spanContext(ce.traceParent, "").IsValid() {
		ce.traceParent, ce.traceState = "", ""
	}
	data, has := fields["data"]
	switch {
	case has && len(data) > 0 && data[0] == '"' && !isJSON(text("datacontenttype")):
		ce.data = []byte(text("data")) // published as text: the JSON is in the string
	case has && string(data) != "null":
		ce.data = data
	case text("data_base64") != "":
		decoded, err := base64.StdEncoding.DecodeString(text("data_base64"))
		if err != nil {
			return ce, errors.New("the CloudEvent's data_base64 is not base64")
		}
		ce.data = decoded
	default:
		return ce, errors.New("the CloudEvent has no data")
	}
	return ce, nil
}

// isJSON tells whether a datacontenttype is JSON, which it is when absent.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

func spanContext(traceParent, traceState string) trace.SpanContext {
	return trace.SpanContextFromContext(withTrace(context.Background(), traceParent, traceState))
}

// withTrace puts the trace of a CloudEvent into ctx. A malformed one changes nothing.
func withTrace(ctx context.Context, traceParent, traceState string) context.Context {
	if traceParent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceParent, "tracestate": traceState})
}

// head is what every event begins with, as far as it can be read.
type head struct {
	eventID, taskID, userID string
	made                    time.Time // zero where the event does not say
	original                bool      // in the form of the first version, which had no say in the CloudEvent's id
}

// readHead never fails: what is not there, or of another type, is empty.
func readHead(data []byte) head {
	var f struct {
		EventID       json.RawMessage `json:"event_id"`
		TaskID        json.RawMessage `json:"task_id"`
		UserID        json.RawMessage `json:"user_id"`
		SchemaVersion json.RawMessage `json:"schema_version"`
		Timestamp     json.RawMessage `json:"timestamp"`
	}
	if json.Unmarshal(data, &f) != nil {
		return head{}
	}
	text := func(raw json.RawMessage) (s string) {
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	var made time.Time
	if json.Unmarshal(f.Timestamp, &made) != nil {
		made = time.Time{}
	}
	version := 0
	known := len(f.SchemaVersion) == 0 || json.Unmarshal(f.SchemaVersion, &version) == nil
	return head{eventID: text(f.EventID), taskID: text(f.TaskID), userID: text(f.UserID), made: made, original: known && version <= 1}
}
