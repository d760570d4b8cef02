package broker

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/taskwire/taskwire/pkg/events"
)

// joining sends a JoinGroup. The answer comes on the channel.
func joining(ctx context.Context, cl *kgo.Client, id, subscription string) <-chan *kmsg.JoinGroupResponse {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = "readers", id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 6_000, 60_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte(subscription)
	req.Protocols = append(req.Protocols, p)
	answer := make(chan *kmsg.JoinGroupResponse, 1)
	go func() {
		if resp, err := req.RequestWith(ctx, cl); err == nil {
			answer <- resp
		}
	}()
	return answer
}

// beat sends a member's heartbeats until stop is called.
func beat(ctx context.Context, cl *kgo.Client, id string, generation int32) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID, req.Generation = "readers", id, generation
			_, _ = req.RequestWith(ctx, cl) // the test looks at the member's state, not at this answer
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func TestAMemberThatWaitsLongForTheOthersIsNotDropped(t *testing.T) {
	t.Parallel()
	slow(t)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	addr, _ := start(t, Config{Topics: []events.Topic{{Name: ghostTopic, Partitions: 1}}})
	get := func(answer <-chan *kmsg.JoinGroupResponse) *kmsg.JoinGroupResponse {
		t.Helper()
		select {
		case resp := <-answer:
			return resp
		case <-ctx.Done():
			t.Fatal("a JoinGroup got no answer")
			return nil
		}
	}
	quick, laggard := newClient(t, addr), newClient(t, addr)
	quickID, laggardID := get(joining(ctx, quick, "", "")).MemberID, get(joining(ctx, laggard, "", "")).MemberID
	get(joining(ctx, quick, quickID, "a"))
	laggardJoined := joining(ctx, laggard, laggardID, "a")
	eventually(t, 10*time.Second, "the slow member joins", func() bool { return len(shares(t, addr, []string{"readers"})["readers"]) == 2 })
	get(joining(ctx, quick, quickID, "b"))
	generation := get(laggardJoined).Generation // both are in the group

	answer := joining(ctx, quick, quickID, "c")
	stopBeats := beat(ctx, laggard, laggardID, generation)
	silentMember(t, addr, shortSession+2*time.Second) // the quick member waits for longer than its session
	stopBeats()
	get(joining(ctx, laggard, laggardID, "c"))
	if resp := get(answer); resp.ErrorCode != 0 || resp.Generation != generation+1 {
		t.Errorf("the JoinGroup that waited was answered with %v and generation %d, want success and %d",
			kerr.ErrorForCode(resp.ErrorCode), resp.Generation, generation+1)
	}
}

func TestAMemberThatCannotJoinDoesNotKeepTheOthersOut(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	addr, _ := start(t, Config{Topics: []events.Topic{{Name: ghostTopic, Partitions: 1}}, rebalanceLimit: 3 * time.Second})
	get := func(answer <-chan *kmsg.JoinGroupResponse) *kmsg.JoinGroupResponse {
		t.Helper()
		select {
		case resp := <-answer:
			return resp
		case <-ctx.Done():
			t.Fatal("a JoinGroup got no answer")
			return nil
		}
	}
	stuck, other := newClient(t, addr), newClient(t, addr)
	stuckID, otherID := get(joining(ctx, stuck, "", "")).MemberID, get(joining(ctx, other, "", "")).MemberID
	generation := get(joining(ctx, stuck, stuckID, "a")).Generation

	// One member sends heartbeats and does not join again. The other joins, and joins again after a while, as daprd does
	// after 30 s.
	defer beat(ctx, stuck, stuckID, generation)()
	for {
		again, stop := context.WithTimeout(ctx, 2*time.Second)
		select {
		case resp := <-joining(again, newClient(t, addr), otherID, "a"):
			stop()
			if resp.ErrorCode != 0 || resp.Generation != generation+1 {
				t.Errorf("JoinGroup = %v, generation %d, want success and %d", kerr.ErrorForCode(resp.ErrorCode), resp.Generation, generation+1)
			}
			return
		case <-again.Done():
			stop()
		}
		if ctx.Err() != nil {
			t.Fatal("the other member got no answer to its JoinGroup")
		}
	}
}
