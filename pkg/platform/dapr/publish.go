package dapr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	pb "github.com/dapr/dapr/pkg/proto/runtime/v1"
	sdk "github.com/dapr/go-sdk/client"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
)

const (
	contentTypeJSON = "application/json"

	// maxBulkBytes keeps a bulk below the 4 MiB that daprd takes (--max-body-size). A relay caps its batches lower;
	// this is the net beneath it, and a batch above it is sent in parts.
	maxBulkBytes = 3 << 20
	// maxEventBytes is the largest single event that is tried at all. Kafka's own limit, 1 MiB by default, is
	// lower, but it is the operator's to set.
	maxEventBytes = maxBulkBytes
	// maxLoneFailures ends the publishing one by one of what is left of a failed bulk: that many events in a row,
	// of different keys, speak of a broker that is down and not of the events.
	maxLoneFailures = 3
)

// PublishEvent publishes one event, at least once. An event that the broker can never take wraps outbox.ErrRefused.
func (c *Client) PublishEvent(ctx context.Context, topic string, m outbox.Message) error {
	call := "publish to " + topic
	if err := check(m); err != nil {
		return &Error{Call: call, Component: c.cfg.PubSub, Attempts: 0, Err: err}
	}
	return c.do(ctx, call, c.cfg.PubSub, func(ctx context.Context) error { return c.publishOne(ctx, topic, m) })
}

func (c *Client) publishOne(ctx context.Context, topic string, m outbox.Message) error {
	err := c.sdk.PublishEvent(ctx, c.cfg.PubSub, topic, m.Data,
		sdk.PublishEventWithContentType(contentTypeJSON), sdk.PublishEventWithMetadata(c.eventMetadata(m)))
	if err != nil && refusal(err) {
		return refused(err)
	}
	return err
}

// PublishBulk publishes events of one topic, at least once, and returns by event id what went wrong with those that
// are not known to be published. An error that wraps outbox.ErrRefused is the broker's last word on that event. err
// means that no event of msgs is known to be published; trying again later is right.
//
// daprd (1.18) answers a bulk of which one event failed with one error for all and keeps the reason to itself. The
// events of such a bulk are then published one by one, in their order, which finds the event and its reason; those
// that had arrived arrive a second time, with the same id. After a failure the later events of the same key are held
// back, so that no event overtakes another of its key.
//
// It implements outbox.Publisher.
func (c *Client) PublishBulk(ctx context.Context, topic string, msgs []outbox.Message) (map[string]error, error) {
	failed := map[string]error{}
	sent := 0 // events that were taken, or refused for good
	bulks := c.bulks(topic, msgs, failed)
	refusedHere := len(failed)
	for i, b := range bulks {
		n, err := c.publishBulk(ctx, topic, b, failed)
		sent += n
		if err == nil {
			continue
		}
		if sent == 0 && refusedHere == 0 {
			return nil, err
		}
		for _, rest := range bulks[i:] {
			for _, m := range rest.msgs {
				if _, ok := failed[m.EventID]; !ok {
					failed[m.EventID] = err
				}
			}
		}
		break
	}
	return failed, nil
}

// bulk is what goes out in one request.
type bulk struct {
	msgs []outbox.Message
	req  *pb.BulkPublishRequest
	size int
}

// bulks divides msgs, in order, into requests below maxBulkBytes. What can never be sent goes to failed; a second
// copy of an event is left out.
func (c *Client) bulks(topic string, msgs []outbox.Message, failed map[string]error) []*bulk {
	var out []*bulk
	var cur *bulk
	seen := make(map[string]bool, len(msgs))
	for _, m := range msgs {
		if seen[m.EventID] {
			continue
		}
		seen[m.EventID] = true
		if err := check(m); err != nil {
			failed[m.EventID] = &Error{Call: "publish to " + topic, Component: c.cfg.PubSub, Attempts: 0, Err: err}
			continue
		}
		entry := &pb.BulkPublishRequestEntry{
			EntryId:     m.EventID,
			Event:       m.Data,
			ContentType: contentTypeJSON,
			// On the entry, never on the request: daprd copies the request's metadata over every entry's.
			Metadata: c.eventMetadata(m),
		}
		size := proto.Size(entry)
		if cur == nil || cur.size+size > maxBulkBytes {
			cur = &bulk{req: &pb.BulkPublishRequest{PubsubName: c.cfg.PubSub, Topic: topic}}
			out = append(out, cur)
		}
		cur.size += size
		cur.msgs = append(cur.msgs, m)
		cur.req.Entries = append(cur.req.Entries, entry)
	}
	return out
}

