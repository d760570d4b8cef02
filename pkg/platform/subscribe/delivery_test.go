package subscribe

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/platform/dapr"
)

func TestEveryDeliveryEndsInOneOfThreeWays(t *testing.T) {
	t.Parallel()
	away := &pgconn.PgError{Code: "57P01", Message: "terminating connection due to administrator command"}
	for _, tc := range []struct {
		name    string
		body    string // usual() when empty
		err     error
		panics  any
		word    string
		outcome outcome
		reason  string // of the dead letter
	}{
		{name: "success", word: "SUCCESS", outcome: outcomeSuccess},
		{name: "poison", err: fmt.Errorf("store: %w", ErrPoison), word: "SUCCESS", outcome: outcomeDeadLettered, reason: "store: poison event"},
		{name: "validation in the handler", err: fmt.Errorf("make notification: %w", &events.ValidationError{Field: "title", Reason: "is missing"}), word: "SUCCESS", outcome: outcomeDeadLettered, reason: "title: is missing"},
		{name: "an event that breaks a rule", body: envelope(eventID, strings.Replace(reminder(""), `"title":"x",`, "", 1), ""), word: "SUCCESS", outcome: outcomeDeadLettered, reason: "title"},
		{name: "an event without remind_at", body: envelope(eventID, strings.Replace(reminder(""), `"remind_at"`, `"reminded_at"`, 1), ""), word: "SUCCESS", outcome: outcomeDeadLettered, reason: "remind_at"},
		{name: "a type of a later version", body: envelope(eventID, strings.Replace(reminder(""), "scheduled", "snoozed", 1), ""), word: "SUCCESS", outcome: outcomeSkipped},
		{name: "unknown type from the handler", err: events.ErrUnknownType, word: "SUCCESS", outcome: outcomeSkipped},
		{name: "not JSON", body: "no JSON", word: "SUCCESS", outcome: outcomeDeadLettered, reason: "not a CloudEvent"},
		{name: "a list", body: "[]", word: "SUCCESS", outcome: outcomeDeadLettered, reason: "not a CloudEvent"},
		{name: "null", body: "null", word: "SUCCESS", outcome: outcomeDeadLettered, reason: "not a CloudEvent"},
		{name: "no body", body: " ", word: "SUCCESS", outcome: outcomeDeadLettered, reason: "not a CloudEvent"},
		{name: "no data", body: `{"specversion":"1.0","id":"1"}`, word: "SUCCESS", outcome: outcomeDeadLettered, reason: "no data"},
		{name: "data null", body: envelope(eventID, "null", ""), word: "SUCCESS", outcome: outcomeDeadLettered, reason: "no data"},
		{name: "data in another case", body: `{"id":"1","DATA":` + reminder("") + `}`, word: "SUCCESS", outcome: outcomeDeadLettered, reason: "no data"},
		{name: "data a text", body: envelope(eventID, `"text"`, ""), word: "SUCCESS", outcome: outcomeDeadLettered, reason: "document"},
		{name: "data_base64 that is none", body: `{"id":"1","data_base64":"?"}`, word: "SUCCESS", outcome: outcomeDeadLettered, reason: "base64"},
		{name: "another id than the CloudEvent's", body: envelope("another", reminder(""), ""), word: "SUCCESS", outcome: outcomeDeadLettered, reason: "is not the event's event_id"},
		{name: "another error", err: errBoom, word: "RETRY", outcome: outcomeRetry},
		{name: "a panic", panics: "boom", word: "RETRY", outcome: outcomeRetry},
		{name: "a panic with an error", panics: ErrPoison, word: "RETRY", outcome: outcomeRetry},
		{name: "a nil map", panics: nil, err: errBoom, word: "RETRY", outcome: outcomeRetry},
		{name: "database away", err: fmt.Errorf("insert: %w", away), word: "RETRY", outcome: outcomeRetry},
		{name: "poison beats an outage", err: errors.Join(away, ErrPoison), word: "SUCCESS", outcome: outcomeDeadLettered, reason: "poison"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.handle = func(context.Context, events.ReminderEvent, Delivery) error {
				if tc.panics != nil {
					panic(tc.panics)
				}
				return tc.err
			}
			body := tc.body
			if body == "" {
				body = usual()
			}
			if got := r.deliver(body); got != tc.word {
				t.Errorf("got %s, want %s", got, tc.word)
			}
			if got, want := r.counts(topic), map[string]float64{string(tc.outcome): 1}; !maps.Equal(got, want) {
				t.Errorf("metrics: got %v, want %v", got, want)
			}
			wantLetters := 0
			if tc.reason != "" {
				wantLetters = 1
			}
			if len(r.letters.decoded) != wantLetters {
				t.Fatalf("got %d dead letters, want %d", len(r.letters.decoded), wantLetters)
			}
			for _, l := range r.letters.decoded {
				if !strings.Contains(l.Reason, tc.reason) || l.Topic != topic || l.Consumer != "notification" || l.FailedAt.IsZero() {
					t.Errorf("got dead letter %+v, want reason %q", l, tc.reason)
				}
			}
			wantLines := 1
			if tc.outcome == outcomeSuccess || tc.outcome == outcomeSkipped {
				wantLines = 0
			}
			lines := r.lines()
			if len(lines) != wantLines {
				t.Fatalf("got %d log lines, want %d: %v", len(lines), wantLines, lines)
			}
			for _, l := range lines {
				if l["outcome"] != string(tc.outcome) || l["attempt"] != 1.0 {
					t.Errorf("got log line %v, want outcome %s and attempt 1", l, tc.outcome)
				}
			}
		})
	}
}

