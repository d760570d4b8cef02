package components_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/taskwire/taskwire/testkit/daprtest"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestATraceIDThatIsNoStringDoesNotCrashTheSidecar: in Dapr 1.18.0 to 1.18.2 such an event crashes every subscriber's sidecar
// in a loop.
func TestATraceIDThatIsNoStringDoesNotCrashTheSidecar(t *testing.T) {
	t.Parallel()
	k := daprtest.NewKafka(t)
	app := daprtest.NewApp(t, nil)
	sidecar(t, k, "audit", app)
	for id, trace := range map[string]string{"number": "12345", "null": "null", "object": `{"a":1}`} {
		k.Produce(t, &kgo.Record{Topic: "task-events", Value: []byte(`{"specversion":"1.0","id":"` + id +
			`","source":"s","type":"t","datacontenttype":"application/json","data":{},"traceid":` + trace + `}`)})
	}
	app.WaitFor(t, "number", "null", "object")
}

func TestTheCronBindingIsReadWithoutAsking(t *testing.T) {
	t.Parallel()
	isTick := func(r daprtest.Request) bool { return r.Method == http.MethodPost && r.Path == "/reminder-cron" }
	run := func(t *testing.T, changes ...daprtest.Change) (*daprtest.App, *daprtest.Sidecar) {
		k := daprtest.NewKafka(t)
		app := daprtest.NewApp(t, func(r daprtest.Request) daprtest.Answer {
			if r.Method == http.MethodOptions {
				return daprtest.Answer{Status: http.StatusNotFound}
			}
			return daprtest.Answer{}
		})
		return app, sidecar(t, k, "notification", app, changes...)
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		app, _ := run(t)
		app.Wait(t, wait, "two ticks", func(asked []daprtest.Request) bool {
			ticks := 0
			for _, r := range asked {
				if isTick(r) {
					ticks++
				}
			}
			return ticks == 2
		})
	})
	t.Run("without a direction", func(t *testing.T) {
		t.Parallel()
		app, s := run(t, daprtest.WithoutSetting("reminder-cron", "direction"))
		waitLog(t, s, "app has not subscribed to binding reminder-cron", 1)
		if asked := app.Asked(); len(asked) != 1 || isTick(asked[0]) {
			t.Errorf("requests = %v, want only the question: the line is no longer needed", asked)
		}
	})
}

