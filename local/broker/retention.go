// Which records are trimmed.

package broker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kfake trims a topic only if the topic has a retention setting, and then by age or size alone. It may trim a partition to
// nothing; after a restart the partition's offsets then begin at 0 again, while the groups keep theirs. So the broker trims
// by itself and never trims the newest batch.
const (
	// keepBytes is what a partition keeps of the records that all groups have read: with the topics of pkg/events at
	// most 0.6 GB in all, and about 10,000 events for a person to look back on in each.
	keepBytes = 16 << 20
	// maxBytes is what a partition keeps of records that some group has still to read, or that no group reads, as
	// those of a dead-letter topic. It bounds the folder to some 10 GB, and holds hours of what one machine can write.
	maxBytes = 256 << 20
	// segmentBytes is the step in which space comes back, a quarter of keepBytes.
	segmentBytes = 4 << 20
	// trimEvery is short compared with the time that writing maxBytes takes.
	trimEvery = 15 * time.Second
)

// trimmer keeps the partitions within their bounds.
type trimmer struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	topics  []events.Topic
	log     *slog.Logger
	bounds  bounds
}

// run trims until ctx is done.
func (t *trimmer) run(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := t.trim(ctx); err != nil && ctx.Err() == nil {
				t.log.Error("records are not trimmed", "error", err)
			}
		}
	}
}

// trim trims every partition to its bounds, except that of the audit log's checkpoints.
func (t *trimmer) trim(ctx context.Context) error {
	var groups []*kfake.GroupInfo // looked up when they are needed, which is rare
	for _, topic := range t.topics {
		if topic.Name == events.TopicAuditCheckpoints {
			continue // its retention is unlimited: a lost checkpoint proves nothing any more
		}
		for _, p := range t.cluster.PartitionInfos(topic.Name) {
			if p.NumBytes <= t.bounds.keep {
				continue
			}
			if groups == nil {
				var err error
				if groups, err = t.groups(ctx); err != nil {
					return err
				}
			}
			to, unread := t.bounds.trimTo(p, readBy(groups, topic.Name, p.Partition))
			if to <= p.LogStartOffset {
				continue
			}
			if err := t.cluster.DeleteRecords(topic.Name, p.Partition, to); err != nil {
				return fmt.Errorf("delete records of %s/%d up to %d: %w", topic.Name, p.Partition, to, err)
			}
			if unread {
				t.log.Error("records that were not read by every consumer were deleted: the partition is full",
					"topic", topic.Name, "partition", p.Partition, "up_to", to, "limit_bytes", t.bounds.max)
			}
		}
	}
	return nil
}

// groups are all groups with what they have committed.
func (t *trimmer) groups(ctx context.Context) ([]*kfake.GroupInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, keeperTimeout)
	defer cancel()
	resp, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, t.client)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	all := make([]*kfake.GroupInfo, 0, len(resp.Groups))
	for _, g := range resp.Groups {
		if info := t.cluster.GroupInfo(g.Group); info != nil {
			all = append(all, info)
		}
	}
	return all, nil
}

// readBy is the offset up to which every group that reads the partition has read it, -1 when none does.
func readBy(groups []*kfake.GroupInfo, topic string, partition int32) int64 {
	read := int64(-1)
	for _, g := range groups {
		if c, ok := g.Commits[topic][partition]; ok && (read < 0 || c.Offset < read) {
			read = c.Offset
		}
	}
	return read
}

// bounds are the bytes that a partition keeps: of records that were read by all, and at most.
type bounds struct{ keep, max int64 }

// trimTo is the offset up to which a partition's records should go; unread tells whether some of them were not read by
// every group. Which offset leaves so many bytes is an estimate from the partition's mean.
func (b bounds) trimTo(p *kfake.PartitionInfo, read int64) (to int64, unread bool) {
	leaving := func(bytes int64) int64 {
		if p.NumBytes <= bytes {
			return p.LogStartOffset
		}
		share := float64(p.NumBytes-bytes) / float64(p.NumBytes)
		return p.LogStartOffset + int64(share*float64(p.HighWatermark-p.LogStartOffset))
	}
	to = min(leaving(b.keep), max(read, p.LogStartOffset))
	if must := leaving(b.max); must > to {
		to, unread = must, true
	}
	return min(to, p.HighWatermark-1), unread
}
