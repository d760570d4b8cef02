package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/cmd/taskwire/consumers"
	"github.com/taskwire/taskwire/e2e/client"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kadm"
)

// TestPartitionsAreAddedUnderWritesAndEveryUsersOrderHolds follows docs/runbook.md#partitions with several users, some of
// whom move to another partition. The consumers of task-events are away from the start: their groups have committed nothing,
// and on Apache Kafka they join for some seconds, while every event waits. Partitions that are added before those events are
// read break the order.
func TestPartitionsAreAddedUnderWritesAndEveryUsersOrderHolds(t *testing.T) {
	startsAStack(t)
	needsOwnBroker(t, "its topics would keep the partitions")
	root, err := repoRoot()
	if err != nil {
		t.Fatal(err)
	}
	s, stop, err := startStack(t.Context(), stackConfig(root, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, stop()) }()
	late := []string{"audit", "recurring-task"}
	for _, app := range late {
		must(t, s.Stop(stack.Sidecar(app)))
	}
	const users, changes = 8, 10
	type writer struct {
		*client.User
		page *client.Browser
		task events.TaskData
	}
	var writers []writer
	for range users {
		u := client.NewUser(t, s.URL())
		writers = append(writers, writer{u, client.OpenBrowser(t, u, 0), u.Create(map[string]any{"title": "0"})})
	}
	write := func(from int) {
		for i := from; i < from+changes; i++ {
			for _, w := range writers {
				w.Must(http.MethodPatch, "/api/v1/tasks/"+w.task.ID, map[string]any{"title": fmt.Sprint(i)}, http.StatusOK, nil)
			}
		}
	}
	write(1)
	kafka := kafkaClient(t, s)
	counted := consumers.New(kafka)
	client.Eventually(t, time.Minute, "the lag of consumers that have not started counts", func() error {
		lags, err := counted.Lags(t.Context())
		if err != nil {
			return err
		}
		for _, l := range lags {
			if slices.Contains(late, l.Group) && l.Lag == 0 {
				return fmt.Errorf("got %+v, want a lag", l)
			}
		}
		return nil
	})
	for _, app := range []string{"task-api", "notification"} {
		must(t, s.Stop(stack.Sidecar(app)))
	}
	write(1 + changes) // these events wait in the outbox

	for _, app := range late {
		must(t, s.Start(stack.Sidecar(app)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), client.RecoveryTimeout)
	defer cancel()
	must(t, counted.WaitProcessed(ctx)) // everything that was published is consumed
	for _, topic := range []string{events.TopicTaskEvents, events.TopicTaskUpdates} {
		added, err := kadm.NewClient(kafka).UpdatePartitions(t.Context(), 24, topic)
		if err == nil {
			err = added.Error()
		}
		must(t, err)
	}
	for _, app := range []string{"audit", "recurring-task", "websocket"} { // a running sidecar looks for new partitions only every ten minutes
		must(t, s.Stop(stack.Sidecar(app)))
		must(t, s.Start(stack.Sidecar(app)))
	}
	for _, app := range []string{"task-api", "notification"} {
		must(t, s.Start(stack.Sidecar(app)))
	}
	write(1 + 2*changes)

	ends, err := kadm.NewClient(kafka).ListEndOffsets(t.Context(), events.TopicTaskEvents)
	must(t, err)
	if n := len(ends[events.TopicTaskEvents]); n != 24 {
		t.Fatalf("task-events has %d partitions, want 24", n)
	}
	const all = 1 + 3*changes
	for i, w := range writers {
		h := client.NewHistory()
		h.Answered(w.task.ID, all)
		client.Eventually(t, client.RecoveryTimeout, fmt.Sprintf("the audit log of user %d is complete and in order", i), func() error {
			entries, err := w.Audit("/api/v1/audit")
			if err != nil {
				return err
			}
			return h.CheckAudit(entries, all)
		})
		client.Eventually(t, client.RecoveryTimeout, fmt.Sprintf("the page of user %d saw everything in order", i), func() error { return w.page.SawAll(0, all) })
	}
	moved := false
	ends, err = kadm.NewClient(kafka).ListEndOffsets(t.Context(), events.TopicTaskEvents)
	must(t, err)
	ends.Each(func(o kadm.ListedOffset) { moved = moved || o.Partition >= 12 && o.Offset > 0 })
	if !moved {
		t.Error("no user moved to a new partition: the test proves nothing")
	}
}
