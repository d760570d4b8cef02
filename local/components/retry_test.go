package components_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskwire/taskwire/testkit/daprtest"
)

func TestADeliveryIsRetriedInOrderUntilAcknowledged(t *testing.T) {
	t.Parallel()
	slow(t)
	failures := []daprtest.Answer{daprtest.Retry, {Status: http.StatusInternalServerError}, {Status: http.StatusServiceUnavailable}, {Status: http.StatusConflict}}
	run := func(t *testing.T, changes ...daprtest.Change) (*daprtest.Kafka, []string) {
		k := daprtest.NewKafka(t)
		app := daprtest.NewApp(t, func(r daprtest.Request) daprtest.Answer {
			if r.ID == "first" && r.Attempt <= len(failures) {
				return failures[r.Attempt-1]
			}
			return daprtest.Answer{}
		})
		sidecar(t, k, "audit", app, changes...)
		k.Put(t, "task-events", 0, "first", "second")
		app.WaitFor(t, "second")
		return k, app.Delivered()
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		k, got := run(t)
		if want := []string{"first", "first", "first", "first", "first", "second"}; !slices.Equal(got, want) {
			t.Errorf("deliveries = %v, want %v", got, want)
		}
		if dead := k.Records(t, "task-events.dlq"); len(dead) > 0 {
			t.Errorf("dead letters = %v, want none", dead)
		}
	})
	t.Run("without a retry policy", func(t *testing.T) {
		t.Parallel()
		k, got := run(t, daprtest.Without("resiliency-taskwire", "targets.components.kafka-pubsub.inbound.retry"))
		if dead := k.Records(t, "task-events.dlq"); len(dead) != 1 || len(got) != 2 {
			t.Errorf("deliveries = %v, dead letters = %v, want first among the dead after one try: the line is no longer needed", got, dead)
		}
	})
	t.Run("with a bounded number of retries", func(t *testing.T) {
		t.Parallel()
		k, got := run(t, daprtest.With("resiliency-taskwire", "policies.retries.untilTaken.maxRetries", 2))
		if dead := k.Records(t, "task-events.dlq"); len(dead) != 1 || len(got) != 4 {
			t.Errorf("deliveries = %v, dead letters = %v, want first among the dead after three tries: the line is no longer needed", got, dead)
		}
	})
}

func TestAHungAppDoesNotHoldItsPartitionForEver(t *testing.T) {
	t.Parallel()
	slow(t)
	run := func(t *testing.T, changes ...daprtest.Change) *daprtest.App {
		t.Helper()
		k := daprtest.NewKafka(t)
		hung := make(chan struct{})
		app := daprtest.NewApp(t, func(r daprtest.Request) daprtest.Answer {
			if r.Attempt == 1 {
				<-hung
			}
			return daprtest.Answer{}
		})
		t.Cleanup(func() { close(hung) })
		sidecar(t, k, "audit", app, changes...)
		k.Put(t, "task-events", 0, "e")
		app.WaitFor(t, "e")
		return app
	}
	without := run(t, daprtest.Without("resiliency-taskwire", "targets.components.kafka-pubsub.inbound.timeout"))
	for range 2 { // twice, so that the first sidecar has had twice the time that a second try takes
		app := run(t, daprtest.With("resiliency-taskwire", "policies.timeouts.delivery", "1s"))
		app.Wait(t, wait, "a second try with a timeout of 1 s", func(r []daprtest.Request) bool { return len(r) == 2 })
	}
	if got := without.Delivered(); len(got) != 1 {
		t.Errorf("deliveries without the timeout = %v, want one that hangs: the line is no longer needed", got)
	}
}

