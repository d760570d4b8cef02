package replicagroups

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/pkg/events"
)

// patience bounds how long a test waits for the broker.
const patience = 30 * time.Second

// rig is a broker in memory, with a cleaner whose clock the test sets.
type rig struct {
	t       *testing.T
	cluster *kfake.Cluster
	addr    string
	admin   *kadm.Client
	cleaner *Cleaner
	clock   time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, append(slices.Clone(topics), events.TopicTaskEvents)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	r := &rig{t: t, cluster: cluster, addr: cluster.ListenAddrs()[0], clock: time.Unix(1_800_000_000, 0)}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	r.admin, r.cleaner = kadm.NewClient(client), New(client, slog.New(slog.DiscardHandler))
	r.cleaner.now = func() time.Time { return r.clock }
	return r
}

// commit makes a group without members that has committed offsets of a topic.
func (r *rig) commit(group, topic string) {
	r.t.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 0, -1)
	if err := r.admin.CommitAllOffsets(r.t.Context(), group, offsets); err != nil {
		r.t.Fatalf("commit offsets of %s: %v", group, err)
	}
}

// join makes a group with a member, which leaves when leave is called.
func (r *rig) join(group, topic string) (leave func()) {
	r.t.Helper()
	joined := make(chan struct{}, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(r.addr), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			select {
			case joined <- struct{}{}:
			default:
			}
		}))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(client.Close)
	select {
	case <-joined:
	case <-time.After(patience):
		r.t.Fatalf("group %s: no member joined", group)
	}
	return client.Close
}

// round moves the clock and makes a round, which must remove the given groups.
func (r *rig) round(after time.Duration, want ...string) {
	r.t.Helper()
	r.clock = r.clock.Add(after)
	got, err := r.cleaner.Round(r.t.Context())
	if err != nil || !slices.Equal(got, want) {
		r.t.Errorf("Round: removed %v (%v), want %v", got, err, want)
	}
}

func (r *rig) groups() []string {
	r.t.Helper()
	listed, err := r.admin.ListGroups(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return listed.Groups()
}

func TestOnlyGroupsOfGoneReplicasAreRemoved(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("ws-gone-7f9c", events.TopicTaskUpdates)
	r.commit("ws-gone-7f9c", events.TopicNotifications)
	r.commit("ws-gone-too", events.TopicNotifications)
	r.commit("audit", events.TopicTaskEvents)        // an app whose process is away
	r.commit("news-reader", events.TopicTaskUpdates) // the prefix is not at the beginning
	r.commit("ws-proxy", events.TopicTaskEvents)     // another application of the same Kafka
	r.join("ws-here", events.TopicTaskUpdates)
	r.round(0)
	r.round(keep - time.Second)
	r.round(time.Second, "ws-gone-7f9c", "ws-gone-too")
	r.round(keep)
	if got, want := r.groups(), []string{"audit", "news-reader", "ws-here", "ws-proxy"}; !slices.Equal(got, want) {
		t.Errorf("groups: got %v, want %v", got, want)
	}
}

// A sidecar that restarts, or that is away for less than an hour at a time, keeps its group.
func TestAGroupThatHadAMemberInBetweenStays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("ws-restarts", events.TopicTaskUpdates)
	r.round(0)
	leave := r.join("ws-restarts", events.TopicTaskUpdates)
	r.round(keep)
	leave()
	r.waitEmpty("ws-restarts")
	r.round(time.Second)
	r.round(keep - time.Second)
	r.round(time.Second, "ws-restarts")
}

func (r *rig) waitEmpty(group string) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) { // a pause between polls
		described, err := r.admin.DescribeGroups(r.t.Context(), group)
		if err == nil && described[group].State == "Empty" {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("group %s is not empty: %v, %v", group, described, err)
		}
	}
}

// A member may join between the look and the removal. Then Kafka refuses, and the group counts as used.
func TestAReplicaThatComesBackKeepsItsGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("ws-back", events.TopicTaskUpdates)
	r.round(0)
	r.cluster.ControlKey(int16(kmsg.DeleteGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		answer := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
		group := kmsg.NewDeleteGroupsResponseGroup()
		group.Group, group.ErrorCode = "ws-back", kerr.NonEmptyGroup.Code
		answer.Groups = append(answer.Groups, group)
		return answer, nil, true
	})
	r.round(keep)
	r.round(keep - time.Second)
	r.round(time.Second)
	r.round(keep, "ws-back")
}

func TestARoundThatMayNotRemoveSaysSo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.commit("ws-gone", events.TopicTaskUpdates)
	r.round(0)
	r.cluster.ControlKey(int16(kmsg.DeleteGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		answer := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
		group := kmsg.NewDeleteGroupsResponseGroup()
		group.Group, group.ErrorCode = "ws-gone", kerr.GroupAuthorizationFailed.Code
		answer.Groups = append(answer.Groups, group)
		return answer, nil, true
	})
	r.clock = r.clock.Add(keep)
	if removed, err := r.cleaner.Round(t.Context()); err == nil || len(removed) > 0 || !strings.Contains(err.Error(), "ws-gone") {
		t.Errorf("Round without the right: removed %v (%v), want an error that names the group", removed, err)
	}
	r.round(0, "ws-gone") // the right was given
}

// The component decides the names of the groups and the topics; this package has to follow it.
func TestTheComponentNamesTheGroupsWithThePrefix(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../dapr-components/kafka-fanout.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var component struct {
		Spec struct {
			Metadata []struct{ Name, Value string }
		}
	}
	if err := yaml.Unmarshal(raw, &component); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, m := range component.Spec.Metadata {
		settings[m.Name] = m.Value
	}
	if got, want := settings["consumerGroup"], prefix+"{podName}"; got != want {
		t.Errorf("consumerGroup: got %q, want %q", got, want)
	}
	var read []string
	for _, app := range strings.Split(settings["subscriptionScopes"], ";") {
		_, of, _ := strings.Cut(app, "=")
		read = append(read, strings.Split(of, ",")...)
	}
	slices.Sort(read)
	if got, want := slices.Compact(read), slices.Sorted(slices.Values(topics)); !slices.Equal(got, want) {
		t.Errorf("the topics in subscriptionScopes: got %v, want %v", got, want)
	}
}
