package hub_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/hubtest"
)

const (
	raceRounds      = 15_000 // about 10 s with -race
	raceRoundsShort = 1500   // with -short
	maxDelaySpins   = 256    // the delays between Leave and Join: 0 to some microseconds
)

// TestAJoinDuringTheLastLeaveIsNotLost lets the last member leave while another one joins. In either order, the hub must
// know the new member. No sweep runs that could hide a loss.
func TestAJoinDuringTheLastLeaveIsNotLost(t *testing.T) {
	t.Parallel()
	rounds := raceRounds
	if testing.Short() {
		rounds = raceRoundsShort
	}
	r := &rig{tasks: hubtest.NewTasks(), inbox: hubtest.NewNotifications(), t: t}
	r.h = hub.New(hub.Config{
		Tasks: r.tasks, Notifications: r.inbox, Log: slog.New(slog.DiscardHandler), Metrics: hub.NewMetrics(prometheus.NewRegistry()), Limits: limits(),
	})
	defer r.h.Close()
	_, last := r.join(0, 0)
	for i := range rounds {
		at, leaving := int64(r.tasks.Len("u")), last
		p := &page{}
		var ready atomic.Bool
		left := make(chan struct{})
		go func() {
			for !ready.Load() { // both start within nanoseconds
			}
			r.h.Leave(leaving)
			close(left)
		}()
		ready.Store(true)
		for range i % maxDelaySpins {
			ready.Load()
		}
		last = r.joinAs(at, 0, p)
		<-left
		r.update(r.tasks.Add("u"))
		want := []string{fmt.Sprint("welcome ", at, " 0"), fmt.Sprint(at + 1)}
		for deadline := time.Now().Add(10 * time.Second); !slices.Equal(p.seen(), want); time.Sleep(time.Millisecond) { // between polls
			if time.Now().After(deadline) {
				t.Fatalf("the new member: got %v, want %v", p.seen(), want)
			}
		}
	}
}
