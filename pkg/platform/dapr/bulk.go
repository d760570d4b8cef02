package dapr

// This file decides what happens to each event of a bulk when a part of it, or all of it, fails.

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	pb "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	// maxBulkBytes keeps a request below the 4 MiB that daprd takes (--max-body-size). A relay caps its bulks lower. A
	// larger bulk is sent in several requests.
	maxBulkBytes = 3 << 20
	// maxLoneFailures ends the publishing one by one after a failed bulk: that many failures in a row, of different
	// keys, mean that the broker is down and not that the events are bad.
	maxLoneFailures = 3
)

// PublishBulk publishes events of one topic, at least once. failed holds, by event id, the error of each event that is
// not known to be published; one that wraps ErrRefused means that the broker can never take that event. err means that
// no event is known to be published and that a later call can succeed.
//
// daprd (1.18) answers a bulk of which one event failed with one error for all and without the reason. The events of
// such a bulk are then published one by one, in order, which finds the failed event and its reason. Events that had
// arrived arrive a second time, with the same id. After a failure the later events of the same key are held back, so
// that none of them overtakes it.
func (c *Client) PublishBulk(ctx context.Context, topic string, events []Event) (failed map[string]error, err error) {
	failed = map[string]error{}
	settled := 0 // events that were taken, or refused for good
	bulks := c.bulks(topic, events, failed)
	refusedHere := len(failed)
	for i, b := range bulks {
		n, err := c.publishBulk(ctx, topic, b, failed)
		settled += n
		if err == nil {
			continue
		}
		if settled == 0 && refusedHere == 0 {
			return nil, err
		}
		for _, unsent := range bulks[i:] {
			for _, e := range unsent.events {
				if _, ok := failed[e.ID]; !ok {
					failed[e.ID] = err
				}
			}
		}
		break
	}
	return failed, nil
}

// bulk is the content of one request.
type bulk struct {
	events []Event
	req    *pb.BulkPublishRequest
	size   int // bytes
}

// bulks divides events, in order, into requests below maxBulkBytes. Events that can never be sent go to failed. A
// repeated event is left out.
func (c *Client) bulks(topic string, events []Event, failed map[string]error) []*bulk {
	var all []*bulk
	var cur *bulk
	seen := make(map[string]bool, len(events))
	for _, e := range events {
		if seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		if err := e.check(); err != nil {
			failed[e.ID] = &Error{Call: "publish to " + topic, Component: c.cfg.PubSub, Attempts: 0, Err: err}
			continue
		}
		entry := &pb.BulkPublishRequestEntry{
			EntryId:     e.ID,
			Event:       e.Data,
			ContentType: contentTypeJSON,
			// On the entry and not on the request: daprd copies the request's metadata over every entry's.
			Metadata: e.metadata(c.cfg.Source),
		}
		size := proto.Size(entry)
		if cur == nil || cur.size+size > maxBulkBytes {
			cur = &bulk{req: &pb.BulkPublishRequest{PubsubName: c.cfg.PubSub, Topic: topic}}
			all = append(all, cur)
		}
		cur.size += size
		cur.events = append(cur.events, e)
		cur.req.Entries = append(cur.req.Entries, entry)
	}
	return all
}

// publishBulk sends one request. It returns how many events are settled (taken or refused), puts the others into
// failed, and returns err when none is settled.
func (c *Client) publishBulk(ctx context.Context, topic string, b *bulk, failed map[string]error) (settled int, err error) {
	var entries []*pb.BulkPublishResponseFailedEntry
	err = c.do(ctx, "bulk publish to "+topic, c.cfg.PubSub, func(ctx context.Context) error {
		entries = nil
		// The SDK's PublishEvents loses the reasons: see the package comment.
		res, err := c.sdk.GrpcClient().BulkPublishEvent(ctx, b.req)
		if err != nil {
			if someFailed(err, len(b.events)) {
				return final(err) // the next attempt would fail in the same way
			}
			return err
		}
		entries = res.GetFailedEntries()
		return nil
	})
	switch {
	case err == nil:
		return len(b.events) - c.recordFailures(topic, entries, failed), nil
	case ctx.Err() == nil && perEvent(err):
		limit := 1 // all failed: one more failure is enough to tell that the broker is down
		if someFailed(err, len(b.events)) {
			limit = maxLoneFailures
		}
		return c.publishEach(ctx, topic, b.events, limit, failed)
	default:
		return 0, err
	}
}

// recordFailures puts the entries that the sidecar reports one by one into failed. It returns how many of them can be
// tried again.
func (c *Client) recordFailures(topic string, entries []*pb.BulkPublishResponseFailedEntry, failed map[string]error) (open int) {
	for _, e := range entries {
		err := errors.New(e.GetError())
		if refusalText(e.GetError()) {
			err = refused(err)
		} else {
			open++
		}
		failed[e.GetEntryId()] = &Error{Call: "bulk publish to " + topic, Component: c.cfg.PubSub, Attempts: 1, Err: err}
	}
	return open
}

// publishEach publishes the events one by one. It gives up after limit failures in a row that are not refusals.
func (c *Client) publishEach(ctx context.Context, topic string, events []Event, limit int, failed map[string]error) (settled int, err error) {
	heldBy := map[string]string{} // key to the id of its failed event, which holds back the later ones
	failures := 0
	for _, e := range events {
		if failures >= limit || ctx.Err() != nil {
			failed[e.ID] = c.notTried(topic, "the events before it failed", errors.Join(err, ctx.Err()))
			continue
		}
		if first, held := heldBy[e.Key]; held && e.Key != "" {
			failed[e.ID] = c.notTried(topic, "held back behind event "+first+" of the same key", failed[first])
			continue
		}
		attemptCtx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		lone := c.publishOne(attemptCtx, topic, e)
		cancel()
		if lone == nil {
			settled++
			failures = 0
			continue
		}
		lone = &Error{Call: "publish to " + topic, Component: c.cfg.PubSub, Attempts: 1, Err: lone}
		failed[e.ID] = lone
		if errors.Is(lone, ErrRefused) {
			settled++
			failures = 0
			continue
		}
		err = lone
		failures++
		heldBy[e.Key] = e.ID
	}
	if settled > 0 {
		return settled, nil
	}
	return 0, err
}

func (c *Client) notTried(topic, why string, cause error) error {
	return &Error{Call: "publish to " + topic, Component: c.cfg.PubSub, Attempts: 0, Err: fmt.Errorf("%s: %w", why, cause)}
}

// perEvent reports whether single events can be the cause of an error for a whole bulk.
func perEvent(err error) bool {
	s, ok := status.FromError(err)
	if !ok || isConfiguration(err) {
		return false
	}
	switch s.Code() {
	case codes.Internal, codes.InvalidArgument, codes.ResourceExhausted:
		return true
	default:
		return false
	}
}

// producerErrors is the text of sarama's ProducerErrors. daprd's answer keeps nothing else of it.
var producerErrors = regexp.MustCompile(`Failed to deliver (\d+) messages`)

// someFailed reports whether err says that some, but not all, of a bulk's total events failed.
func someFailed(err error, total int) bool {
	match := producerErrors.FindStringSubmatch(err.Error())
	if match == nil {
		return false
	}
	n, err := strconv.Atoi(match[1])
	return err == nil && n < total
}
