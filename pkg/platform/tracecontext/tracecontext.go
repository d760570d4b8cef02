// Package tracecontext reads and writes W3C trace context (https://www.w3.org/TR/trace-context/) where it does not
// travel in HTTP headers: in an outbox row and in a CloudEvent's attributes. It is the only reader of a trace parent.
package tracecontext

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The names of the two values, as headers and as CloudEvent attributes.
const (
	parentKey = "traceparent"
	stateKey  = "tracestate"
)

// Parent returns the trace parent of ctx, or "" when ctx has no trace.
func Parent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[parentKey]
}

// With returns ctx with the trace of parent and state. A malformed or empty parent changes nothing; a malformed state
// is left out.
func With(ctx context.Context, parent, state string) context.Context {
	if parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{parentKey: parent, stateKey: state})
}

// Valid reports whether parent is a well-formed trace parent.
func Valid(parent string) bool {
	return trace.SpanContextFromContext(With(context.Background(), parent, "")).IsValid()
}
