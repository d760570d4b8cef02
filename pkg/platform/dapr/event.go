package dapr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/taskwire/taskwire/pkg/platform/tracecontext"
)

// Event is one event to publish. daprd puts it into a CloudEvent.
type Event struct {
	ID          string // the CloudEvent's id, the same in every attempt; required
	Key         string // the partition key; the events of one key keep their order
	Type        string // the CloudEvent's type
	Subject     string // the CloudEvent's subject
	Data        []byte // JSON; at most maxEventBytes, and the broker's own limit is lower
	TraceParent string // W3C trace context; a malformed one is left out
}

// maxEventBytes is the largest event that is sent at all. Kafka's own limit, 1 MiB by default, is lower, and the
// operator sets it.
const maxEventBytes = maxBulkBytes

// check returns an error that wraps ErrRefused for an event that no sidecar can take, or that would do harm later: the
// metadata becomes Kafka headers and, in the delivery, HTTP headers. A newline there makes every delivery fail, which
// blocks the partition for ever.
func (e Event) check() error {
	switch {
	case e.ID == "":
		return refused(errors.New("the event has no id"))
	case len(e.Data) > maxEventBytes:
		return refused(fmt.Errorf("the event has %d bytes, more than %d", len(e.Data), maxEventBytes))
	case !json.Valid(e.Data):
		return refused(errors.New("the event is not JSON"))
	}
	for _, f := range [...]struct{ name, value string }{{"id", e.ID}, {"key", e.Key}, {"type", e.Type}, {"subject", e.Subject}} {
		if i := strings.IndexFunc(f.value, func(r rune) bool { return r < 0x20 || r == 0x7f }); i >= 0 {
			return refused(fmt.Errorf("the event's %s has a control character at byte %d", f.name, i))
		}
	}
	return nil
}

// metadata is what daprd makes the CloudEvent and the Kafka key of. source is the CloudEvent's.
func (e Event) metadata(source string) map[string]string {
	md := map[string]string{"cloudevent.id": e.ID}
	for _, f := range [...]struct{ name, value string }{
		{"partitionKey", e.Key}, {"cloudevent.type", e.Type}, {"cloudevent.source", source}, {"cloudevent.subject", e.Subject},
	} {
		if f.value != "" {
			md[f.name] = f.value
		}
	}
	if tracecontext.Valid(e.TraceParent) {
		md["cloudevent.traceparent"] = e.TraceParent
	}
	return md
}
