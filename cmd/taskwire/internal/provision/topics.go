package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/pkg/events"
)

// defaultReplication asks the broker for its own default replication factor (KIP-464).
const defaultReplication = -1

// EnsureTopics makes the topics that the brokers (host:port, with commas between) do not have. A topic with fewer
// partitions than wanted is left alone and told to warn.
func EnsureTopics(ctx context.Context, brokers string, topics []events.Topic, warn func(string)) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		return fmt.Errorf("KAFKA_BROKERS: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	have, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("list the topics of %s: %w", brokers, err)
	}
	for _, t := range topics {
		if known, ok := have[t.Name]; ok && known.Err == nil {
			if n := len(known.Partitions); n < t.Partitions {
				warn(fmt.Sprintf("topic %s has %d partitions, not %d; adding some would move keys, so it stays as it is", t.Name, n, t.Partitions))
			}
			continue
		}
		_, err := admin.CreateTopic(ctx, int32(t.Partitions), defaultReplication, nil, t.Name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	return nil
}