// publishBulk sends one request. It returns how many events are settled (taken or refused), puts the others into
// failed, and returns err when none is settled.
func (c *Client) publishBulk(ctx context.Context, topic string, b *bulk, failed map[string]error) (settled int, err error) {
	var entries []*pb.BulkPublishResponseFailedEntry
	err = c.do(ctx, "bulk publish to "+topic, c.cfg.PubSub, func(ctx context.Context) error {
		entries = nil
		res, err := c.bulkCall(ctx, b.req)
		if err != nil {
			if someFailed(err, len(b.msgs)) {
				return final(err) // the next attempt would fail the same way
			}
			return err
		}
		entries = res.GetFailedEntries()
		return nil
	})
	switch {
	case err == nil:
		return len(b.msgs) - c.note(topic, entries, failed), nil
	case ctx.Err() == nil && perEvent(err):
		limit := 1 // all failed: one more failure is enough to say that it is the broker
		if someFailed(err, len(b.msgs)) {
			limit = maxLoneFailures
		}
		return c.publishEach(ctx, topic, b.msgs, limit, failed)
	default:
		return 0, err
	}
}

// bulkCall is the SDK's PublishEvents without its losses: see the package comment.
func (c *Client) bulkCall(ctx context.Context, req *pb.BulkPublishRequest) (*pb.BulkPublishResponse, error) {
	return c.sdk.GrpcClient().BulkPublishEvent(ctx, req)
}

// note records the entries that a sidecar reported one by one and returns how many of them may be tried again.
func (c *Client) note(topic string, entries []*pb.BulkPublishResponseFailedEntry, failed map[string]error) (open int) {
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

// publishEach publishes one by one and gives up after limit failures in a row that are not refusals.
func (c *Client) publishEach(ctx context.Context, topic string, msgs []outbox.Message, limit int, failed map[string]error) (settled int, err error) {
	heldBy := map[string]string{} // by key: the event that failed and holds back the later ones
	failures := 0
	for _, m := range msgs {
		if failures >= limit || ctx.Err() != nil {
			failed[m.EventID] = c.notTried(topic, "the events before it failed", errors.Join(err, ctx.Err()))
			continue
		}
		if first, held := heldBy[m.Key]; held && m.Key != "" {
			failed[m.EventID] = c.notTried(topic, "held back behind event "+first+" of the same key", failed[first])
			continue
		}
		attemptCtx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		lone := c.publishOne(attemptCtx, topic, m)
		cancel()
		if lone == nil {
			settled++
			failures = 0
			continue
		}
		lone = &Error{Call: "publish to " + topic, Component: c.cfg.PubSub, Attempts: 1, Err: lone}
		failed[m.EventID] = lone
		if errors.Is(lone, outbox.ErrRefused) {
			settled++
			failures = 0
			continue
		}
		err = lone
		failures++
		heldBy[m.Key] = m.EventID
	}
	if settled > 0 {
		return settled, nil
	}
	return 0, err
}

func (c *Client) notTried(topic, why string, cause error) error {
	return &Error{Call: "publish to " + topic, Component: c.cfg.PubSub, Attempts: 0, Err: fmt.Errorf("%s: %w", why, cause)}
}

// eventMetadata is what daprd makes the CloudEvent and the Kafka key of.
func (c *Client) eventMetadata(m outbox.Message) map[string]string {
	md := map[string]string{"cloudevent.id": m.EventID}
	for k, v := range map[string]string{
		"partitionKey":       m.Key,
		"cloudevent.type":    m.Type,
		"cloudevent.source":  c.cfg.Source,
		"cloudevent.subject": m.Subject,
	} {
		if v != "" {
			md[k] = v
		}
	}
	if validTraceParent(m.TraceParent) {
		md["cloudevent.traceparent"] = m.TraceParent
	}
	return md
}

func validTraceParent(s string) bool {
	if s == "" {
		return false
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": s})
	return trace.SpanContextFromContext(ctx).IsValid()
}

// check refuses what no sidecar can take, or what would do harm on the way: the metadata becomes Kafka headers and,
// at the other end, HTTP headers, where a newline makes the delivery impossible and blocks its partition for good.
func check(m outbox.Message) error {
	switch {
	case m.EventID == "":
		return refused(errors.New("the event has no id"))
	case len(m.Data) > maxEventBytes:
		return refused(fmt.Errorf("the event has %d bytes, more than %d", len(m.Data), maxEventBytes))
	case !json.Valid(m.Data):
		return refused(errors.New("the event is not JSON"))
	}
	for _, f := range [...]struct{ name, value string }{{"id", m.EventID}, {"key", m.Key}, {"type", m.Type}, {"subject", m.Subject}} {
		if i := strings.IndexFunc(f.value, func(r rune) bool { return r < 0x20 || r == 0x7f }); i >= 0 {
			return refused(fmt.Errorf("the event's %s has a control character at byte %d", f.name, i))
		}
	}
	return nil
}

// perEvent tells whether an error for a whole bulk may be the fault of single events in it.
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

// someFailed tells whether the text says that some, not all, of a bulk's events failed. It is the only trace that
// sarama's ProducerErrors leaves in daprd's answer.
func someFailed(err error, total int) bool {
	var n int
	_, tail, ok := strings.Cut(err.Error(), "Failed to deliver ")
	if !ok {
		return false
	}
	if _, err := fmt.Sscanf(tail, "%d messages", &n); err != nil {
		return false
	}
	return n < total
}
