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

// ghostGroups is how many consumers die at once. By chance, about every second one becomes a ghost in kfake.
const ghostGroups = 12

// killJoiners makes groups with one live member each, which owns all 12 partitions. It kills a second process with SIGKILL
// while that waits in each group for the answer to its JoinGroup. Then it lets the live members join again.
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
				if first { // another member joins and waits for this one to join too
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
	slow(t)
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

func TestPartitionsMoveBeforeAKilledConsumersSessionEnds(t *testing.T) {
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

// silentMember joins a group of its own and then says nothing more. It returns when the broker has dropped the member,
// which is after the session timeout by the broker's own clock.
func silentMember(t *testing.T, addr string, session time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cl := newClient(t, addr)
	const group = "silent"
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = int32(session.Milliseconds()), 60_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "range"
	join.Protocols = append(join.Protocols, p)
	joined, err := join.RequestWith(ctx, cl)
	if err == nil && joined.ErrorCode == kerr.MemberIDRequired.Code {
		join.MemberID = joined.MemberID
		joined, err = join.RequestWith(ctx, cl)
	}
	if err != nil || joined.ErrorCode != 0 {
		t.Fatalf("join: %v, %v", err, joined)
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, joined.MemberID, joined.Generation
	if synced, err := sync.RequestWith(ctx, cl); err != nil || synced.ErrorCode != 0 {
		t.Fatalf("sync: %v, %v", err, synced)
	}
	eventually(t, session+20*time.Second, "the broker drops a member that says nothing", func() bool {
		return len(shares(t, addr, []string{group})[group]) == 0
	})
}

// TestKfakeAloneKeepsGhosts shows the fault that ghosts.go works around. When it fails, kfake has no ghosts any more and
// ghosts.go can be deleted.
func TestKfakeAloneKeepsGhosts(t *testing.T) {
	t.Parallel()
	slow(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(12, ghostTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	addr := cluster.ListenAddrs()[0]
	groups := killJoiners(t, addr)
	silentMember(t, addr, shortSession+3*time.Second) // longer than the sessions: a member that is there now stays
	ghosts := -len(groups)
	for _, members := range shares(t, addr, groups) {
		ghosts += len(members)
	}
	t.Logf("%d of %d consumers that died while joining are still members", ghosts, ghostGroups)
	if ghosts == 0 {
		t.Error("kfake removed every member that died while joining")
	}
}
