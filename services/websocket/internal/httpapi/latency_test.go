package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// A replayed event does not show how fast events travel.
func TestCommitToSocketIsMeasuredForLiveEventsOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, defaults())
	measured := func() (n uint64, sum float64) {
		families, err := r.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "websocket_commit_to_socket_seconds" {
				return f.GetMetric()[0].GetHistogram().GetSampleCount(), f.GetMetric()[0].GetHistogram().GetSampleSum()
			}
		}
		return 0, 0
	}
	r.source.AddN("ann", 3)
	c := r.connect("ann", 0)
	want[live.Welcome](c)
	c.wantSeqs(1, 3)
	if n, _ := measured(); n != 0 {
		t.Errorf("after a replay: %d measured, want none", n)
	}
	ev := r.source.Add("ann")
	ev.Timestamp = time.Now().Add(-2 * time.Second)
	if err := r.hub.Update(ev); err != nil {
		t.Fatal(err)
	}
	c.wantSeqs(4, 4)
	eventually(t, "the event is measured, after its write", func() error {
		if n, _ := measured(); n == 0 {
			return fmt.Errorf("%d measured", n)
		}
		return nil
	})
	if n, sum := measured(); n != 1 || sum < 2 || sum > 2+patience.Seconds() {
		t.Errorf("after a live event of 2 s ago: %d measured, %v s, want one of 2 s", n, sum)
	}
}