func TestAFailedDeliveryIsOneLogLineWithItsKeysAndTrace(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).fails(errBoom)
	body := envelope(eventID, reminder(""), `,"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`)
	r.deliver(body)
	r.deliver(body)
	lines := r.lines()
	if len(lines) != 2 {
		t.Fatalf("got %d lines for two deliveries: %v", len(lines), lines)
	}
	for k, want := range map[string]any{
		"event_id": eventID, "task_id": taskID, "user_id": userID, "attempt": 2.0, "outcome": "retry", "topic": topic,
		"error": "boom", "trace_id": "0af7651916cd43dd8448eb211c80319c", "level": "ERROR",
	} {
		if lines[1][k] != want {
			t.Errorf("second line: got %s %v, want %v", k, lines[1][k], want)
		}
	}
}

func TestAPanicIsLoggedWithItsStack(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.handle = func(context.Context, events.ReminderEvent, Delivery) error { panic("boom") }
	if got := r.deliver(usual()); got != "RETRY" {
		t.Errorf("got %s, want RETRY", got)
	}
	lines := r.lines()
	if len(lines) != 1 || lines[0]["error"] != "panic: boom" || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "delivery_test.go") {
		t.Errorf("got %v, want one line with the panic and where it was", lines)
	}
}

func TestRepeatedFailuresAreDeadLetteredUnlessTransient(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		err       error // nil panics
		transient bool
	}{
		{"an error of its own", errBoom, false},
		{"a constraint", &pgconn.PgError{Code: "23514", Message: "violates check constraint"}, false},
		{"a panic", nil, false},
		{"an app that refuses", &dapr.InvokeError{AppID: "task-api", Status: 400}, false},
		{"a conflict in the state store", &dapr.Error{Call: "save state", Err: dapr.ErrConflict}, false},
		{"database shutting down", fmt.Errorf("insert: %w", &pgconn.PgError{Code: "57P01"}), true},
		{"connection refused", &net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		{"connection gone", sql.ErrConnDone, true},
		{"time is up", fmt.Errorf("query: %w", context.DeadlineExceeded), true},
		{"cancelled", fmt.Errorf("query: %w", context.Canceled), true},
		{"sidecar away", fmt.Errorf("mark: %w", &dapr.Error{Call: "save state", Component: "statestore", Attempts: 3, Err: errors.New("unavailable")}), true},
		{"another app away", &dapr.InvokeError{AppID: "task-api", Status: 503}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.handle = func(context.Context, events.ReminderEvent, Delivery) error {
				if tc.err == nil {
					panic("boom")
				}
				return tc.err
			}
			for n := 1; n <= MaxAttempts; n++ {
				if got := r.deliver(usual()); got != "RETRY" {
					t.Fatalf("delivery %d: got %s, want RETRY", n, got)
				}
			}
			want, letters := "SUCCESS", 1
			if tc.transient {
				want, letters = "RETRY", 0
			}
			if got := r.deliver(usual()); got != want || len(r.letters.decoded) != letters {
				t.Errorf("delivery %d: got %s and %d dead letters, want %s and %d", MaxAttempts+1, got, len(r.letters.decoded), want, letters)
			}
			for _, l := range r.letters.decoded {
				if !strings.HasPrefix(l.Reason, "failed 11 times: ") || l.EventID != eventID {
					t.Errorf("got dead letter %+v", l)
				}
			}
		})
	}
}

