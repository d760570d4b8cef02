// Which group members are removed, and when.

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
//   - Ghosts. A member that waits for the answer to its JoinGroup has no session timer. The function reply starts the timer,
//     but returns earlier if the connection is gone. Such a ghost stays in the group for ever, and nobody reads its
//     partitions. A ghost's connection is closed, and its last request was a JoinGroup. It is removed with a LeaveGroup.
//
//   - Lost waiters. A member that joins again keeps the timer of its last heartbeat. If the others need longer than its
//     session timeout, it is removed without an answer and hangs until its own read timeout. While its connection is open,
//     a heartbeat is sent on its behalf, which restarts the timer.
//
//   - Blockers. A group waits for its members to join for their rebalance timeout, 60 s. But each JoinGroup restarts that
//     time, and daprd sends one every 30 s. A member that cannot join, because its delivery fails again and again, keeps
//     the others out for ever. It is removed after rebalanceLimit.
//
// Other members whose connection is gone are removed too, before their session ends. On one machine only a dead process
// leaves a connection closed for longer than a new one takes.
//
// A member that may be waiting in SyncGroup is not touched. It has a timer, and its removal would make kfake's count of
// joining members wrong.
const (
	// sweepEvery bounds how late a ghost is noticed.
	sweepEvery = 500 * time.Millisecond
	// ghostGrace lets a client whose connection broke during a join come back with its member id.
	ghostGrace = time.Second
	// deadGrace is longer than the 3 s between two heartbeats of daprd and of Kafka clients in general.
	deadGrace = 4 * time.Second
	// nudgeAfter is well below 6 s, the shortest session timeout that kfake accepts.
	nudgeAfter = 2 * time.Second
	// nudgeFor is the rebalance timeout of Kafka and daprd. After it no JoinGroup waits any more.
	nudgeFor = time.Minute
	// rebalanceLimit is longer than the 15 s for which a sidecar waits for its app. A member that loses its partitions during
	// a delivery gets the event again, as with Kafka after 60 s.
	rebalanceLimit = 20 * time.Second
	// preparing and completing are kfake's names for the states in which a group waits for its members to join and to sync.
	preparing  = "PreparingRebalance"
	completing = "CompletingRebalance"
)

// ghosts keeps dead and stuck members out of the broker's groups.
type ghosts struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	track   *tracker
	log     *slog.Logger
	limit   time.Duration        // rebalanceLimit; shorter in tests
	waits   map[string]joinPhase // by the group that waits for its members to join
}

// joinPhase is a group's wait for its members to join.
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
					g.log.Warn("group member cannot be checked", "group", group, "member", m.MemberID, "error", err)
				}
			}
		}
		g.track.prune(group, members, now)
	}
}

// note records when a group began to wait for its members to join.
func (g *ghosts) note(info *kfake.GroupInfo, now time.Time) {
	if info.State != preparing {
		delete(g.waits, info.Group)
		return
	}
	if phase, ok := g.waits[info.Group]; !ok || phase.generation != info.Epoch {
		g.waits[info.Group] = joinPhase{info.Epoch, now}
	}
}

// look removes m if it is dead or stuck, and sends a heartbeat for it if it waits.
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
	case waited >= g.limit && state.known && (!joining || state.since > waited+time.Second): // a JoinGroup of an earlier generation does not count
		g.log.Warn("removing a member that keeps its group from assigning partitions", "group", info.Group,
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
	// The answer is meant for the member: that a rebalance is in progress, or that the generation has ended.
	if _, err := req.RequestWith(ctx, g.client); err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	return nil
}
