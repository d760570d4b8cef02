package e2e

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// chaosWrites is the number of writes in one round; the part is killed when half of them are answered.
const chaosWrites = 200

// TestNothingIsLostWhenAPartIsKilled kills each part in turn with SIGKILL in the middle of 200 writes. Then it checks the
// audit log, the open page with its notifications, the successors, the inbox and the ReminderEvents against what was answered.
func TestNothingIsLostWhenAPartIsKilled(t *testing.T) {
	disturbsShared(t)
	for _, part := range []string{
		"task-api", "task-api-daprd", "audit", "audit-daprd", "recurring-task", "recurring-task-daprd",
		"notification", "notification-daprd", "websocket", "websocket-daprd", "gateway", "broker", "postgres", "sentry",
	} {
		t.Run(part, func(t *testing.T) {
			if part == stack.Broker {
				needsOwnBroker(t, "it would be killed")
			}
			u := client.NewUser(t, shared.URL())
			page := client.OpenBrowser(t, u, 0)
			before := restarts(t, part)
			h := writeWhileKilling(t, u, part, func() error { return shared.Kill(part, syscall.SIGKILL) })
			h.Check(t, u, page)
			client.Eventually(t, client.RecoveryTimeout, "the ReminderEvents say what was answered", func() error {
				return h.CheckReminderEvents(reminderEvents(t, u.ID))
			})
			if after := restarts(t, part); after == before {
				t.Errorf("%s was not restarted: the test proves nothing", part)
			}
		})
	}
}

// reminderEvents returns the ReminderEvents of a user that the topic holds now, in their order.
func reminderEvents(t *testing.T, userID string) (all []events.ReminderEvent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kafka := kafkaClient(t, shared, kgo.ConsumeTopics(events.TopicReminders), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends, err := kadm.NewClient(kafka).ListEndOffsets(ctx, events.TopicReminders)
	must(t, err)
	waiting := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			waiting[o.Partition] = o.Offset
		}
	})
	for len(waiting) > 0 {
		kafka.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= waiting[r.Partition] {
				delete(waiting, r.Partition)
			}
			if string(r.Key) != userID {
				return
			}
			e, err := events.DecodeReminderEvent(eventIn(t, r))
			must(t, err)
			all = append(all, e)
		})
		if ctx.Err() != nil {
			t.Fatalf("%s: partitions %v were not read to their ends: %v", events.TopicReminders, waiting, ctx.Err())
		}
	}
	return all
}

// restarts returns how often the supervisor has restarted a part.
func restarts(t *testing.T, part string) int {
	t.Helper()
	for _, p := range shared.Status() {
		if p.Name == part {
			return p.Restarts
		}
	}
	t.Fatalf("there is no part %q", part)
	return 0
}

// writeWhileKilling makes chaosWrites writes and calls kill when half of them are answered.
func writeWhileKilling(t *testing.T, u *client.User, part string, kill func() error) *client.History {
	t.Helper()
	killed := false
	ctx, cancel := context.WithTimeout(t.Context(), client.RecoveryTimeout)
	defer cancel()
	h, err := client.Write(ctx, u, part, 0, func(answered int) bool {
		if answered >= chaosWrites/2 && !killed {
			killed = true
			if err := kill(); err != nil {
				t.Errorf("kill -9 %s: %v", part, err)
			}
		}
		return answered < chaosWrites
	})
	if err != nil {
		t.Fatalf("write while %s is killed: %v", part, err)
	}
	return h
}
