package subscribe

// This file decides how a delivery ends.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/tracecontext"
	"github.com/taskwire/taskwire/pkg/platform/transient"
)

// The answers to daprd, always with status 200. Another status means RETRY, or that the event is dropped.
var (
	answerSuccess = []byte(`{"status":"SUCCESS"}`)
	answerRetry   = []byte(`{"status":"RETRY"}`)
)

// Handle registers fn for the deliveries of topic, at POST /events/<topic>. decode is a decoder of package events. The
// error of fn decides how the delivery ends (see the package comment); its context ends after Config.HandlerTimeout.
// Handle panics when the topic has a handler already.
func Handle[E any](s *Server, topic string, decode func([]byte) (E, error), fn func(ctx context.Context, e E, d Delivery) error) {
	handleAt(s, "/events/"+topic, topic, decode, fn)
}

// FanOut is Handle for the deliveries of a topic that come to every process, at POST /fan-out/<topic>. A service may take a
// topic in both ways.
func FanOut[E any](s *Server, topic string, decode func([]byte) (E, error), fn func(ctx context.Context, e E, d Delivery) error) {
	handleAt(s, "/fan-out/"+topic, topic, decode, fn)
}

func handleAt[E any](s *Server, path, topic string, decode func([]byte) (E, error), fn func(ctx context.Context, e E, d Delivery) error) {
	s.metrics.prepare(topic)
	s.engine.POST(path, func(c *gin.Context) {
		s.deliver(c, topic, func(ctx context.Context, d Delivery) error {
			e, err := decode(d.Raw)
			switch {
			case err == nil:
				return fn(ctx, e, d)
			case errors.Is(err, events.ErrUnknownType):
				return err
			}
			return fmt.Errorf("%w: %w", ErrPoison, err)
		})
	})
}

// arrival is a delivery with what is known of its event.
type arrival struct {
	Delivery
	head
	body []byte // as much as was read
	key  string // identifies the event in attempts
}

// deliver reads, runs and answers one delivery.
func (s *Server) deliver(c *gin.Context, topic string, handle func(context.Context, Delivery) error) {
	begin := time.Now()
	a := &arrival{Delivery: Delivery{Topic: topic}}
	ctx := c.Request.Context()
	var err error
	a.body, err = readBody(c.Request.Body, s.cfg.BodyLimit)
	var tooLarge *tooLargeError
	switch {
	case errors.As(err, &tooLarge):
		err = fmt.Errorf("%w: %w", ErrPoison, err)
	case err == nil:
		var ce cloudEvent
		ce, err = a.open()
		ctx = tracecontext.With(ctx, ce.traceParent, ce.traceState)
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrPoison, err)
		}
	default:
		err = unread{err}
	}
	a.identify()
	ctx, span := otel.Tracer("github.com/taskwire/taskwire/pkg/platform/subscribe").Start(ctx, "process "+topic,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attribute.String("event_id", a.eventID)))
	defer span.End()
	if err == nil {
		err = s.run(ctx, a.Delivery, handle)
	}
	ended := s.settle(ctx, a, err)
	span.SetAttributes(attribute.String("outcome", string(ended)))
	answer := answerSuccess
	if ended == outcomeRetry {
		answer = answerRetry
	}
	s.metrics.observe(topic, ended, time.Since(begin))
	if ended == outcomeSuccess && !a.made.IsZero() {
		s.metrics.observeAge(topic, a.made, time.Now())
	}
	c.Data(http.StatusOK, contentTypeJSON, answer)
}

// open reads the CloudEvent in the body. An error means that the event can never succeed.
func (a *arrival) open() (cloudEvent, error) {
	ce, err := parseCloudEvent(a.body)
	a.CloudEventID, a.TraceParent, a.Raw = ce.id, ce.traceParent, ce.data
	if err != nil {
		return ce, err
	}
	a.head = readHead(a.Raw)
	if a.eventID != "" && ce.id != "" && !a.original && !strings.EqualFold(a.eventID, ce.id) {
		return ce, fmt.Errorf("the CloudEvent's id %.100q is not the event's event_id %.100q", ce.id, a.eventID)
	}
	return ce, nil
}

// identify sets the event's id for the log and its key for attempts: the event_id, else the CloudEvent's id, else the
// hash of the body.
func (a *arrival) identify() {
	if a.eventID == "" {
		a.eventID = a.CloudEventID
	}
	id := a.eventID
	if id == "" || len(id) > events.MaxName {
		sum := sha256.Sum256(a.body)
		id = hex.EncodeToString(sum[:])
	}
	a.key = a.Topic + "\x00" + id
}

// run calls the handler within its time limit. An error after the limit counts as a reached time limit.
func (s *Server) run(ctx context.Context, d Delivery, handle func(context.Context, Delivery) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.HandlerTimeout)
	defer cancel()
	err := guarded(func() error { return handle(ctx, d) })
	var p *panicError
	if err != nil && ctx.Err() != nil && !errors.As(err, &p) && !errors.Is(err, ErrPoison) {
		return fmt.Errorf("%w (%w)", err, ctx.Err())
	}
	return err
}

// unread is a body that ended early: the sidecar has gone, and nothing is known about the event.
type unread struct{ error }

func (unread) Transient() bool { return true }

// settle decides the outcome of a delivery, dead-letters the event when that is the outcome, and logs a failure.
func (s *Server) settle(ctx context.Context, a *arrival, err error) outcome {
	if err == nil {
		s.attempts.forget(a.key)
		return outcomeSuccess
	}
	final := errors.Is(err, ErrPoison) || errors.Is(err, events.ErrInvalid)
	if !final && errors.Is(err, events.ErrUnknownType) {
		s.attempts.forget(a.key)
		s.cfg.Log.DebugContext(ctx, "event skipped", append(a.attrs(), "outcome", string(outcomeSkipped), "error", err.Error())...)
		return outcomeSkipped
	}
	wait := !final && isTransient(err)
	failures, strikes := s.attempts.fail(a.key, !wait && !final)
	ended, level := outcomeRetry, slog.LevelWarn
	if !wait {
		level = slog.LevelError
	}
	attrs := append(a.attrs(), "attempt", failures)
	attrs = append(attrs, errorAttrs(err)...)
	if final || strikes > MaxAttempts {
		reason := err.Error()
		if !final {
			reason = fmt.Sprintf("failed %d times: %s", strikes, reason)
		}
		if lost := s.deadLetter(ctx, a, reason); lost != nil {
			attrs = append(attrs, "dead_letter_error", lost.Error())
		} else {
			ended = outcomeDeadLettered
			s.attempts.forget(a.key)
		}
	}
	s.cfg.Log.Log(ctx, level, "delivery failed", append(attrs, "outcome", string(ended))...)
	return ended
}

// attrs returns the log attributes of a delivery. The event's own ids may be of any length, so they are cut.
func (a *arrival) attrs() []any {
	return []any{"topic", a.Topic, "event_id", short(a.eventID), "task_id", short(a.taskID), "user_id", short(a.userID)}
}

func short(s string) string {
	if len(s) > events.MaxName {
		return strings.ToValidUTF8(s[:events.MaxName], "")
	}
	return s
}

// isTransient reports whether the event is not the cause of a failure: a system that the handler needs is away, or the
// time limit was reached. Such an event is redelivered without a limit. A panic is not transient.
func isTransient(err error) bool {
	var p *panicError
	if errors.As(err, &p) {
		return false
	}
	return transient.Is(err) || errors.Is(err, context.Canceled)
}
