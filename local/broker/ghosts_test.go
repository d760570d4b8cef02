package broker

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const ghostTopic = "orders"

// ghostGroups is how many consumers die at once. kfake makes a ghost of about every second one, by chance.
const ghostGroups = 12

// killJoiners makes groups that have one live member each, which owns all 12 partitions, and kills a second process
// with SIGKILL while it waits in each group for the answer to its JoinGroup. Then each group goes on.
func killJoiners(t *testing.T, addr string) (groups []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	owns, waits, dead := make(chan struct{}, ghostGroups), make(chan struct{}, ghostGroups), make(chan struct{})
	for i := range ghostGroups {
		groups = append(groups, fmt.Sprint("readers-", i))
		first := true
		live, err := kgo.NewClient(append(memberOpts(addr, groups[i]), kgo.ConsumeTopics(ghostTopic), kgo.BlockRebalanceOnPoll(),
			kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, p map[string][]int32) {
				if first && len(p[ghostTopic]) == 12 {
					owns <- struct{}{}
				}
			}),
			kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) {
				if first { // somebody joins, and waits for this member to join too
					first = false
					waits <- struct{}{}
					select {
					case <-dead:
					case <-ctx.Done():
					}
				}
			}))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(live.Close)
		go func() {
			for ctx.Err() == nil {
				live.PollFetches(ctx)
				live.AllowRebalance()
			}
		}()
	}
	t.Cleanup(cancel) // before the clients close
	within := time.After(30 * time.Second)
	each := func(c chan struct{}, what string) {
		t.Helper()
		for range ghostGroups {
			select {
			case <-c:
			case <-within:
				t.Fatal("not in time: ", what)
			}
		}
	}
	each(owns, "the first member of each group owns all partitions")
	joiner := startChild(t, childConfig{Addr: addr, Groups: groups, Topics: []events.Topic{{Name: ghostTopic}}})
	each(waits, "a second member joins each group")
	joiner.kill()
	close(dead)
	return groups
}

// shares returns for each group how its 12 partitions are shared out: [12] when one member owns them all.
func shares(t *testing.T, addr string, groups []string) map[string][]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	described, err := kadm.NewClient(cl).DescribeGroups(ctx, groups...)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]int{}
	for name, g := range described {
		for _, m := range g.Members {
			n := 0
			if a, ok := m.Assigned.AsConsumer(); ok {
				for _, topic := range a.Topics {
					n += len(topic.Partitions)
				}
			}
			got[name] = append(got[name], n)
		}
	}
	return got
}

func TestPartitionsOfAConsumerKilledWhileJoiningMoveToALiveOne(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, Config{Topics: []events.Topic{{Name: ghostTopic, Partitions: 12}}})
	groups := killJoiners(t, addr)
	var got map[string][]int
	defer func() {
		if t.Failed() {
			t.Logf("partitions by member: %v", got)
		}
	}()
	eventually(t, 15*time.Second, "the live member of each group owns all 12 partitions", func() bool {
		got = shares(t, addr, groups)
		for _, group := range groups {
			if !slices.Equal(got[group], []int{12}) {
				return false
			}
		}
		return true
	})
}

func TestPartitionsOfAConsumerThatIsKilledMoveBeforeItsSessionEnds(t *testing.T) {
	t.Parallel()
	addr, _ := start(t, Config{Topics: []events.Topic{{Name: ghostTopic, Partitions: 12}}})
	topics := []events.Topic{{Name: ghostTopic}}
	group := []string{"readers"}
	long := startChild(t, childConfig{Addr: addr, Groups: group, Topics: topics, Session: time.Minute})
	startChild(t, childConfig{Addr: addr, Groups: group, Topics: topics, Session: time.Minute})
	eventually(t, 30*time.Second, "two members share the partitions", func() bool {
		return slices.Equal(shares(t, addr, group)["readers"], []int{6, 6})
	})
	long.kill()
	eventually(t, 15*time.Second, "the other member owns all 12 partitions", func() bool {
		return slices.Equal(shares(t, addr, group)["readers"], []int{12})
	})
}

// This is the fault that ghosts.go works around. When it fails, kfake is mended and ghosts.go can go.
func TestKfakeAloneKeepsGhosts(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(12, ghostTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	addr := cluster.ListenAddrs()[0]
	groups := killJoiners(t, addr)
	time.Sleep(9 * time.Second) // the session timeout is 6 s: whoever is there now stays
	ghosts := -len(groups)
	for _, members := range shares(t, addr, groups) {
		ghosts += len(members)
	}
	t.Logf("%d of %d consumers that died while joining are still members", ghosts, ghostGroups)
	if ghosts == 0 {
		t.Error("kfake removed every member that died while joining")
	}
}

// joining sends a JoinGroup and returns where its answer comes.
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

func TestAMemberThatWaitsLongForTheOthersIsNotDropped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
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
	quick, slow := newClient(t, addr), newClient(t, addr)
	quickID, slowID := get(joining(ctx, quick, "", "")).MemberID, get(joining(ctx, slow, "", "")).MemberID
	get(joining(ctx, quick, quickID, "a"))
	slowJoined := joining(ctx, slow, slowID, "a")
	eventually(t, 10*time.Second, "the slow member joins", func() bool { return len(shares(t, addr, []string{"readers"})["readers"]) == 2 })
	get(joining(ctx, quick, quickID, "b"))
	generation := get(slowJoined).Generation // both are in the group

	answer := joining(ctx, quick, quickID, "c")
	for range 9 { // seconds, longer than the session timeout
		time.Sleep(time.Second)
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID, req.Generation = "readers", slowID, generation
		if _, err := req.RequestWith(ctx, slow); err != nil {
			t.Fatal(err)
		}
	}
	get(joining(ctx, slow, slowID, "c"))
	if resp := get(answer); resp.ErrorCode != 0 || resp.Generation != generation+1 {
		t.Errorf("the JoinGroup that waited 9 s was answered with %v and generation %d, want success and %d",
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

	// One member sends heartbeats and does not join again; the other joins, and again when it has waited a while, as
	// daprd does after 30 s.
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		for ctx.Err() == nil {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID, req.Generation = "readers", stuckID, generation
			_, _ = req.RequestWith(ctx, stuck)
			time.Sleep(500 * time.Millisecond)
		}
	}()
	defer func() { cancel(); <-beats }()
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