func TestAnAppThatIsStartingLosesNothing(t *testing.T) {
	t.Parallel()
	slow(t)
	run := func(t *testing.T, drop ...string) (*daprtest.Kafka, *daprtest.App, *atomic.Bool) {
		k := daprtest.NewKafka(t)
		var started atomic.Bool
		app := daprtest.NewApp(t, func(daprtest.Request) daprtest.Answer {
			if !started.Load() {
				return daprtest.Answer{Status: http.StatusNotFound} // its routes are not there yet
			}
			return daprtest.Answer{}
		})
		app.SetHealthy(false)
		k.Put(t, "task-events", 0, "early")
		s := daprtest.Start(t, daprtest.Options{App: "audit", Port: app.Port, Brokers: k.Addr, DropFlags: drop})
		s.WaitReady(t)
		return k, app, &started
	}
	t.Run("as started by the stack", func(t *testing.T) {
		t.Parallel()
		k, app, started := run(t)
		app.WaitFailedProbes(t, 3)
		started.Store(true)
		app.SetHealthy(true)
		app.WaitFor(t, "early")
		if got := app.Delivered(); len(got) != 1 {
			t.Errorf("deliveries = %v, want one, after the app was healthy", got)
		}
		if dead := k.Records(t, "task-events.dlq"); len(dead) > 0 {
			t.Errorf("dead letters = %v, want none", dead)
		}
	})
	t.Run("without the health check", func(t *testing.T) {
		t.Parallel()
		k, app, _ := run(t, "--enable-app-health-check")
		app.WaitFor(t, "early")
		// The event that got a 404: when it is no longer there, the flag is no longer needed.
		k.WaitRecords(t, "task-events.dlq", 1)
	})
}

func TestAnAppThatWasAwayGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	slow(t)
	start := func(t *testing.T, args ...string) (k *daprtest.Kafka, app *daprtest.App, s *daprtest.Sidecar, back func()) {
		k = daprtest.NewKafka(t)
		var away atomic.Bool
		app = daprtest.NewApp(t, func(daprtest.Request) daprtest.Answer {
			if away.Load() {
				return daprtest.Retry
			}
			return daprtest.Answer{}
		})
		s = daprtest.Start(t, daprtest.Options{App: "audit", Port: app.Port, Brokers: k.Addr, Args: args})
		k.Put(t, "task-events", 0, "before")
		app.WaitFor(t, "before")
		away.Store(true)
		app.SetHealthy(false)
		k.Put(t, "task-events", 0, "during-1", "during-2")
		k.Put(t, "task-events", 1, "elsewhere")
		app.Wait(t, wait, "a try that fails", func(r []daprtest.Request) bool { return r[len(r)-1].Attempt > 1 })
		return k, app, s, func() { away.Store(false); app.SetHealthy(true) }
	}
	t.Run("as started by the stack", func(t *testing.T) {
		t.Parallel()
		k, app, s, back := start(t)
		app.WaitFailedProbes(t, 5) // daprd's own threshold is 3
		back()
		app.WaitFor(t, "during-1", "during-2", "elsewhere")
		k.Put(t, "task-events", 0, "after")
		app.WaitFor(t, "after")
		if dead := k.Records(t, "task-events.dlq"); len(dead) > 0 {
			t.Errorf("dead letters = %v, want none", dead)
		}
		if strings.Contains(s.Log(), "App entered un-healthy status") {
			t.Error("daprd stopped delivering")
		}
	})
	t.Run("with daprd's own threshold", func(t *testing.T) {
		t.Parallel()
		_, _, s, _ := start(t, "--app-health-threshold", "3")
		waitLog(t, s, "App entered un-healthy status", 1) // which ends the subscriptions, with the race that follows
	})
}

func TestASidecarThatIsStoppedWhileItTriesLosesNothing(t *testing.T) {
	t.Parallel()
	slow(t)
	k := daprtest.NewKafka(t)
	failing := daprtest.NewApp(t, func(daprtest.Request) daprtest.Answer { return daprtest.Retry })
	s := daprtest.Start(t, daprtest.Options{App: "audit", Port: failing.Port, Brokers: k.Addr, Shutdown: 5})
	k.Put(t, "task-events", 0, "e", "f")
	failing.Wait(t, wait, "a second try", func(r []daprtest.Request) bool { return len(r) > 1 })
	t.Logf("stopped in %s", s.Stop(t).Round(time.Millisecond))
	app := daprtest.NewApp(t, nil)
	sidecar(t, k, "audit", app)
	app.WaitFor(t, "e", "f")
	if dead := k.Records(t, "task-events.dlq"); len(dead) > 0 {
		t.Errorf("dead letters = %v, want none", dead)
	}
}
