package provision

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
)

const (
	// maxReplicas of a topic: one broker may be away for repair and another one die, and nothing acknowledged is lost.
	// A cluster of fewer brokers gets what it can hold.
	maxReplicas = 3
	// eventRetention is what the consumers count on: they know an event again for at least a day more
	// (services/notification inboxRetention). It is also how long a consumer may be away.
	eventRetention = 7 * 24 * time.Hour
	// letterRetention gives a person a month to look at a dead letter.
	letterRetention = 30 * 24 * time.Hour
	// segmentAge: Kafka removes whole segments, and by default a segment of a quiet partition is a week old before it
	// is closed. An event could then come again after its consumer has forgotten it. With this it is gone within a day
	// after its retention.
	segmentAge = 6 * time.Hour
	// unfenced is how often a cluster that is just starting is asked again.
	unfenced = 250 * time.Millisecond
)

// EnsureTopics makes the topics that the brokers (host:port, with commas between) do not have, with the replicas and
// the retention that their consumers count on. A topic that is there is left alone; what is not as it should be with
// it is told to warn. A cluster whose brokers are just joining is waited for as long as ctx allows.
func EnsureTopics(ctx context.Context, brokers string, topics []events.Topic, warn func(string)) error {
	client, err := kafkaconn.Client(brokers)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	meta, err := admin.Metadata(ctx, names...)
	if err != nil {
		return fmt.Errorf("list the topics of %s: %w", brokers, err)
	}
	replicas := min(maxReplicas, len(meta.Brokers))
	for _, t := range topics {
		if known, ok := meta.Topics[t.Name]; ok && known.Err == nil {
			for _, w := range differences(t, known, replicas) {
				warn(w)
			}
			continue
		}
		if err := createTopic(ctx, admin, t, replicas); err != nil {
			return fmt.Errorf("create topic %s with %d partitions and %d replicas: %w", t.Name, t.Partitions, replicas, err)
		}
	}
	return nil
}

// differences says what of a topic that is there is not as it would be made.
func differences(t events.Topic, known kadm.TopicDetail, replicas int) []string {
	var found []string
	if n := len(known.Partitions); n < t.Partitions {
		found = append(found, fmt.Sprintf("topic %s has %d partitions, not %d; adding some would move keys, so it stays as it is (docs/runbook.md#partitions)", t.Name, n, t.Partitions))
	}
	if n := known.Partitions.NumReplicas(); n < replicas {
		found = append(found, fmt.Sprintf("topic %s has %d of %d replicas: what it holds is lost with a broker (docs/kafka.md#replicas)", t.Name, n, replicas))
	}
	return found
}

// createTopic makes one topic. Another process that makes the same one at the same time is no error.
func createTopic(ctx context.Context, admin *kadm.Client, t events.Topic, replicas int) error {
	settings := topicSettings(t.Name, replicas)
	for {
		_, err := admin.CreateTopic(ctx, int32(t.Partitions), int16(replicas), settings, t.Name)
		switch {
		case err == nil || errors.Is(err, kerr.TopicAlreadyExists):
			return nil
		case !errors.Is(err, kerr.InvalidReplicationFactor): // what a cluster says while its brokers have not joined
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(unfenced):
		}
	}
}

// topicSettings are a topic's own, so that no cluster's defaults decide whether an event can be lost.
func topicSettings(name string, replicas int) map[string]*string {
	retention := eventRetention
	if events.IsDeadLetterTopic(name) {
		retention = letterRetention
	}
	ms := func(d time.Duration) *string { return kadm.StringPtr(strconv.FormatInt(d.Milliseconds(), 10)) }
	return map[string]*string{
		"retention.ms": ms(retention),
		"segment.ms":   ms(segmentAge),
		// With all three at hand a write is on two before it is acknowledged; one broker less, and writes go on.
		"min.insync.replicas": kadm.StringPtr(strconv.Itoa(max(1, replicas-1))),
		// Compaction would keep one event of each user.
		"cleanup.policy": kadm.StringPtr("delete"),
	}
}
