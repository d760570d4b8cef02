package consumers

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestTheWaitEndsWhenAllHaveProcessedWhatWasThere(t *testing.T) {
	t.Parallel()
	b := newBroker(t, allTopics()...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cluster, reader, produce, commit := b.cluster, b.reader, b.produce, b.commit
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

	b.wantLags("one partition behind", map[string]int64{"recurring-task": 2})
	short, cancelShort := context.WithTimeout(ctx, 5*pollInterval) // some rounds, the last of which it may interrupt
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
