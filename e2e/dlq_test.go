package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tool runs the operator's tool against the broker of the stack and returns its output.
func tool(t *testing.T, args ...string) []byte {
	t.Helper()
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".taskwire", "bin", "taskwire"), args...)
	cmd.Env = append(os.Environ(), kafkaEnvironment(shared)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("taskwire %v: %v\n%s", args, err, out)
	}
	return out
}

// TestAReplayedDeadLetterReachesItsConsumersInItsPartition replays an event that still cannot succeed. Both consumers
// dead-letter it again, which shows that both received it.
func TestAReplayedDeadLetterReachesItsConsumersInItsPartition(t *testing.T) {
	usesShared(t)
	id, user := uuid.Must(uuid.NewV7()).String(), uuid.NewString()
	dlq := events.DeadLetterTopic(events.TopicTaskEvents)
	publish(t, "task-api", events.TopicTaskEvents, id, user,
		fmt.Appendf(nil, `{"event_id":%q,"event_type":"created","task_id":"not an id","user_id":%q}`, id, user))
	ours := func(d events.DeadLetter) bool { return d.EventID == id }
	deadLetters(t, dlq, ours, 2)

	var listed []struct {
		ID     string            `json:"id"`
		Letter events.DeadLetter `json:"letter"`
	}
	must(t, json.Unmarshal(tool(t, "dlq", "--json", "--limit", "1000"), &listed))
	for _, l := range listed {
		if l.Letter.EventID == id {
			tool(t, "dlq", "replay", l.ID)
			break
		}
	}
	deadLetters(t, dlq, ours, 4)

	kafka := kafkaClient(t, shared, kgo.ConsumeTopics(events.TopicTaskEvents), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var partitions []int32
	for len(partitions) < 2 {
		kafka.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if string(r.Key) == user {
				partitions = append(partitions, r.Partition)
			}
		})
		if ctx.Err() != nil {
			t.Fatalf("found the event %d times, want 2", len(partitions))
		}
	}
	if partitions[0] != partitions[1] {
		t.Errorf("the sidecar published to partition %d, the replay to %d", partitions[0], partitions[1])
	}
}
