package consumers

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// This file decides what counts as lag.

// Lag is how far behind a consumer is.
type Lag struct {
	Group   string `json:"group"`
	Topic   string `json:"topic"`
	Members int    `json:"members"` // 0: no process of the service consumes
	Lag     int64  `json:"lag"`     // events that are not acknowledged
	// NoTopic means that the topic does not exist. Lag is 0 then.
	NoTopic bool `json:"no_topic,omitempty"`
}

// ErrNoTopic means that the topic of a consumer does not exist, so the cluster is not one of Taskwire, or not prepared yet.
var ErrNoTopic = errors.New("the topic does not exist")

// Lags returns the current lag of each consumer, in the order of All.
func (c *Client) Lags(ctx context.Context) ([]Lag, error) {
	ends, err := c.ends(ctx)
	if err != nil {
		return nil, err
	}
	// A group that does not exist is described as one without members.
	described, err := c.admin.DescribeGroups(ctx, groups()...)
	if err != nil {
		return nil, fmt.Errorf("ask for the consumer groups: %w", err)
	}
	read, err := c.progress(ctx)
	if err != nil {
		return nil, err
	}
	var lags []Lag
	for _, consumer := range All() {
		g := described[consumer.Group]
		if g.Err != nil && !errors.Is(g.Err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("ask for the consumer group %s: %w", consumer.Group, g.Err)
		}
		n, err := read.lag(consumer, ends)
		if err != nil && !errors.Is(err, ErrNoTopic) {
			return nil, err
		}
		lags = append(lags, Lag{consumer.Group, consumer.Topic, len(g.Members), n, err != nil})
	}
	return lags, nil
}

// ends returns the end of each partition of the topics that are consumed.
func (c *Client) ends(ctx context.Context) (kadm.ListedOffsets, error) {
	ends, err := c.admin.ListEndOffsets(ctx, topics()...)
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of the topics: %w", err)
	}
	return ends, nil
}

// progress is how far each consumer has come.
type progress struct {
	starts    kadm.ListedOffsets              // the oldest event of each partition: retention removed the ones before
	committed map[string]kadm.OffsetResponses // by group
}

func (c *Client) progress(ctx context.Context) (p progress, err error) {
	if p.starts, err = c.admin.ListStartOffsets(ctx, topics()...); err != nil {
		return p, fmt.Errorf("ask for the starts of the topics: %w", err)
	}
	p.committed = map[string]kadm.OffsetResponses{}
	for _, group := range groups() {
		p.committed[group], err = c.admin.FetchOffsets(ctx, group)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // a group that has never joined has acknowledged nothing
			return p, fmt.Errorf("ask for the offsets of %s: %w", group, err)
		}
	}
	return p, nil
}

// lag returns how many events up to ends the consumer has not acknowledged: where it never committed, the whole partition.
// Events that retention removed do not count.
func (p progress) lag(consumer Consumer, ends kadm.ListedOffsets) (n int64, err error) {
	for partition, end := range ends[consumer.Topic] {
		start := p.starts[consumer.Topic][partition]
		committed, ok := p.committed[consumer.Group].Lookup(consumer.Topic, partition)
		switch err := errors.Join(end.Err, start.Err, committed.Err); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return 0, fmt.Errorf("%s: %w", consumer.Topic, ErrNoTopic)
		case err != nil:
			return 0, fmt.Errorf("ask for partition %d of %s: %w", partition, consumer.Topic, err)
		}
		at := start.Offset
		if ok {
			at = max(at, committed.At)
		}
		n += max(0, end.Offset-at)
	}
	return n, nil
}