func TestOnlyFailuresThatAreNotTransientCount(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	fail := func(times int, err error) {
		t.Helper()
		r.fails(err)
		for range times {
			if got := r.deliver(usual()); got != "RETRY" {
				t.Fatalf("got %s, want RETRY", got)
			}
		}
	}
	fail(MaxAttempts, errBoom)
	fail(3, context.DeadlineExceeded) // does not count
	r.fails(nil)
	if got := r.deliver(usual()); got != "SUCCESS" {
		t.Fatalf("got %s, want SUCCESS", got)
	}
	fail(MaxAttempts, errBoom) // from 0 again
	if n := len(r.letters.got); n != 0 {
		t.Errorf("got %d dead letters, want none", n)
	}
	// Another event has a count of its own.
	other := strings.ReplaceAll(usual(), eventID, "01936d0f-6f6e-7c3a-8b54-000000000000")
	if got := r.deliver(other); got != "RETRY" {
		t.Errorf("another event: got %s, want RETRY", got)
	}
}

func TestTheCountOfFailuresIsBounded(t *testing.T) {
	t.Parallel()
	a := newAttempts(2)
	a.fail("a", true)
	a.fail("b", true)
	a.fail("a", false) // b is now the one that failed longest ago
	a.fail("c", true)
	if failures, strikes := a.fail("a", true); failures != 3 || strikes != 2 {
		t.Errorf("a, which was kept: got %d failures and %d strikes, want 3 and 2", failures, strikes)
	}
	if failures, strikes := a.fail("b", true); failures != 1 || strikes != 1 {
		t.Errorf("b, which was evicted: got %d failures and %d strikes, want 1 and 1", failures, strikes)
	}
	a.forget("a")
	a.forget("never")
	if a.len() > 2 {
		t.Errorf("got %d remembered, want at most 2", a.len())
	}
}

func TestTheHandlerGetsTheEventByteForByte(t *testing.T) {
	t.Parallel()
	exact := reminder(`,"unknown": {"n" : 9007199254740993, "s":"<&>é \ud83d\ude00"}`)
	text := strings.ReplaceAll(strings.ReplaceAll(exact, `\`, `\\`), `"`, `\"`)
	for name, body := range map[string]string{
		"data":                 envelope(eventID, exact, ""),
		"data_base64":          fmt.Sprintf(`{"id":%q,"data_base64":%q}`, eventID, base64.StdEncoding.EncodeToString([]byte(exact))),
		"published as text":    fmt.Sprintf(`{"id":%q,"datacontenttype":"text/plain; charset=utf-8","data":"%s"}`, eventID, text),
		"upper-case id":        envelope(strings.ToUpper(eventID), exact, ""),
		"no id":                fmt.Sprintf(`{"data":%s}`, exact),
		"malformed attributes": envelope(eventID, exact, `,"traceparent":5,"traceid":{"a":[]},"tracestate":null,"time":7,"DATA":1`),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			var got Delivery
			var event events.ReminderEvent
			r.handle = func(_ context.Context, e events.ReminderEvent, d Delivery) error { got, event = d, e; return nil }
			if word := r.deliver(body); word != "SUCCESS" {
				t.Fatalf("got %s: %v", word, r.letters.decoded)
			}
			if string(got.Raw) != exact || got.Topic != topic || event.EventID != eventID || event.TaskVersion != 3 {
				t.Errorf("got %s on %s and %+v\nwant %s", got.Raw, got.Topic, event, exact)
			}
			if name != "no id" && !strings.EqualFold(got.CloudEventID, eventID) {
				t.Errorf("got CloudEvent id %q, want %s", got.CloudEventID, eventID)
			}
		})
	}
}

func TestAVersion1EventMayHaveAnotherCloudEventID(t *testing.T) {
	t.Parallel()
	original := strings.Replace(reminder(""), `"schema_version":2,"event_type":"scheduled",`, "", 1)
	r := newRig(t, nil)
	if got := r.deliver(envelope("made-by-daprd", original, "")); got != "SUCCESS" || len(r.letters.got) != 0 {
		t.Errorf("got %s and dead letters %v, want success", got, r.letters.decoded)
	}
}

