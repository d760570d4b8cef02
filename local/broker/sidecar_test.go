package broker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/testkit/daprtest"
)

// within bounds the time in which partitions move from a dead sidecar to a live one.
const within = 15 * time.Second

func partitionsMoveTo(t *testing.T, k *daprtest.Kafka, app *daprtest.App) {
	t.Helper()
	var got []int
	began := time.Now()
	for !slices.Equal(got, []int{12}) {
		if time.Since(began) > within {
			t.Fatalf("partitions by member %s after the kill = %v, want all 12 with the one that lives", within, got)
		}
		time.Sleep(50 * time.Millisecond)
		got = k.Members(t, "audit", "task-events")
	}
	t.Logf("moved in %s", time.Since(began).Round(time.Millisecond))
	var ids []string
	for p := range int32(12) {
		ids = append(ids, fmt.Sprint("after-", p))
		k.Put(t, "task-events", p, ids[p])
	}
	app.WaitFor(t, ids...)
}

func TestPartitionsOfASidecarKilledWhileItJoinsMoveToALiveOne(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: it waits for timers of daprd")
	}
	k := daprtest.NewKafka(t)
	hold := make(chan struct{})
	app := daprtest.NewApp(t, func(r daprtest.Request) daprtest.Answer {
		if r.ID == "slow" {
			<-hold
		}
		return daprtest.Answer{}
	})
	start := func(port int) *daprtest.Sidecar {
		return daprtest.Start(t, daprtest.Options{App: "audit", Port: port, Brokers: k.Addr})
	}
	start(app.Port)
	k.Put(t, "task-events", 0, "slow")
	app.WaitFor(t, "slow") // until it is answered, the sidecar cannot join again, and the group waits for the sidecar

	joiners := make([]*daprtest.Sidecar, 3) // each becomes a ghost with a chance of one half
	for i := range joiners {
		joiners[i] = start(daprtest.NewApp(t, nil).Port)
	}
	for deadline := time.Now().Add(20 * time.Second); len(k.Members(t, "audit", "task-events")) != 1+len(joiners); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("members = %v, want those that join too", k.Members(t, "audit", "task-events"))
		}
	}
	for _, s := range joiners {
		s.Kill()
	}
	close(hold)
	partitionsMoveTo(t, k, app)
}

func TestPartitionsOfASidecarKilledWhileItReadsMoveToALiveOne(t *testing.T) {
	t.Parallel()
	k := daprtest.NewKafka(t)
	app := daprtest.NewApp(t, nil)
	doomed := daprtest.Start(t, daprtest.Options{App: "audit", Port: daprtest.NewApp(t, nil).Port, Brokers: k.Addr})
	daprtest.Start(t, daprtest.Options{App: "audit", Port: app.Port, Brokers: k.Addr})
	k.WaitJoined(t, "audit", "task-events", 2)
	doomed.Kill()
	partitionsMoveTo(t, k, app)
}
