package consumers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/pkg/events"
)

// broker is the embedded broker with the topics of the consumers, and a client that writes to it.
type broker struct {
	t       *testing.T
	cluster *kfake.Cluster
	client  *kgo.Client
	reader  *Client
}

func newBroker(t *testing.T, topics ...kfake.Opt) *broker {
	t.Helper()
	cluster, err := kfake.NewCluster(append(topics, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	reader, err := Open(kafkaconn.Settings{Brokers: strings.Join(cluster.ListenAddrs(), ",")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	return &broker{t, cluster, client, reader}
}

// allTopics are the topics of all consumers. task-events has two partitions, and the tests leave account-events empty.
func allTopics() []kfake.Opt {
	return []kfake.Opt{kfake.SeedTopics(2, events.TopicTaskEvents), kfake.SeedTopics(1, events.TopicReminders, events.TopicAccountEvents)}
}

func (b *broker) produce(topic string, partition int32, n int) {
	b.t.Helper()
	for range n {
		if err := b.client.ProduceSync(b.t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte("x")}).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *broker) commit(group, topic string, partition int32, at int64) {
	b.t.Helper()
	var o kadm.Offsets
	o.AddOffset(topic, partition, at, -1)
	if _, err := kadm.NewClient(b.client).CommitOffsets(b.t.Context(), group, o); err != nil {
		b.t.Fatal(err)
	}
}

// wantLags compares the lag of each group. No group has a member in these tests.
func (b *broker) wantLags(what string, want map[string]int64) {
	b.t.Helper()
	lags, err := b.reader.Lags(b.t.Context())
	if err != nil || len(lags) != len(All()) {
		b.t.Fatalf("%s: Lags: got %v, %v, want one for each of %v", what, lags, err, All())
	}
	for _, l := range lags {
		lag := want[l.Group]
		if l.Topic == events.TopicAccountEvents {
			lag = 0
		}
		if l.Lag != lag || l.Members != 0 || l.NoTopic {
			b.t.Errorf("%s: got %+v, want a lag of %d and no member", what, l, lag)
		}
	}
}

// kadm.Lag, which looks at assigned and committed partitions only, reports 0 here.
func TestAGroupThatNeverJoinedIsBehindByEveryEvent(t *testing.T) {
	t.Parallel()
	b := newBroker(t, allTopics()...)
	b.produce(events.TopicTaskEvents, 1, 3)
	b.wantLags("three events", map[string]int64{"audit": 3, "recurring-task": 3})
	b.commit("audit", events.TopicTaskEvents, 0, 0) // of the other partition
	b.wantLags("a commit elsewhere", map[string]int64{"audit": 3, "recurring-task": 3})
	b.commit("audit", events.TopicTaskEvents, 1, 2)
	b.wantLags("two acknowledged", map[string]int64{"audit": 1, "recurring-task": 3})
	b.commit("audit", events.TopicTaskEvents, 1, 9) // of a topic that was made again
	b.wantLags("a commit after the end", map[string]int64{"recurring-task": 3})
}

func TestEventsThatRetentionRemovedAreNotLag(t *testing.T) {
	t.Parallel()
	b := newBroker(t, allTopics()...)
	b.produce(events.TopicTaskEvents, 0, 5)
	b.commit("audit", events.TopicTaskEvents, 0, 1)
	var upTo kadm.Offsets
	upTo.AddOffset(events.TopicTaskEvents, 0, 3, -1)
	if deleted, err := kadm.NewClient(b.client).DeleteRecords(t.Context(), upTo); err != nil || deleted.Error() != nil {
		t.Fatalf("delete records: %v, %v", err, deleted.Error())
	}
	b.wantLags("three of five removed", map[string]int64{"audit": 2, "recurring-task": 2})
}

func TestATopicThatDoesNotExistIsNamed(t *testing.T) {
	t.Parallel()
	b := newBroker(t, kfake.SeedTopics(1, events.TopicTaskEvents, events.TopicAccountEvents))
	b.produce(events.TopicTaskEvents, 0, 1)
	b.produce(events.TopicAccountEvents, 0, 1)
	lags, err := b.reader.Lags(t.Context())
	if err != nil {
		t.Fatalf("Lags: %v", err)
	}
	for _, l := range lags {
		if want := l.Topic == events.TopicReminders; l.NoTopic != want || (l.Lag == 1) == want {
			t.Errorf("got %+v, want that only %s is missing, and a lag of 1 elsewhere", l, events.TopicReminders)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b.commit("audit", events.TopicTaskEvents, 0, 1)
	b.commit("audit", events.TopicAccountEvents, 0, 1)
	b.commit("recurring-task", events.TopicTaskEvents, 0, 1)
	if err := b.reader.WaitProcessed(ctx); !errors.Is(err, ErrNoTopic) || !strings.Contains(err.Error(), events.TopicReminders) {
		t.Errorf("WaitProcessed: got %v, want ErrNoTopic of %s", err, events.TopicReminders)
	}
}

// A service that gets a subscription without a place in the list would have no lag and no alert.
func TestTheListIsThatOfTheSubscriptions(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/subscriptions.yaml") // a link to the file
	if err != nil {
		t.Fatal(err)
	}
	var want []Consumer
	for docs := yaml.NewDecoder(bytes.NewReader(raw)); ; {
		var s struct {
			Spec   struct{ Pubsubname, Topic string }
			Scopes []string
		}
		if err := docs.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if s.Spec.Pubsubname != "kafka-pubsub" {
			continue // a fan-out: one group for each replica
		}
		for _, app := range s.Scopes {
			want = append(want, Consumer{app, s.Spec.Topic})
		}
	}
	byName := func(a, b Consumer) int { return strings.Compare(a.Group+a.Topic, b.Group+b.Topic) }
	got := All()
	slices.SortFunc(got, byName)
	slices.SortFunc(want, byName)
	if !slices.Equal(got, want) {
		t.Errorf("All: got %v, want the subscriptions: %v", got, want)
	}
}
