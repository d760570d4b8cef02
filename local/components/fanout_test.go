package components_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/testkit/daprtest"
)

// warmUp begins the ids of the events that waitReading sends.
const warmUp = "warm-up"

// waitReading waits until the apps read every partition of a topic, each of them by so many of the apps. A consumer has
// its partitions before it has looked up where they end, and an event that comes between is not delivered.
func waitReading(t *testing.T, k *daprtest.Kafka, topic string, partitions int32, copies int, all ...*daprtest.App) {
	t.Helper()
	for p := range partitions {
		prefix := fmt.Sprintf("%s-%s-%d-", warmUp, topic, p)
		readers := func() (n int) {
			for _, app := range all {
				if slices.ContainsFunc(app.Delivered(), func(id string) bool { return strings.HasPrefix(id, prefix) }) {
					n++
				}
			}
			return n
		}
		for i, deadline := 0, time.Now().Add(wait); readers() < copies; i++ {
			if time.Now().After(deadline) {
				t.Fatalf("%s/%d is read by %d apps, want %d", topic, p, readers(), copies)
			}
			k.Put(t, topic, p, fmt.Sprint(prefix, i))
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func TestEveryWebSocketReplicaGetsEveryEvent(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, groups map[string]int, changes ...daprtest.Change) (replicas []*daprtest.App, ids []string) {
		k := daprtest.NewKafka(t)
		for _, pod := range []string{"a", "b"} {
			app := daprtest.NewApp(t, nil)
			daprtest.Start(t, daprtest.Options{App: "websocket", Port: app.Port, Brokers: k.Addr, Changes: changes, Env: []string{"POD_NAME=" + pod}})
			replicas = append(replicas, app)
		}
		// The subscriptions join one after the other, and each makes the whole group join again.
		for group, members := range groups {
			k.WaitJoined(t, group, "task-updates", members)
			k.WaitJoined(t, group, "notifications", members)
			k.WaitJoined(t, group, "account-events", members)
		}
		copies := len(groups) // of each event: one for each group
		waitReading(t, k, "task-updates", 12, copies, replicas...)
		waitReading(t, k, "notifications", 6, copies, replicas...)
		return replicas, append(onePerPartition(t, k, "task-updates", 12, "u"), onePerPartition(t, k, "notifications", 6, "n")...)
	}
	// events returns the requests without those of waitReading.
	events := func(asked []daprtest.Request) []daprtest.Request {
		return slices.DeleteFunc(asked, func(r daprtest.Request) bool { return strings.HasPrefix(r.ID, warmUp) })
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		replicas, ids := run(t, map[string]int{"ws-a": 1, "ws-b": 1})
		for _, app := range replicas {
			app.WaitFor(t, ids...)
			for _, r := range events(app.Asked()) {
				if want := map[byte]string{'u': "/events/task-updates", 'n': "/events/notifications"}[r.ID[0]]; r.Path != want {
					t.Errorf("event %s came to %s, want %s", r.ID, r.Path, want)
				}
			}
		}
	})
	t.Run("without a group for each replica", func(t *testing.T) {
		t.Parallel()
		replicas, _ := run(t, map[string]int{"websocket": 2}, daprtest.WithoutSetting("kafka-fanout", "consumerGroup"))
		for _, app := range replicas {
			app.Wait(t, wait, "half of the events", func(r []daprtest.Request) bool { return len(events(r)) == 9 })
		}
	})
}

// A session ends in every process, so every process of an app gets every account event. None takes it from another.
func TestEveryProcessGetsEveryAccountEvent(t *testing.T) {
	t.Parallel()
	k := daprtest.NewKafka(t)
	var processes []*daprtest.App
	for _, pod := range []string{"audit-a", "audit-b"} {
		app := daprtest.NewApp(t, nil)
		daprtest.Start(t, daprtest.Options{App: "audit", Port: app.Port, Brokers: k.Addr, Env: []string{"POD_NAME=" + pod}})
		k.WaitJoined(t, "ws-"+pod, "account-events", 1)
		processes = append(processes, app)
	}
	waitReading(t, k, "account-events", 6, len(processes), processes...)
	ids := onePerPartition(t, k, "account-events", 6, "a")
	for i, app := range processes {
		app.WaitFor(t, ids...)
		for _, r := range app.Asked() {
			if slices.Contains(ids, r.ID) && r.Path != "/fan-out/account-events" && r.Path != "/events/account-events" {
				t.Errorf("process %d: event %s came to %s", i, r.ID, r.Path)
			}
		}
	}
}

func TestANewReplicaSkipsEarlierEvents(t *testing.T) {
	t.Parallel()
	slow(t)
	run := func(t *testing.T, changes ...daprtest.Change) []string {
		k := daprtest.NewKafka(t)
		k.Put(t, "task-updates", 3, "before-1", "before-2")
		app := daprtest.NewApp(t, nil)
		sidecar(t, k, "websocket", app, changes...)
		k.WaitJoined(t, "ws-websocket-0", "task-updates", 1)
		isAfter := func(id string) bool { return strings.HasPrefix(id, "after") }
		for i := 0; !slices.ContainsFunc(app.Delivered(), isAfter); i++ {
			k.Put(t, "task-updates", 3, fmt.Sprint("after-", i))
			time.Sleep(100 * time.Millisecond)
		}
		return app.Delivered()
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		if got := run(t); strings.HasPrefix(got[0], "before") {
			t.Errorf("deliveries = %v, want none from before the replica started", got)
		}
	})
	t.Run("with initialOffset oldest", func(t *testing.T) {
		t.Parallel()
		if got := run(t, daprtest.WithSetting("kafka-fanout", "initialOffset", "oldest")); got[0] != "before-1" {
			t.Errorf("deliveries = %v, want before-1 first: the line is no longer needed", got)
		}
	})
}
