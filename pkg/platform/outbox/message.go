package outbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
)

// buckets is how many parts the keys are hashed into; a relay holds whole buckets. It is fixed by the table's check
// and by the 64 bits of the dirty mask, and is far above any sensible number of replicas.
const buckets = 64

// Message is one event on its way to the broker.
type Message struct {
	Topic       string
	Key         string // the partition key: user_id
	EventID     string // becomes the CloudEvent's id
	Type        string // becomes the CloudEvent's type
	Subject     string // task_id; becomes the CloudEvent's subject
	Data        []byte // the event's JSON
	TraceParent string // W3C trace context of the write that made the event; may be empty
}

// check names the field that is missing: an event without it could not be ordered, de-duplicated or published.
func (m Message) check() error {
	for _, f := range []struct{ name, value string }{
		{"Topic", m.Topic}, {"Key", m.Key}, {"EventID", m.EventID}, {"Type", m.Type}, {"Subject", m.Subject}, {"Data", string(m.Data)},
	} {
		if f.value == "" {
			return fmt.Errorf("outbox: message %s for topic %q has no %s", m.EventID, m.Topic, f.name)
		}
	}
	return nil
}

func bucketOf(key string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	return int(h.Sum32() % buckets)
}

// Publisher sends events of one topic. failed holds, by event id, those that were not published; err means that
// nothing is known to be published. Either may wrap ErrRefused.
type Publisher interface {
	PublishBulk(ctx context.Context, topic string, msgs []Message) (failed map[string]error, err error)
}

// ErrRefused is wrapped by a Publisher's error when the broker can never take that event.
var ErrRefused = errors.New("event refused by the broker")
