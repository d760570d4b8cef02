package subscribe

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
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

// What daprd is answered, always with 200: another status means the same as RETRY, or worse.
var (
	answerSuccess = []byte(`{"status":"SUCCESS"}`)
	answerRetry   = []byte(`{"status":"RETRY"}`)
)

// Handle takes the deliveries of topic at POST /events/<topic>. decode is one of package events. fn decides with its
// error how the delivery ends, see the package comment; its context ends after Config.HandlerTimeout. It panics when
// the topic is taken already.
func Handle[E any](s *Server, topic string, decode func([]byte) (E, error), fn func(ctx context.Context, e E, d Delivery) error) {
	s.metrics.prepare(topic)
	s.engine.POST("/events/"+topic, func(c *gin.Context) {
		s.take(c, topic, func(ctx context.Context, d Delivery) error {
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

// arrival is a delivery on its way to its end.
type arrival struct {
	Delivery
	head
	body []byte // all of it that was read
	key  string // for attempts
}

// take runs one delivery from its body to its answer.
func (s *Server) take(c *gin.Context, topic string, handle func(context.Context, Delivery) error) {
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
		ctx = withTrace(ctx, ce.traceParent, ce.traceState)
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
		s.metrics.aged(topic, a.made, time.Now())
	}
	c.Data(http.StatusOK, contentTypeJSON, answer)
}

// open reads the CloudEvent in the body. Its error is final.
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

// identify names the event for counting and logging: by its event_id, else by the CloudEvent's id, else by its bytes.
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

// run calls the handler within its time. A failure after the time is up is the time's, whatever it says.
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

// unread is a body that broke off: daprd has gone, and nothing is known about the event.
type unread struct{ error }

func (unread) Transient() bool { return true }

// settle brings the delivery to its end and logs it unless that is success.
func (s *Server) settle(ctx context.Context, a *arrival, err error) outcome {
	if err == nil {
		s.attempts.forget(a.key)
		return outcomeSuccess
	}
	poison := errors.Is(err, ErrPoison) || errors.Is(err, events.ErrInvalid)
	if !poison && errors.Is(err, events.ErrUnknownType) {
		s.attempts.forget(a.key)
		s.cfg.Log.DebugContext(ctx, "event skipped", append(a.attrs(), "outcome", string(outcomeSkipped), "error", err.Error())...)
		return outcomeSkipped
	}
	wait := !poison && transient(err)
	failures, strikes := s.attempts.fail(a.key, !wait && !poison)
	ended, level := outcomeRetry, slog.LevelWarn
	if !wait {
		level = slog.LevelError
	}
	attrs := append(a.attrs(), "attempt", failures)
	attrs = append(attrs, errorAttrs(err)...)
	if poison || strikes > MaxAttempts {
		reason := err.Error()
		if !poison {
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

// attrs are the keys of a delivery's log line. They are the event's own, so that they are cut and no more.
func (a *arrival) attrs() []any {
	return []any{"topic", a.Topic, "event_id", short(a.eventID), "task_id", short(a.taskID), "user_id", short(a.userID)}
}

func short(s string) string {
	if len(s) > events.MaxName {
		return strings.ToValidUTF8(s[:events.MaxName], "")
	}
	return s
}

// transient tells whether a failure is not the event's own: something that it needs is away, or its time was up. Such
// an event is tried for ever. An error can say so itself, as those of package dapr do.
func transient(err error) bool {
	var p *panicError
	if errors.As(err, &p) {
		return false
	}
	var self interface{ Transient() bool }
	if errors.As(err, &self) && self.Transient() {
		return true
	}
	return postgres.IsUnavailable(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
