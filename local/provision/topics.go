// The replicas and the retention of the topics.

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
	// maxReplicas of a topic let one broker be down for repair and another one fail without the loss of an acknowledged
	// event. A cluster of fewer brokers gets one replica for each.
	maxReplicas = 3
	// eventRetention is how long a consumer may be away. Consumers remember the events that they processed for at least a
	// day longer (services/notification inboxRetention), so an event that comes twice is recognised.
	eventRetention = 7 * 24 * time.Hour
	// letterRetention gives people a month to look at a dead letter.
	letterRetention = 30 * 24 * time.Hour
	// segmentAge is when a segment is closed. Kafka deletes closed segments only, and by default closes those of a quiet
	// partition after a week. An event could then come again after its consumer has forgotten it. With this setting an
	// event is deleted within a day after its retention.
	segmentAge = 6 * time.Hour
	// retryEvery is the time between two tries while a cluster starts.
	retryEvery = 250 * time.Millisecond
)

// EnsureTopics makes the missing topics on a Kafka, with the replicas and the retention
// that their consumers need. It does not change an existing topic, but calls warn with each difference. It waits, as long as
// ctx allows, for a cluster whose brokers are still joining.
func EnsureTopics(ctx context.Context, at kafkaconn.Settings, topics []events.Topic, warn func(string)) error {
	client, err := at.Client()
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
		return fmt.Errorf("list the topics of %s: %w", at.Brokers, err)
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

// differences describes how an existing topic differs from a new one.
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

// createTopic makes one topic. It is not an error if another process makes the topic at the same time.
func createTopic(ctx context.Context, admin *kadm.Client, t events.Topic, replicas int) error {
	settings := topicSettings(t.Name, replicas)
	for {
		_, err := admin.CreateTopic(ctx, int32(t.Partitions), int16(replicas), settings, t.Name)
		switch {
		case err == nil || errors.Is(err, kerr.TopicAlreadyExists):
			return nil
		case !errors.Is(err, kerr.InvalidReplicationFactor): // the error of a cluster whose brokers have not joined yet
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryEvery):
		}
	}
}

// topicSettings returns the settings of a topic. They replace a cluster's defaults, by which events could be lost.
func topicSettings(name string, replicas int) map[string]*string {
	retention := eventRetention
	if events.IsDeadLetterTopic(name) {
		retention = letterRetention
	}
	if name == events.TopicAuditCheckpoints {
		return checkpointSettings(replicas)
	}
	ms := func(d time.Duration) *string { return kadm.StringPtr(strconv.FormatInt(d.Milliseconds(), 10)) }
	return map[string]*string{
		"retention.ms": ms(retention),
		"segment.ms":   ms(segmentAge),
		// With three replicas a write is on two before it is acknowledged, and writes continue with one broker less.
		"min.insync.replicas": inSync(replicas),
		// Compaction would keep only one event of each user.
		"cleanup.policy": kadm.StringPtr("delete"),
	}
}

// inSync is one replica less than all: a write is on so many before it is acknowledged, and writes continue with one broker
// less.
func inSync(replicas int) *string { return kadm.StringPtr(strconv.Itoa(max(1, replicas-1))) }

// checkpointSettings returns the settings of the topic with the audit log's checkpoints, which keeps all of them: an auditor
// may ask for the oldest one. They are small and few, at most one a second.
func checkpointSettings(replicas int) map[string]*string {
	const unlimited = "-1"
	return map[string]*string{
		"retention.ms":        kadm.StringPtr(unlimited),
		"retention.bytes":     kadm.StringPtr(unlimited),
		"min.insync.replicas": inSync(replicas),
		// Compaction would keep only the newest one.
		"cleanup.policy": kadm.StringPtr("delete"),
	}
}
