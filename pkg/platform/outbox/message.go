package outbox

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/google/uuid"
)

// buckets is the number of parts that the keys are hashed into. A relay holds whole buckets. The table's check and the
// 64 bits of a mask fix the number; it is far above any sensible number of replicas.
const buckets = 64

// Message is one event on its way to the broker. All fields but TraceParent are required.
type Message struct {
	Topic       string
	Key         string // the partition key: user_id
	EventID     string // a UUID; becomes the CloudEvent's id
	Type        string // becomes the CloudEvent's type
	Subject     string // task_id; becomes the CloudEvent's subject
	Data        []byte // the event's JSON
	TraceParent string // W3C trace parent of the write that made the event; may be empty
}

// ErrBadMessage is wrapped when an added event lacks a field. Without it the event could not be ordered, de-duplicated
// or published.
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

// bucketOf returns the bucket of a key. It is stored with each row, so another hash function needs a migration.
func bucketOf(key string) int16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	return int16(h.Sum32() % buckets)
}

// Publisher sends events of one topic. failed holds, by event id, the error of each event that was not published; err
// means that no event is known to be published. Either may wrap ErrRefused. PublishBulk must return when ctx ends and be
// safe for concurrent use.
type Publisher interface {
	PublishBulk(ctx context.Context, topic string, msgs []Message) (failed map[string]error, err error)
}

// ErrRefused is wrapped by a Publisher's error when the broker can never take the event.
var ErrRefused = errors.New("event refused by the broker")
