// Package replicagroups removes the consumer groups of replicas that are gone.
//
// Each replica of a service with a public side has a group of its own, named after its pod (dapr-components/kafka-fanout.yaml), to
// get the events that every replica gets. In a cluster each new pod has
// a new name, so the groups of earlier pods stay in Kafka: with a lag that only grows, and with the broker of `make up` also
// with the records that they have not read. A replica cannot remove its group itself: it speaks to Kafka through its sidecar
// only, which is a member until it ends.
//
// Promises: a group is removed only if it has the prefix of the replicas, has committed nothing but the topics that replicas
// read, and had no member in any round of an hour. Kafka itself refuses to remove a group with members. A replica that comes
// back after its group was removed loses nothing: it asks the services that keep what it missed.
package replicagroups

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/pkg/events"
)

const (
	// prefix begins the names of the replicas' groups. The websocket service had such groups first.
	prefix = "ws-"
	// keep is how long a group without members stays: far longer than a sidecar takes to restart, and short compared with the
	// days in which a cluster replaces its pods a few times.
	keep = time.Hour
	// every is the time between two rounds. A round costs three small requests.
	every = time.Minute
	// roundTimeout bounds one round.
	roundTimeout = 20 * time.Second
)

// topics are what replicas read.
var topics = []string{events.TopicTaskUpdates, events.TopicNotifications, events.TopicAccountEvents}

// Cleaner removes the groups from one Kafka cluster. It may run more than once in a cluster.
type Cleaner struct {
	admin *kadm.Client
	log   *slog.Logger
	now   func() time.Time
	empty map[string]time.Time // the groups without members, and when that was first seen
}

// New returns a cleaner for the cluster of client.
func New(client *kgo.Client, log *slog.Logger) *Cleaner {
	return &Cleaner{admin: kadm.NewClient(client), log: log, now: time.Now, empty: map[string]time.Time{}}
}

// Run makes rounds until ctx is done. It logs the first of the rounds in a row that fail; the next one does their work.
func (c *Cleaner) Run(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		removed, err := c.Round(ctx)
		if len(removed) > 0 {
			c.log.InfoContext(ctx, "removed the consumer groups of replicas that are gone", "groups", removed)
		}
		if err != nil && !failing && ctx.Err() == nil {
			c.log.WarnContext(ctx, "the consumer groups of gone replicas cannot be removed; the next round tries again", "error", err.Error())
		}
		failing = err != nil
	}
}

// Round looks at every group of a replica once, and returns the names of those that it removed.
func (c *Cleaner) Round(ctx context.Context) (removed []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	names, err := c.withoutMembers(ctx)
	if err != nil {
		return nil, err
	}
	due := c.due(names)
	if len(due) == 0 {
		return nil, nil
	}
	due, unread := c.ours(ctx, due)
	if len(due) == 0 {
		return nil, unread
	}
	answers, err := c.admin.DeleteGroups(ctx, due...)
	if err != nil {
		return nil, fmt.Errorf("remove groups: %w", err)
	}
	problems := []error{unread}
	for _, a := range answers.Sorted() {
		switch {
		case a.Err == nil:
			removed = append(removed, a.Group)
			delete(c.empty, a.Group)
		case errors.Is(a.Err, kerr.NonEmptyGroup), errors.Is(a.Err, kerr.GroupIDNotFound): // a replica came back, or another cleaner was first
			delete(c.empty, a.Group)
		default:
			problems = append(problems, fmt.Errorf("remove group %s: %w", a.Group, a.Err))
		}
	}
	return removed, errors.Join(problems...)
}

// withoutMembers returns the groups with the prefix that have no member.
func (c *Cleaner) withoutMembers(ctx context.Context) ([]string, error) {
	listed, err := c.admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	names := slices.DeleteFunc(listed.Groups(), func(name string) bool { return !strings.HasPrefix(name, prefix) })
	if len(names) == 0 {
		return nil, nil
	}
	described, err := c.admin.DescribeGroups(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("describe groups: %w", err)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		g, ok := described[name]
		return !ok || g.Err != nil || g.State != "Empty" || len(g.Members) > 0
	}), nil
}

// due records the groups without members, and returns those that have been without for long enough.
func (c *Cleaner) due(names []string) (due []string) {
	now := c.now()
	for name := range c.empty {
		if !slices.Contains(names, name) {
			delete(c.empty, name)
		}
	}
	for _, name := range names {
		since, known := c.empty[name]
		switch {
		case !known:
			c.empty[name] = now
		case now.Sub(since) >= keep:
			due = append(due, name)
		}
	}
	return due
}

// ours returns the groups that have committed nothing but the topics of replicas. Another application of the same Kafka may use
// the prefix too.
func (c *Cleaner) ours(ctx context.Context, names []string) ([]string, error) {
	committed := c.admin.FetchManyOffsets(ctx, names...)
	var ours []string
	var problems []error
	for _, name := range names {
		of := committed[name]
		if of.Err != nil {
			problems = append(problems, fmt.Errorf("read the offsets of group %s: %w", name, of.Err))
			continue
		}
		foreign := false
		for topic := range of.Fetched {
			foreign = foreign || !slices.Contains(topics, topic)
		}
		if !foreign {
			ours = append(ours, name)
		}
	}
	return ours, errors.Join(problems...)
}
