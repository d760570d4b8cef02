package subscribe

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/tracecontext"
)

// maxDrain bounds how much of a body above the limit is read. The body is read to its end, because daprd reads the answer
// only after it has written all of it. It is larger than every message that a broker takes.
const maxDrain = 64 << 20

// tooLargeError means that a body is above the limit and that only its beginning was kept.
type tooLargeError struct {
	limit, size int64
	sum         string // hex SHA-256 of the whole
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the body has %d bytes, more than %d; only its beginning is kept here (SHA-256 of the whole: %s)", e.size, e.limit, e.sum)
}

// readBody reads a body of up to limit bytes. For a larger one it returns the beginning and a *tooLargeError.
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

// cloudEvent holds the attributes of a CloudEvent (JSON format, version 1.0) that are used.
type cloudEvent struct {
	id          string
	data        []byte
	traceParent string
	traceState  string
}

// parseCloudEvent reads a CloudEvent. It leaves out malformed attributes; only the data is required. Together with an
// error it returns what it could read.
func parseCloudEvent(body []byte) (cloudEvent, error) {
	var fields map[string]json.RawMessage // not a struct: for one encoding/json would take "DATA" for data
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
	if !tracecontext.Valid(ce.traceParent) {
		ce.traceParent, ce.traceState = "", ""
	}
	data, has := fields["data"]
	switch {
	case has && len(data) > 0 && data[0] == '"' && !isJSON(text("datacontenttype")):
		ce.data = []byte(text("data")) // published as text: the string holds the JSON
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

// isJSON reports whether a datacontenttype is JSON. An absent one is.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

// head holds the fields that every event has, as far as they can be read.
type head struct {
	eventID, taskID, userID string
	made                    time.Time // zero when the event does not say
	original                bool      // of schema version 1, whose publisher did not set the CloudEvent's id
}

// readHead never fails: a field that is missing or of another type is empty.
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
