// Package deadletters reads the dead-letter topics and publishes a letter's event again.
//
// Promises: reading changes nothing and creates no consumer group. A replayed event has its original event_id, so a
// consumer that has processed it already skips it. It goes to the topic that it came from, to the partition of its user's
// events, after what is there. The letter itself stays until Kafka's retention removes it.
package deadletters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
)

// source is the source of the CloudEvents that this tool publishes.
const source = "taskwire-dlq"

// ErrNotFound says that the topic does not contain the letter.
var ErrNotFound = errors.New("no such dead letter")

// Letter is one record of a dead-letter topic.
type Letter struct {
	ID     string            `json:"id"` // TOPIC:PARTITION:OFFSET
	At     time.Time         `json:"at"` // when it was written
	Letter events.DeadLetter `json:"letter"`
	// Problem says why the record is not a dead letter of a service: daprd writes an event that it cannot deliver to the topic
	// unchanged.
	Problem string `json:"problem,omitempty"`
	Raw     string `json:"raw,omitempty"` // the record, if there is a Problem
}

// Client reads and replays the dead letters of one Kafka cluster.
type Client struct {
	at     kafkaconn.Settings
	client *kgo.Client
}

// Open returns a client of a Kafka. Close it.
func Open(at kafkaconn.Settings) (*Client, error) {
	client, err := at.Client(kgo.RecordPartitioner(kgo.StickyKeyPartitioner(kgo.SaramaCompatHasher(fnv32a))))
	if err != nil {
		return nil, err
	}
	return &Client{at, client}, nil
}

// fnv32a is the hash that daprd's Kafka client uses to choose a key's partition. Kafka's own clients use another one, which
// would put a replayed event into another partition than its user's other events.
func fnv32a(key []byte) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(key) // never fails
	return h.Sum32()
}

// Close closes the connections.
func (c *Client) Close() { c.client.Close() }

// Topics returns the dead-letter topics.
func Topics() (names []string) {
	for _, t := range events.Topics() {
		if events.IsDeadLetterTopic(t.Name) {
			names = append(names, t.Name)
		}
	}
	return names
}

// List returns the newest letters of a topic, at most limit of each partition, the oldest first.
func (c *Client) List(ctx context.Context, topic string, limit int64) ([]Letter, error) {
	admin := kadm.NewClient(c.client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the start of %s: %w", topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the end of %s: %w", topic, err)
	}
	var all []Letter
	for partition, end := range ends[topic] {
		from := max(starts[topic][partition].Offset, end.Offset-limit)
		letters, err := c.read(ctx, topic, partition, from, end.Offset)
		if err != nil {
			return nil, err
		}
		all = append(all, letters...)
	}
	return all, nil
}

// read returns the letters of a partition in [from, to).
func (c *Client) read(ctx context.Context, topic string, partition int32, from, to int64) (found []Letter, err error) {
	if from >= to {
		return nil, nil
	}
	reader, err := c.at.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	for next := from; next < to; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		for _, r := range fetches.Records() {
			if next = r.Offset + 1; r.Offset < to {
				found = append(found, letterOf(r))
			}
		}
	}
	return found, nil
}

// letterOf decodes a record. A record that is not a dead letter gets a Problem.
func letterOf(r *kgo.Record) Letter {
	l := Letter{ID: fmt.Sprintf("%s:%d:%d", r.Topic, r.Partition, r.Offset), At: r.Timestamp.UTC()}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	err := json.Unmarshal(r.Value, &envelope)
	if err == nil {
		l.Letter, err = events.DecodeDeadLetter(envelope.Data)
	}
	if err != nil {
		l.Problem, l.Raw = err.Error(), string(r.Value)
	}
	return l
}

// Find returns one letter by its id. The error is ErrNotFound when the topic does not contain it.
func (c *Client) Find(ctx context.Context, id string) (Letter, error) {
	parts := strings.Split(id, ":")
	if len(parts) != 3 || !events.IsDeadLetterTopic(parts[0]) {
		return Letter{}, fmt.Errorf("%q is not the id of a dead letter: use TOPIC:PARTITION:OFFSET, as `taskwire dlq` prints it", id)
	}
	partition, err := strconv.ParseInt(parts[1], 10, 32)
	offset, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err := errors.Join(err, err2); err != nil {
		return Letter{}, fmt.Errorf("%q is not the id of a dead letter: %w", id, err)
	}
	ends, err := kadm.NewClient(c.client).ListEndOffsets(ctx, parts[0])
	if err != nil {
		return Letter{}, err
	}
	starts, err := kadm.NewClient(c.client).ListStartOffsets(ctx, parts[0])
	if err != nil {
		return Letter{}, err
	}
	end, ok := ends.Lookup(parts[0], int32(partition))
	start, _ := starts.Lookup(parts[0], int32(partition))
	if !ok || end.Err != nil || offset < start.Offset || offset >= end.Offset {
		return Letter{}, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	letters, err := c.read(ctx, parts[0], int32(partition), offset, offset+1)
	if err != nil {
		return Letter{}, err
	}
	if len(letters) == 0 {
		return Letter{}, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	return letters[0], nil
}

// Replay publishes a letter's event to the topic that it came from. It fails for a record that is not a dead letter.
func (c *Client) Replay(ctx context.Context, l Letter) error {
	if l.Problem != "" {
		return fmt.Errorf("%s is not a dead letter of a service: %s", l.ID, l.Problem)
	}
	payload, err := l.Letter.Payload()
	if err != nil {
		return fmt.Errorf("%s: %w", l.ID, err)
	}
	var head struct {
		UserID string `json:"user_id"`
	}
	if err := json.Unmarshal(payload, &head); err != nil {
		return fmt.Errorf("%s: the event is not JSON, so no consumer can read it", l.ID)
	}
	raw, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": l.Letter.EventID, "source": source, "type": l.Letter.Topic,
		"datacontenttype": "application/json", "data": json.RawMessage(payload),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", l.ID, err)
	}
	record := &kgo.Record{Topic: l.Letter.Topic, Key: []byte(head.UserID), Value: raw}
	if err := c.client.ProduceSync(ctx, record).FirstErr(); err != nil {
		return fmt.Errorf("publish %s to %s: %w", l.ID, l.Letter.Topic, err)
	}
	return nil
}
