package components_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/testkit/daprtest"
)

// Each test here runs real sidecars twice: with the resources as rendered, and with one line removed. The second run shows
// the loss that the line prevents. So a test also fails when its line is no longer needed.

// wait bounds the wait for an event that has to come.
const wait = 20 * time.Second

// slow skips a test under -short that takes more than about 5 s, most of which daprd or Kafka's protocol waits.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("slow: it waits for timers of daprd")
	}
}

// noDatabase leaves out the state store, which needs Postgres and is not what these tests are about.
var noDatabase = daprtest.WithoutDocument("component-statestore")

func sidecar(t *testing.T, k *daprtest.Kafka, app string, a *daprtest.App, changes ...daprtest.Change) *daprtest.Sidecar {
	t.Helper()
	return daprtest.Start(t, daprtest.Options{App: app, Port: a.Port, Brokers: k.Addr, Changes: changes})
}

// onePerPartition puts an event into each partition of a topic, and returns their ids.
func onePerPartition(t *testing.T, k *daprtest.Kafka, topic string, partitions int32, prefix string) []string {
	t.Helper()
	var ids []string
	for p := range partitions {
		ids = append(ids, fmt.Sprintf("%s-%02d", prefix, p))
		k.Put(t, topic, p, ids[p])
	}
	return ids
}

func TestEachAppGetsEveryEvent(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, groups map[string]int, changes ...daprtest.Change) (audit, recurring *daprtest.App, ids []string) {
		k := daprtest.NewKafka(t)
		audit, recurring = daprtest.NewApp(t, nil), daprtest.NewApp(t, nil)
		sidecar(t, k, "audit", audit, changes...)
		sidecar(t, k, "recurring-task", recurring, append(changes, noDatabase)...)
		for group, members := range groups {
			k.WaitJoined(t, group, "task-events", members)
		}
		return audit, recurring, onePerPartition(t, k, "task-events", 12, "e")
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		audit, recurring, ids := run(t, map[string]int{"audit": 1, "recurring-task": 1})
		audit.WaitFor(t, ids...)
		recurring.WaitFor(t, ids...)
	})
	t.Run("with one consumer group for all", func(t *testing.T) {
		t.Parallel()
		audit, recurring, _ := run(t, map[string]int{"taskwire": 2}, daprtest.WithSetting("kafka-pubsub", "consumerGroup", "taskwire"))
		audit.Wait(t, wait, "half of the events", func(r []daprtest.Request) bool { return len(r) == 6 })
		recurring.Wait(t, wait, "the other half", func(r []daprtest.Request) bool { return len(r) == 6 })
	})
}

func TestAFirstJoinReadsEarlierEvents(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, changes ...daprtest.Change) []string {
		k := daprtest.NewKafka(t)
		k.Put(t, "task-events", 3, "before-1", "before-2")
		app := daprtest.NewApp(t, nil)
		sidecar(t, k, "audit", app, changes...)
		k.WaitJoined(t, "audit", "task-events", 1)
		for i := 0; !slices.ContainsFunc(app.Delivered(), func(id string) bool { return id[0] == 'a' }); i++ {
			k.Put(t, "task-events", 3, fmt.Sprint("after-", i)) // the group is joined before its consumer has read its offsets
			time.Sleep(100 * time.Millisecond)
		}
		return app.Delivered()
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		if got := run(t); !slices.Equal(got[:2], []string{"before-1", "before-2"}) {
			t.Errorf("deliveries = %v, want before-1 and before-2 first", got)
		}
	})
	t.Run("without initialOffset", func(t *testing.T) {
		t.Parallel()
		if got := run(t, daprtest.WithoutSetting("kafka-pubsub", "initialOffset")); slices.Contains(got, "before-1") {
			t.Errorf("deliveries = %v, want none of what was there before: the line is no longer needed", got)
		}
	})
}
