// Package consumers reports how far behind the services are that consume events from Kafka, and waits for them. The
// operator's commands, the exporter for Prometheus and the whole-stack tests count with it.
//
// Promises:
//   - The consumers come from a list, not from the broker. So a consumer that never joined its group, or whose group the
//     broker has forgotten, is reported with everything that its topic holds. kadm.Lag counts 0 for it.
//   - WaitProcessed returns nil only when every consumer has acknowledged everything that its topic held when the wait
//     began. Then the consumers' databases contain the effects of those events.
//
// The package is not internal because the whole-stack tests use it.
package consumers

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// Consumer is a service that stores the effects of events. The WebSocket service stores nothing, so it is not one.
type Consumer struct{ Group, Topic string }

// All returns the consumers. Dapr uses the app id as the consumer group (dapr-components/kafka-pubsub.yaml). A test compares
// the list with dapr-components/subscriptions.yaml.
func All() []Consumer {
	return []Consumer{
		{apps.Audit, events.TopicAccountEvents},
		{apps.Audit, events.TopicTaskEvents},
		{apps.RecurringTask, events.TopicTaskEvents},
		{apps.Notification, events.TopicReminders},
	}
}

// groups returns the groups of all consumers, and topics their topics, each once.
func groups() []string { return distinct(func(c Consumer) string { return c.Group }) }
func topics() []string { return distinct(func(c Consumer) string { return c.Topic }) }

func distinct(of func(Consumer) string) (all []string) {
	for _, c := range All() {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Client asks one Kafka cluster.
type Client struct {
	client *kgo.Client // nil: belongs to the caller of New
	admin  *kadm.Client
}

// Open returns a client of a Kafka. Close it.
func Open(at kafkaconn.Settings) (*Client, error) {
	client, err := at.Client()
	if err != nil {
		return nil, err
	}
	return &Client{client, kadm.NewClient(client)}, nil
}

// New returns a client on a connection that the caller closes.
func New(client *kgo.Client) *Client { return &Client{admin: kadm.NewClient(client)} }

// Close closes the connections that Open made.
func (c *Client) Close() {
	if c.client != nil {
		c.client.Close()
	}
}