func TestTwoStacksDoNotMix(t *testing.T) {
	t.Parallel()
	slow(t)
	k := daprtest.NewKafka(t)
	// call lets a sidecar of each stack call the task API ten times, and returns which stacks' task API answered.
	call := func(t *testing.T, names [2]string) (answered [2]string) {
		t.Helper()
		// These sidecars have no certificates, and access control refuses such a caller.
		open := []daprtest.Change{daprtest.Without("config", "accessControl")}
		var callers [2]*daprtest.Sidecar
		for i, stack := range []string{"A", "B"} {
			api := daprtest.NewApp(t, func(daprtest.Request) daprtest.Answer { return daprtest.Answer{Body: stack} })
			daprtest.Start(t, daprtest.Options{App: "task-api", Port: api.Port, Brokers: k.Addr, NamesFile: names[i], Changes: open}).WaitReady(t)
			callers[i] = daprtest.Start(t, daprtest.Options{App: "audit", Port: daprtest.NewApp(t, nil).Port, Brokers: k.Addr, NamesFile: names[i], Changes: open})
			callers[i].WaitReady(t)
		}
		for range 10 {
			for i, s := range callers {
				status, answer, err := s.Call(t, http.MethodGet, "/v1.0/invoke/task-api/method/who", nil)
				if err != nil || status != http.StatusOK {
					t.Fatalf("call = %d %s, %v", status, answer, err)
				}
				if !strings.Contains(answered[i], answer) {
					answered[i] += answer
				}
			}
		}
		return answered
	}
	dir := t.TempDir()
	if got := call(t, [2]string{filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")}); got != [2]string{"A", "B"} {
		t.Errorf("the stacks' calls were answered by %v, want A and B, each by its own", got)
	}
	shared := filepath.Join(dir, "shared.db")
	if got := call(t, [2]string{shared, shared}); len(got[0])+len(got[1]) < 3 {
		t.Errorf("with one file for both, the calls were answered by %v: the file is no longer needed", got)
	}
}

func TestASidecarOutlivesTheCleanUpOfNames(t *testing.T) {
	t.Parallel()
	slow(t)
	k := daprtest.NewKafka(t)
	run := func(changes ...daprtest.Change) *daprtest.Sidecar {
		s := sidecar(t, k, "task-api", daprtest.NewApp(t, nil), changes...)
		s.WaitReady(t)
		return s
	}
	// The first sidecar starts earlier, so it has had as many renewals of its name as the second one when that ends.
	asRendered := run()
	cleaned := run(daprtest.With("config", "nameResolution.configuration.cleanupInterval", "1s"))
	select {
	case <-cleaned.Exited():
	case <-time.After(wait):
		t.Error("daprd with a clean-up every second goes on: the line is no longer needed")
	}
	select {
	case <-asRendered.Exited():
		t.Error("daprd as rendered ended")
	default:
	}
}

func TestALateRenewalKeepsTheNameOfASidecar(t *testing.T) {
	t.Parallel()
	slow(t)
	// These sidecars have no certificates, and access control refuses such a caller.
	open := daprtest.Without("config", "accessControl")
	const late = 7 * time.Second // more than the 5 s for which a name is valid by default
	// call invokes a sidecar that was stopped for so long, and lets it go on when the call has arrived.
	call := func(t *testing.T, changes ...daprtest.Change) (status int, answer string) {
		t.Helper()
		k := daprtest.NewKafka(t)
		names := filepath.Join(t.TempDir(), "names.db")
		run := func(app string) *daprtest.Sidecar {
			s := daprtest.Start(t, daprtest.Options{App: app, Port: daprtest.NewApp(t, nil).Port, Brokers: k.Addr, NamesFile: names, Changes: append(changes, open)})
			s.WaitReady(t)
			return s
		}
		api, caller := run("task-api"), run("audit")
		api.Signal(t, syscall.SIGSTOP)
		time.Sleep(late) // the duration is what is tested
		resume := time.AfterFunc(time.Second, func() { api.Signal(t, syscall.SIGCONT) })
		defer func() {
			if resume.Stop() {
				api.Signal(t, syscall.SIGCONT)
			}
		}()
		status, answer, err := caller.Call(t, http.MethodGet, "/v1.0/invoke/task-api/method/who", nil)
		must(t, err)
		return status, answer
	}
	t.Run("as rendered", func(t *testing.T) {
		t.Parallel()
		if status, answer := call(t); status != http.StatusOK {
			t.Errorf("the call was answered %d %s, want 200", status, answer)
		}
	})
	t.Run("by default", func(t *testing.T) {
		t.Parallel()
		interval := daprtest.Without("config", "nameResolution.configuration.updateInterval")
		timeout := daprtest.Without("config", "nameResolution.configuration.timeout")
		if status, answer := call(t, interval, timeout); !strings.Contains(answer, "no host found") {
			t.Errorf("the call was answered %d %s, want that no host is found: the lines are no longer needed", status, answer)
		}
	})
}

func TestAChangedFileDoesNotReachARunningSidecar(t *testing.T) {
	t.Parallel()
	const second = `{apiVersion: dapr.io/v1alpha1, kind: Component, metadata: {name: second-cron}, spec: {type: bindings.cron, version: v1,
metadata: [{name: schedule, value: "@every 1s"}, {name: direction, value: input}]}}`
	seconds := func(asked []daprtest.Request) (n int) {
		for _, r := range asked {
			if r.Path == "/second-cron" {
				n++
			}
		}
		return n
	}
	k := daprtest.NewKafka(t)
	run := func(changes ...daprtest.Change) *daprtest.App {
		app := daprtest.NewApp(t, nil)
		s := sidecar(t, k, "notification", app, changes...)
		s.WaitReady(t)
		must(t, os.WriteFile(filepath.Join(s.Resources(), "second.yaml"), []byte(second), 0o600))
		return app
	}
	// The first sidecar gets the file earlier, and two more seconds than the one with hot reload needs.
	asRendered := run()
	reloading := run(daprtest.Without("config", "features"))
	reloading.Wait(t, wait, "three calls of the added binding", func(r []daprtest.Request) bool { return seconds(r) >= 3 })
	if seconds(asRendered.Asked()) > 0 {
		t.Error("a sidecar as rendered loaded a file that was added while it ran")
	}
}

func TestASidecarListensOnTheLoopbackAddressOnly(t *testing.T) {
	t.Parallel()
	k := daprtest.NewKafka(t)
	reachable := func(t *testing.T, drop ...string) bool {
		t.Helper()
		s := daprtest.Start(t, daprtest.Options{App: "task-api", Port: daprtest.NewApp(t, nil).Port, Brokers: k.Addr, DropFlags: drop})
		s.WaitReady(t)
		_, port, err := net.SplitHostPort(s.Addr())
		must(t, err)
		c, err := net.DialTimeout("tcp", net.JoinHostPort(outside(t), port), 5*time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if reachable(t) {
		t.Errorf("the sidecar's API answers on %s", outside(t))
	}
	if !reachable(t, "--dapr-listen-addresses") {
		t.Errorf("without the flag the sidecar's API does not answer on %s: it is no longer needed", outside(t))
	}
}

// outside returns an address of this machine that is not 127.0.0.1.
func outside(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return "127.0.0.2" // a machine without a network; Linux answers for all of 127.0.0.0/8
}