func TestTheTraceIsThatOfTheCloudEvent(t *testing.T) {
	t.Parallel()
	const good, header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-11111111111111111111111111111111-b7ad6b7169203331-01"
	for attributes, want := range map[string]string{
		fmt.Sprintf(`,"traceparent":%q,"tracestate":"a=b"`, good):    "0af7651916cd43dd8448eb211c80319c",
		fmt.Sprintf(`,"traceparent":%q,"tracestate":"%%%%,,"`, good): "0af7651916cd43dd8448eb211c80319c",
		`,"traceparent":"00-nonsense-01"`:                            "",
		`,"traceparent":""`:                                          "",
		`,"traceparent":12`:                                          "",
		`,"traceparent":["a"],"traceid":7`:                           "",
		"":                                                           "",
	} {
		r := newRig(t, nil)
		var ctx context.Context
		var d Delivery
		r.handle = func(c context.Context, _ events.ReminderEvent, got Delivery) error { ctx, d = c, got; return nil }
		if word := r.deliver(envelope(eventID, reminder(""), attributes), "traceparent", header, "Authorization", "Bearer x"); word != "SUCCESS" {
			t.Fatalf("%s: got %s", attributes, word)
		}
		sc := trace.SpanContextFromContext(ctx)
		if want == "" && (sc.IsValid() || d.TraceParent != "") {
			t.Errorf("%s: got trace %s and traceparent %q, want none", attributes, sc.TraceID(), d.TraceParent)
		}
		if want != "" && (sc.TraceID().String() != want || d.TraceParent != good) {
			t.Errorf("%s: got trace %s and traceparent %q, want %s", attributes, sc.TraceID(), d.TraceParent, good)
		}
	}
}

func TestAHandlerThatReachesItsTimeLimitIsRedelivered(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(ctx context.Context) error{
		"its error is that of the context": func(ctx context.Context) error { return ctx.Err() },
		"its error is another":             func(context.Context) error { return sql.ErrTxDone },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.handle = func(ctx context.Context, _ events.ReminderEvent, _ Delivery) error {
					<-ctx.Done()
					return say(ctx)
				}
				for n := range 2 * MaxAttempts {
					if got := r.deliver(usual()); got != "RETRY" {
						t.Fatalf("delivery %d: got %s, want RETRY", n+1, got)
					}
				}
				if len(r.letters.got) > 0 {
					t.Errorf("a handler that reaches its time limit: got %d dead letters, want none", len(r.letters.got))
				}
			})
		})
	}
}

func TestADeadLetterHasATimeLimitOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.handle = func(ctx context.Context, _ events.ReminderEvent, _ Delivery) error {
			<-ctx.Done()
			return fmt.Errorf("%w: seen late", ErrPoison)
		}
		if got := r.deliver(usual()); got != "SUCCESS" || len(r.letters.got) != 1 {
			t.Errorf("got %s and %d dead letters, want SUCCESS and 1", got, len(r.letters.got))
		}
	})
}

func TestPartitionsAreDeliveredConcurrently(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	var mu sync.Mutex
	seen := map[string]int{}
	r.handle = func(_ context.Context, e events.ReminderEvent, _ Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		if seen[e.EventID]++; seen[e.EventID] == 1 {
			return errBoom
		}
		return nil
	}
	var wg sync.WaitGroup
	for p := range 12 {
		wg.Go(func() {
			for n := range 20 {
				id := fmt.Sprintf("01936d0f-6f6e-7c3a-8b54-%06d%06d", p, n)
				body := strings.ReplaceAll(usual(), eventID, id)
				if first, second := r.deliver(body), r.deliver(body); first != "RETRY" || second != "SUCCESS" {
					t.Errorf("%s: got %s and %s", id, first, second)
				}
			}
		})
	}
	wg.Wait()
	if n := r.server.attempts.len(); n != 0 {
		t.Errorf("got %d events remembered after their success, want none", n)
	}
}

func FuzzADeliveryIsAlwaysAnswered(f *testing.F) {
	for _, body := range []string{usual(), "", "{}", `{"data":{}}`, `{"data":"x","datacontenttype":"text/plain"}`, `{"data_base64":"e30="}`,
		envelope("x", reminder(""), ""), envelope(eventID, reminder(""), `,"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`), "\xff"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newRig(t, nil)
		taken := 0
		r.handle = func(context.Context, events.ReminderEvent, Delivery) error { taken++; return nil }
		if got := r.deliver(string(body)); got != "SUCCESS" {
			t.Errorf("got %s, want an outcome at once for every body", got)
		}
		skipped := r.counts(topic)[string(outcomeSkipped)] > 0
		if taken+len(r.letters.decoded) != 1 && !skipped {
			t.Errorf("got %d handled and %d dead letters, want one of them", taken, len(r.letters.decoded))
		}
	})
}
