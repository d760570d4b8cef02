package broker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Three faults of kfake's group coordinator (groups.go of the version in go.mod) keep partitions from live consumers:
//
//   - A member that waits for the answer to its JoinGroup has no session timer; reply starts it, but returns before
//     when the connection is gone. Such a ghost stays in the group for good and its share of the partitions is read by
//     nobody. Its connection tells: it is closed, and the last that came on it was the JoinGroup. The ghost is taken
//     out with a LeaveGroup.
//
//   - A member that joins again keeps the timer of its last heartbeat, so when the others need longer than its session
//     timeout it is removed without an answer and hangs until its own read timeout. While its connection is open a
//     heartbeat is sent on its behalf, which sets the timer anew.
//
//   - A group waits for its members to join for as long as their rebalance timeout says, 60 s; but each JoinGroup begins
//     that time anew, and daprd sends one every 30 s. A member that cannot join, because it is in the middle of a delivery
//     that fails again and again, then keeps the others out for ever. It is taken out after rebalanceLimit.
//
// Other members whose connection is gone are taken out too, sooner than their session would end: on one machine nothing
// but a dead process closes a connection for longer than it takes to make a new one.
//
// A member that may be waiting in SyncGroup is left alone: kfake gave it a timer, and removing it there would upset
// kfake's count of the members that are joining.
const (
	// sweepEvery bounds how late a ghost is noticed.
	sweepEvery = 500 * time.Millisecond
	// ghostGrace lets a client whose connection broke while it joined come back under its member id.
	ghostGrace = time.Second
	// deadGrace is longer than daprd, as any Kafka client, takes between two heartbeats: 3 s.
	deadGrace = 4 * time.Second
	// nudgeAfter is well below 6 s, the shortest session timeout that kfake takes.
	nudgeAfter = 2 * time.Second
	// nudgeFor is Kafka's and daprd's rebalance timeout, after which no JoinGroup is waiting any more.
	nudgeFor = time.Minute
	// rebalanceLimit is longer than the 15 s for which a sidecar waits for its app. Whoever loses its partitions in the
	// middle of a delivery is no worse off than with Kafka, which allows it 60 s: the event is delivered again.
	rebalanceLimit = 20 * time.Second
	// kfake's names for the states in which a group waits for its members to join, and to sync.
	preparing  = "PreparingRebalance"
	completing = "CompletingRebalance"
)

// ghosts keeps the broker's groups free of members that are gone.
type ghosts struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	track   *tracker
	log     *slog.Logger
	limit   time.Duration        // rebalanceLimit; shorter in tests
	waits   map[string]joinPhase // of the groups that wait for their members to join
}

// joinPhase is since when a group waits for its members to join, and in which generation.
type joinPhase struct {
	generation int32
	since      time.Time
}

// run sweeps until ctx is done.
func (g *ghosts) run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.sweep(ctx)
		}
	}
}

func (g *ghosts) sweep(ctx context.Context) {
	for _, group := range g.track.joined() {
		now := time.Now()
		members := map[string]bool{}
		if info := g.cluster.GroupInfo(group); info != nil {
			g.note(info, now)
			for i := range info.Members {
				m := &info.Members[i]
				members[m.MemberID] = true
				if err := g.look(ctx, info, m, now); err != nil && ctx.Err() == nil {
					g.log.Warn("group member is not looked after", "group", group, "member", m.MemberID, "error", err)
				}
			}
		}
		g.track.prune(group, members, now)
	}
}

// note keeps since when a group waits for its members to join.
func (g *ghosts) note(info *kfake.GroupInfo, now time.Time) {
	if info.State != preparing {
		delete(g.waits, info.Group)
		return
	}
	if phase, ok := g.waits[info.Group]; !ok || phase.generation != info.Epoch {
		g.waits[info.Group] = joinPhase{info.Epoch, now}
	}
}

// look removes m when it is a ghost, and keeps it when it waits and lives.
func (g *ghosts) look(ctx context.Context, info *kfake.GroupInfo, m *kfake.GroupMember, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, keeperTimeout)
	defer cancel()
	state := g.track.state(info.Group, m.MemberID, m.ClientHost, now)
	joining := state.last == kmsg.JoinGroup
	syncing := state.last == kmsg.SyncGroup && info.State == completing
	switch {
	case state.gone && joining && state.since >= ghostGrace, state.gone && !syncing && state.since >= deadGrace:
		g.log.Info("removing a member that died", "group", info.Group, "member", m.MemberID, "joining", joining,
			"partitions", m.NumAssigned(), "gone_ms", state.since.Milliseconds())
		return g.leave(ctx, info.Group, m)
	case state.gone || info.State != preparing:
		return nil
	}
	waited := now.Sub(g.waits[info.Group].since)
	switch {
	case waited >= g.limit && state.known && (!joining || state.since > waited+time.Second): // a JoinGroup from before does not count
		g.log.Warn("removing a member that keeps its group from sharing out the partitions", "group", info.Group,
			"member", m.MemberID, "waited_ms", waited.Milliseconds())
		return g.leave(ctx, info.Group, m)
	case joining && state.since >= nudgeAfter && state.since < nudgeFor:
		return g.heartbeat(ctx, info, m)
	}
	return nil
}

func (g *ghosts) leave(ctx context.Context, group string, m *kfake.GroupMember) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = m.MemberID
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, g.client)
	if err != nil {
		return fmt.Errorf("leave group: %w", err)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return fmt.Errorf("leave group: %w", err)
	}
	for _, r := range resp.Members {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil && r.ErrorCode != kerr.UnknownMemberID.Code {
			return fmt.Errorf("leave group: %w", err)
		}
	}
	return nil
}

func (g *ghosts) heartbeat(ctx context.Context, info *kfake.GroupInfo, m *kfake.GroupMember) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID = info.Group, info.Epoch, m.MemberID, m.InstanceID
	// Whatever it answers is meant for the member: the rebalance in progress, or that the group has moved on.
	if _, err := req.RequestWith(ctx, g.client); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}
