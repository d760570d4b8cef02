// Package consumers tells how far behind the services are that take events from Kafka, and waits for them.
//
// It promises that WaitTaken returns nil only when every consumer has acknowledged all that its topic held when the
// wait began: whatever those events caused is then in the consumers' databases.
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

// pollInterval is short beside the second in which a sidecar commits what it has delivered.
const pollInterval = 200 * time.Millisecond

// Consumer is a service that keeps what events cause. The WebSocket service keeps nothing, so it is none.
type Consumer struct{ Group, Topic string }

// All are the consumers: their group is their app id, as Dapr has it (dapr-components/kafka-pubsub.yaml).
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
	Members int    `json:"members"` // 0: nobody reads
	Lag     int64  `json:"lag"`     // events that are not acknowledged
}

// Desk asks one cluster.
type Desk struct {
	client *kgo.Client
	admin  *kadm.Client
}

// Open makes a desk for brokers (host:port, with commas between). Close it.
func Open(brokers string) (*Desk, error) {
	client, err := kafkaconn.Client(brokers)
	if err != nil {
		return nil, err
	}
	return &Desk{client, kadm.NewClient(client)}, nil
}

// Close ends the connections.
func (d *Desk) Close() { d.client.Close() }

// Lags are the consumers' lags now.
func (d *Desk) Lags(ctx context.Context) ([]Lag, error) {
	ends, err := d.ends(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]string, 0, len(All()))
	for _, c := range All() {
		groups = append(groups, c.Group)
	}
	described, err := d.admin.DescribeGroups(ctx, groups...)
	if err != nil {
		return nil, fmt.Errorf("ask for the consumer groups: %w", err)
	}
	var lags []Lag
	for _, c := range All() {
		lag, err := d.behind(ctx, c, ends)
		if err != nil {
			return nil, err
		}
		lags = append(lags, Lag{c.Group, c.Topic, len(described[c.Group].Members), lag})
	}
	return lags, nil
}

// WaitTaken waits until each consumer has taken what is there now, or says at the end of ctx which has not.
func (d *Desk) WaitTaken(ctx context.Context) error {
	ends, err := d.ends(ctx)
	if err != nil {
		return err
	}
	for {
		var behind []string
		for _, c := range All() {
			lag, err := d.behind(ctx, c, ends)
			if err != nil {
				return err
			}
			if lag > 0 {
				behind = append(behind, fmt.Sprintf("%s has still to take %d events of %s", c.Group, lag, c.Topic))
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

func (d *Desk) ends(ctx context.Context) (kadm.ListedOffsets, error) {
	ends, err := d.admin.ListEndOffsets(ctx, events.TopicTaskEvents, events.TopicReminders)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of the topics: %w", err)
	}
	return ends, nil
}

// behind counts the events up to ends that c has not acknowledged. What retention took away counts for nothing.
func (d *Desk) behind(ctx context.Context, c Consumer, ends kadm.ListedOffsets) (n int64, err error) {
	taken, err := d.admin.FetchOffsets(ctx, c.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // a group that has never joined has taken nothing
		return 0, fmt.Errorf("ask for the offsets of %s: %w", c.Group, err)
	}
	starts, err := d.admin.ListStartOffsets(ctx, c.Topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the start of %s: %w", c.Topic, err)
	}
	for partition, end := range ends[c.Topic] {
		at := starts[c.Topic][partition].Offset
		if o, ok := taken.Lookup(c.Topic, partition); ok && o.Err == nil {
			at = max(at, o.At)
		}
		n += max(0, end.Offset-at)
	}
	return n, nil
}
