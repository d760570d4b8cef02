// Package consumers reports how far behind the services are that consume events from Kafka, and waits for them.
//
// Promise: WaitProcessed returns nil only when every consumer has acknowledged everything that its topic held when the
// wait began. Then the consumers' databases contain the effects of those events.
package consumers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// pollInterval is short compared with the second within which a sidecar commits what it has delivered.
const pollInterval = 200 * time.Millisecond

// Consumer is a service that stores the effects of events. The WebSocket service stores nothing, so it is not one.
type Consumer struct{ Group, Topic string }

// All returns the consumers. Dapr uses the app id as the consumer group (dapr-components/kafka-pubsub.yaml).
func All() []Consumer {
	return []Consumer{
		{apps.Audit, events.TopicTaskEvents},
		{apps.RecurringTask, events.TopicTaskEvents},
		{apps.Notification, events.TopicReminders},
	}
}

// Lag is how far behind a consumer is.
type Lag struct {
	Group   string `json:"group"`
	Topic   string `json:"topic"`
	Members int    `json:"members"` // 0: no process of the service consumes
	Lag     int64  `json:"lag"`     // events that are not acknowledged
}

// Client asks one Kafka cluster.
type Client struct {
	client *kgo.Client
	admin  *kadm.Client
}

// Open returns a client of the brokers (host:port, separated by commas). Close it.
func Open(brokers string) (*Client, error) {
	client, err := kafkaconn.Client(brokers)
	if err != nil {
		return nil, err
	}
	return &Client{client, kadm.NewClient(client)}, nil
}

// Close closes the connections.
func (c *Client) Close() { c.client.Close() }

// Lags returns the current lag of each consumer.
func (c *Client) Lags(ctx context.Context) ([]Lag, error) {
	ends, err := c.ends(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]string, 0, len(All()))
	for _, consumer := range All() {
		groups = append(groups, consumer.Group)
	}
	described, err := c.admin.DescribeGroups(ctx, groups...)
	if err != nil {
		return nil, fmt.Errorf("ask for the consumer groups: %w", err)
	}
	var lags []Lag
	for _, consumer := range All() {
		lag, err := c.lag(ctx, consumer, ends)
		if err != nil {
			return nil, err
		}
		lags = append(lags, Lag{consumer.Group, consumer.Topic, len(described[consumer.Group].Members), lag})
	}
	return lags, nil
}

// WaitProcessed waits until each consumer has acknowledged what its topic holds now. If ctx ends first, the error names the
// consumers that are behind.
func (c *Client) WaitProcessed(ctx context.Context) error {
	ends, err := c.ends(ctx)
	if err != nil {
		return err
	}
	for {
		var behind []string
		for _, consumer := range All() {
			lag, err := c.lag(ctx, consumer, ends)
			if err != nil {
				return err
			}
			if lag > 0 {
				behind = append(behind, fmt.Sprintf("%s has not processed %d events of %s", consumer.Group, lag, consumer.Topic))
			}
		}
		if len(behind) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", strings.Join(behind, ", "), ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

// ends returns the end of each partition of the topics that are consumed.
func (c *Client) ends(ctx context.Context) (kadm.ListedOffsets, error) {
	ends, err := c.admin.ListEndOffsets(ctx, events.TopicTaskEvents, events.TopicReminders)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of the topics: %w", err)
	}
	return ends, nil
}

// lag returns how many events up to ends the consumer has not acknowledged. Events that retention removed do not count.
func (c *Client) lag(ctx context.Context, consumer Consumer, ends kadm.ListedOffsets) (n int64, err error) {
	committed, err := c.admin.FetchOffsets(ctx, consumer.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // a group that has never joined has acknowledged nothing
		return 0, fmt.Errorf("ask for the offsets of %s: %w", consumer.Group, err)
	}
	starts, err := c.admin.ListStartOffsets(ctx, consumer.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the start of %s: %w", consumer.Topic, err)
	}
	for partition, end := range ends[consumer.Topic] {
		at := starts[consumer.Topic][partition].Offset
		if o, ok := committed.Lookup(consumer.Topic, partition); ok && o.Err == nil {
			at = max(at, o.At)
		}
		n += max(0, end.Offset-at)
	}
	return n, nil
}
