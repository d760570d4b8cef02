package outbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/google/uuid"
)

// buckets is how many parts the keys are hashed into; a relay holds whole buckets. It is fixed by the table's check
// and by the 64 bits of a mask, and is far above any sensible number of replicas.
const buckets = 64

// Message is one event on its way to the broker. All fields but TraceParent are required.
type Message struct {
	Topic       string
	Key         string // the partition key: user_id
	EventID     string // a UUID; becomes the CloudEvent's id
	Type        string // becomes the CloudEvent's type
	Subject     string // task_id; becomes the CloudEvent's subject
	Data        []byte // the event's JSON
	TraceParent string // W3C trace context of the write that made the event; may be empty
}

// ErrBadMessage is wrapped when an added event lacks a field: it could not be ordered, de-duplicated or published.
var ErrBadMessage = errors.New("bad event for the outbox")

func (m Message) check() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"Topic", m.Topic == ""}, {"Key", m.Key == ""}, {"EventID", m.EventID == ""},
		{"Type", m.Type == ""}, {"Subject", m.Subject == ""}, {"Data", len(m.Data) == 0},
	} {
		if f.missing {
			return fmt.Errorf("%w: %s is empty (event_id %q, topic %q)", ErrBadMessage, f.name, m.EventID, m.Topic)
		}
	}
	if err := uuid.Validate(m.EventID); err != nil {
		return fmt.Errorf("%w: EventID %q is not a UUID (topic %q)", ErrBadMessage, m.EventID, m.Topic)
	}
	return nil
}

// bucketOf is stored with each row: another function needs a migration.
func bucketOf(key string) int16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	return int16(h.Sum32() % buckets)
}

// Publisher sends events of one topic. failed holds, by event id, those that were not published; err means that
// nothing is known to be published. Either may wrap ErrRefused. It must return when ctx ends, and be safe for
// concurrent use.
type Publisher interface {
	PublishBulk(ctx context.Context, topic string, msgs []Message) (failed map[string]error, err error)
}

// ErrRefused is wrapped by a Publisher's error when the broker can never take that event.
var ErrRefused = errors.New("event refused by the broker")
