package tracecontext_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/pkg/platform/tracecontext"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestAParentThatIsReadIsWrittenAgain(t *testing.T) {
	ctx := tracecontext.With(context.Background(), parent, "vendor=1")
	if got := tracecontext.Parent(ctx); got != parent {
		t.Errorf("Parent = %q, want %q", got, parent)
	}
	if got := trace.SpanContextFromContext(ctx).TraceState().Get("vendor"); got != "1" {
		t.Errorf("the trace state has vendor %q, want 1", got)
	}
	if got := tracecontext.Parent(context.Background()); got != "" {
		t.Errorf("Parent without a trace = %q, want none", got)
	}
}

func TestAMalformedParentChangesNothing(t *testing.T) {
	for text, want := range map[string]bool{
		parent: true, "": false, "00-nonsense-01": false, parent[:54]: false, "zz" + parent[2:]: false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": false,
	} {
		if got := tracecontext.Valid(text); got != want {
			t.Errorf("Valid(%q) = %v, want %v", text, got, want)
		}
		before := tracecontext.With(context.Background(), parent, "")
		if after := tracecontext.With(before, text, ""); tracecontext.Parent(after) != parent {
			t.Errorf("With(%q) replaced the trace by %q", text, tracecontext.Parent(after))
		}
	}
}
