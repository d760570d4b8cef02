package dapr

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// ErrRefused is wrapped when the broker can never take an event.
	ErrRefused = errors.New("event refused by the broker")
	// ErrConflict is wrapped when a conditional write found another ETag in the store. After a retry within the call,
	// the other writer may have been the call's own first attempt: read the state before giving up.
	ErrConflict = errors.New("the state was changed by another writer")
)

// Error is a failed call: its component, its number of attempts and the last attempt's error.
type Error struct {
	Call, Component string
	Attempts        int
	Err             error
}

func (e *Error) Error() string {
	noun := "attempts"
	if e.Attempts == 1 {
		noun = "attempt"
	}
	return fmt.Sprintf("dapr: %s on %s failed after %d %s: %v", e.Call, e.Component, e.Attempts, noun, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Transient reports whether the same call can succeed later with the same arguments: true except for refused events,
// conflicts and arguments that the sidecar rejects. A wrong configuration counts as transient, because mending it mends
// the call. So a caller that retries must bound its wait and log it.
func (e *Error) Transient() bool {
	if errors.Is(e.Err, ErrRefused) || errors.Is(e.Err, ErrConflict) || errors.Is(e.Err, errArgument) {
		return false
	}
	return status.Code(e.Err) != codes.InvalidArgument || isConfiguration(e.Err)
}

// InvokeError is an answer outside 2xx of the invoked app itself.
type InvokeError struct {
	AppID, Method, Path string // Path is without its query, which may hold data that does not belong in a log
	Status              int
	Body                []byte // as the app sent it; not part of Error()
}

func (e *InvokeError) Error() string {
	return fmt.Sprintf("dapr: %s answered %d to %s %s", e.AppID, e.Status, e.Method, e.Path)
}

// Transient reports whether the status asks for another call: 408, 425, 429 and 5xx.
func (e *InvokeError) Transient() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= http.StatusInternalServerError
}

var (
	// errFinal marks an error that another attempt cannot change, also where its status suggests one.
	errFinal = errors.New("no further attempt")
	// errArgument marks a caller's mistake that was found before anything was sent.
	errArgument = errors.New("invalid call")
)

// final marks err with errFinal and keeps its text.
func final(err error) error { return &finalError{err} }

type finalError struct{ error }

func (e *finalError) Unwrap() error        { return e.error }
func (e *finalError) Is(target error) bool { return target == errFinal }

// retryable reports whether another attempt, about a second later, can succeed.
func retryable(err error) bool {
	if errors.Is(err, errFinal) || errors.Is(err, errArgument) || errors.Is(err, ErrRefused) || errors.Is(err, ErrConflict) {
		return false
	}
	var app *InvokeError
	if errors.As(err, &app) {
		return app.Status == http.StatusBadGateway || app.Status == http.StatusServiceUnavailable || app.Status == http.StatusGatewayTimeout
	}
	s, ok := status.FromError(err)
	if !ok {
		return true // not a gRPC answer: the connection, or the attempt's time limit
	}
	switch s.Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Unknown, codes.Aborted:
		return true // daprd answers Internal for every failure of a component, also for a broker that is down
	case codes.ResourceExhausted:
		return !overGRPCLimit(s)
	default:
		return false
	}
}

// isConfiguration reports whether the sidecar rejected the call because of its own configuration.
func isConfiguration(err error) bool {
	s, _ := status.FromError(err)
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && configurationReasons[info.GetReason()] {
			return true
		}
	}
	switch s.Code() {
	case codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// configurationReasons are daprd's reasons (errdetails.ErrorInfo) that come with the code InvalidArgument although the
// component is at fault and not the event.
var configurationReasons = map[string]bool{
	"DAPR_PUBSUB_NOT_FOUND":        true,
	"DAPR_PUBSUB_TEST_NOT_FOUND":   true,
	"DAPR_PUBSUB_NOT_CONFIGURED":   true,
	"DAPR_PUBSUB_NAME_EMPTY":       true,
	"DAPR_PUBSUB_TOPIC_NAME_EMPTY": true,
	"DAPR_PUBSUB_FORBIDDEN":        true,
}

// kafkaRefusals are the texts with which Kafka, or the Kafka client in daprd, says that it will never take a message.
// daprd passes on nothing but the text (sarama: errors.go, async_producer.go).
var kafkaRefusals = []string{
	"larger than configured Producer.MaxMessageBytes",
	"Message was too large, server rejected it",         // MESSAGE_TOO_LARGE
	"message batch larger than the configured segment",  // RECORD_LIST_TOO_LARGE
	"This record has failed the validation on broker",   // INVALID_RECORD
	"The timestamp of the message is out of acceptable", // INVALID_TIMESTAMP
}

func refusalText(text string) bool {
	for _, t := range kafkaRefusals {
		if strings.Contains(text, t) {
			return true
		}
	}
	return false
}

// refusal reports whether err, the answer to the publish of one event, means that the event can never be taken.
func refusal(err error) bool {
	s, ok := status.FromError(err)
	if !ok || isConfiguration(err) {
		return false
	}
	switch s.Code() {
	case codes.InvalidArgument:
		return true
	case codes.ResourceExhausted:
		return overGRPCLimit(s)
	case codes.Internal:
		return refusalText(s.Message())
	default:
		return false
	}
}

// overGRPCLimit reports whether s is gRPC's "message larger than max" and not another exhausted resource.
func overGRPCLimit(s *status.Status) bool {
	return s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), "larger than max")
}

// refused marks err with ErrRefused.
func refused(err error) error { return fmt.Errorf("%w: %w", ErrRefused, err) }
