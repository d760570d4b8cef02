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

// TestAJoinThatMeetsTheLastLeaveIsNotForgotten lets the last member leave at the moment in which another one joins:
// whichever comes first, the new one is known to the hub. No sweep runs that could cover for it.
func TestAJoinThatMeetsTheLastLeaveIsNotForgotten(t *testing.T) {
	s := hubtest.New()
	h := hub.New(hub.Config{Source: s, Log: slog.New(slog.DiscardHandler), Metrics: hub.NewMetrics(prometheus.NewRegistry()), Limits: limits()})
	defer h.Close()
	_, last := join(t, h, 0)
	for i := range 15_000 {
		at, leaving := int64(s.Len("u")), last
		p := &page{}
		var ready atomic.Bool
		left := make(chan struct{})
		go func() {
			for !ready.Load() { // both start within nanoseconds
			}
			h.Leave(leaving)
			close(left)
		}()
		ready.Store(true)
		for range i % 256 { // a little earlier, a little later
			ready.Load()
		}
		last = joinAs(t, h, at, p)
		<-left
		update(t, h, s.Add("u"))
		want := []string{fmt.Sprint("welcome ", at), fmt.Sprint(at + 1)}
		for deadline := time.Now().Add(10 * time.Second); !slices.Equal(p.seen(), want); time.Sleep(time.Millisecond) { // between polls
			if time.Now().After(deadline) {
				t.Fatalf("the new member: got %v, want %v", p.seen(), want)
			}
		}
	}
}
