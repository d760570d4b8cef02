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

// Two faults of kfake's group coordinator (groups.go of the version in go.mod) that keep partitions from live
// consumers, and what is done about them:
//
//   - A member that waits for the answer to its JoinGroup has no session timer; reply starts it, but returns before
//     when the connection is gone. Such a ghost stays in the group for good and its share of the partitions is read by
//     nobody. Its connection tells: it is closed, and the last that came on it was the JoinGroup. The ghost is taken
//     out with a LeaveGroup.
//   - A member that joins again keeps the timer of its last heartbeat, so when the others need longer than its session
//     timeout it is removed without an answer and hangs until its own read timeout. While its connection is open a
//     heartbeat is sent on its behalf, which sets the timer anew.
//
// A member that waits in SyncGroup is left alone: kfake gave it a timer, and removing it there would upset kfake's
// count of the members that are joining.
const (
	// sweepEvery bounds how late a ghost is noticed.
	sweepEvery = 500 * time.Millisecond
	// ghostGrace lets a client whose connection broke come back under its member id.
	ghostGrace = time.Second
	// nudgeAfter is well below 6 s, the shortest session timeout that kfake takes.
	nudgeAfter = 2 * time.Second
	// nudgeFor is Kafka's and daprd's rebalance timeout, after which no JoinGroup is waiting any more.
	nudgeFor = time.Minute
	// preparing is kfake's name for the state in which a group waits for its members to join.
	preparing = "PreparingRebalance"
)

// ghosts keeps the broker's groups free of members that are gone.
type ghosts struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	track   *tracker
	log     *slog.Logger
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

// look removes m when it is a ghost, and keeps it when it waits and lives.
func (g *ghosts) look(ctx context.Context, info *kfake.GroupInfo, m *kfake.GroupMember, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, keeperTimeout)
	defer cancel()
	switch waiting, gone := g.track.joining(info.Group, m.MemberID, m.ClientHost, now); {
	case gone >= ghostGrace:
		g.log.Info("removing a member that died while joining", "group", info.Group, "member", m.MemberID,
			"partitions", m.NumAssigned(), "gone_ms", gone.Milliseconds())
		return g.leave(ctx, info.Group, m)
	case waiting >= nudgeAfter && waiting < nudgeFor && info.State == preparing:
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
