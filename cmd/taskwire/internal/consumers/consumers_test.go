package consumers

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestTheWaitEndsWhenAllHaveProcessedWhatWasThere(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, events.TopicTaskEvents), kfake.SeedTopics(1, events.TopicReminders))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	produce := func(topic string, partition int32, n int) {
		for range n {
			if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte("x")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	commit := func(group, topic string, partition int32, at int64) {
		var o kadm.Offsets
		o.AddOffset(topic, partition, at, -1)
		if _, err := kadm.NewClient(client).CommitOffsets(ctx, group, o); err != nil {
			t.Fatal(err)
		}
	}
	reader, err := Open(strings.Join(cluster.ListenAddrs(), ","))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := reader.WaitProcessed(ctx); err != nil {
		t.Errorf("with empty topics: %v", err)
	}
	produce(events.TopicTaskEvents, 0, 3)
	produce(events.TopicTaskEvents, 1, 2)
	produce(events.TopicReminders, 0, 1)
	commit("audit", events.TopicTaskEvents, 0, 3)
	commit("audit", events.TopicTaskEvents, 1, 2)
	commit("recurring-task", events.TopicTaskEvents, 0, 3) // and nothing of partition 1
	commit("notification", events.TopicReminders, 0, 1)

	lags, err := reader.Lags(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"audit": 0, "recurring-task": 2, "notification": 0}
	for _, l := range lags {
		if l.Lag != want[l.Group] || l.Members != 0 {
			t.Errorf("%s: got %+v, want a lag of %d and no member", l.Group, l, want[l.Group])
		}
	}
	short, cancelShort := context.WithTimeout(ctx, 2*pollInterval)
	defer cancelShort()
	if err := reader.WaitProcessed(short); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "recurring-task has not processed 2 events of task-events") {
		t.Errorf("with one behind: got %v, want which consumer is behind, and by how much", err)
	}

	begun := make(chan struct{}) // the wait knows the ends of the topics when it asks for offsets: later events do not count
	begin := sync.OnceFunc(func() { close(begun) })
	cluster.ControlKey(kmsg.OffsetFetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		begin()
		return nil, nil, false
	})
	ended := make(chan error, 1)
	go func() { ended <- reader.WaitProcessed(ctx) }()
	<-begun
	produce(events.TopicTaskEvents, 0, 1)
	commit("recurring-task", events.TopicTaskEvents, 1, 2)
	if err := <-ended; err != nil {
		t.Errorf("after it has processed them: %v", err)
	}
}
