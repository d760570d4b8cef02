package subscribe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestADeadLetterHoldsTheEventUnderOneID(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).fails(ErrPoison)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	exact := reminder(`,"n":9007199254740993`)
	for range 2 { // as when the process dies between the publish and the answer
		r.deliver(envelope(eventID, exact, fmt.Sprintf(`,"traceparent":%q`, parent)))
	}
	if len(r.letters.got) != 2 {
		t.Fatalf("got %d dead letters, want 2", len(r.letters.got))
	}
	m, l := r.letters.got[0], r.letters.decoded[0]
	if payload, err := l.Payload(); err != nil || string(payload) != exact || l.EventID != eventID {
		t.Errorf("got %s of %s (%v), want %s", payload, l.EventID, err, exact)
	}
	if m.Key != userID || m.Subject != taskID || m.Type != typeDeadLetter || m.TraceParent != parent || m.ID == eventID {
		t.Errorf("got message %+v, want the user's key, the task as subject, the trace and a new id", m)
	}
	if m.ID != r.letters.got[1].ID {
		t.Errorf("got ids %s and %s, want one", m.ID, r.letters.got[1].ID)
	}
	other := newRig(t, func(c *Config) { c.Consumer = "audit" }).fails(ErrPoison)
	other.deliver(usual())
	if other.letters.got[0].ID == m.ID {
		t.Errorf("two consumers give their letters the same id %s", m.ID)
	}
}

func TestAnEventIsKeptUntilItsDeadLetterIsPublished(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).fails(ErrPoison)
	r.letters.err = errors.New("broker away")
	for range 2 * MaxAttempts {
		if got := r.deliver(usual()); got != "RETRY" {
			t.Fatalf("got %s, want RETRY", got)
		}
	}
	if got := r.lines()[0]; got["outcome"] != "retry" || got["dead_letter_error"] != "broker away" || got["error"] != "poison event" {
		t.Errorf("got log line %v, want both errors", got)
	}
	r.letters.err = nil
	if got := r.deliver(usual()); got != "SUCCESS" || len(r.letters.got) != 1 {
		t.Errorf("got %s and %d dead letters, want SUCCESS and 1", got, len(r.letters.got))
	}
	none := newRig(t, func(c *Config) { c.DeadLetter = nil }).fails(ErrPoison)
	if got := none.deliver(usual()); got != "RETRY" {
		t.Errorf("without a publisher: got %s, want RETRY", got)
	}
}

func TestEveryEventCanBeDeadLettered(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"newline in the ids": envelope("a\nb", `{"event_id":"a\nb","user_id":"u\r\nX: y","task_id":"\u0000"}`, ""),
		"long ids":           envelope(strings.Repeat("x", 10_000), `{"user_id":"`+strings.Repeat("u", 10_000)+`"}`, ""),
		"ids of other types": `{"id":{},"data":{"event_id":1,"user_id":[],"task_id":true,"schema_version":"two"}}`,
		"broken UTF-8":       "{\"id\":\"a\xff\",\"data\":{\"event_id\":\"\xfe\"}}",
		"lone surrogate":     `{"id":"1","data":{"event_id":"\ud800"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			if got := r.deliver(body); got != "SUCCESS" || len(r.letters.got) != 1 {
				t.Fatalf("got %s and %d dead letters, want SUCCESS and 1", got, len(r.letters.got))
			}
			m := r.letters.got[0]
			for field, v := range map[string]string{"id": m.ID, "key": m.Key, "subject": m.Subject} {
				if v == "" || len(v) > events.MaxName || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c > '~' }) {
					t.Errorf("got %s %q", field, v)
				}
			}
			for _, line := range r.lines() {
				for _, k := range []string{"event_id", "task_id", "user_id"} {
					if len(line[k].(string)) > 3*events.MaxName {
						t.Errorf("log line: %s has %d bytes", k, len(line[k].(string)))
					}
				}
			}
		})
	}
}

func TestADeadLetterFitsTheBrokersLimit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		filler string
		cut    bool
		base64 bool
	}{
		"as it is":     {strings.Repeat("x", 600_000), false, false},
		"much escaped": {strings.Repeat("<", 300_000), false, true},
		"too large":    {strings.Repeat("x", 950_000), true, true},
		"both":         {strings.Repeat("&", 950_000), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			// In a bubble the time limit of the publish does not pass while a busy machine encodes a megabyte.
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil).fails(fmt.Errorf("%w: %s", ErrPoison, strings.Repeat("<", 10_000)))
				data := reminder(`,"filler":"` + tc.filler + `"`)
				if got := r.deliver(envelope(eventID, data, "")); got != "SUCCESS" || len(r.letters.got) != 1 {
					t.Fatalf("got %s and %d dead letters, want SUCCESS and 1", got, len(r.letters.got))
				}
				var wire bytes.Buffer
				json.HTMLEscape(&wire, r.letters.got[0].Data)
				if wire.Len() > maxLetterBytes {
					t.Errorf("got %d bytes on the wire, want at most %d", wire.Len(), maxLetterBytes)
				}
				if n := wireSize(r.letters.got[0].Data); n != wire.Len() {
					t.Errorf("wireSize: got %d, want %d", n, wire.Len())
				}
				l := r.letters.decoded[0]
				payload, err := l.Payload()
				if err != nil || tc.cut != (len(payload) < len(data)) || !strings.HasPrefix(data, string(payload)) || tc.base64 != (l.OriginalEncoding != "") {
					t.Errorf("got %d of %d bytes (encoding %q, %v), want cut %v", len(payload), len(data), l.OriginalEncoding, err, tc.cut)
				}
				if tc.cut != strings.HasPrefix(l.Reason, "[original cut to ") {
					t.Errorf("got reason %.60s", l.Reason)
				}
			})
		})
	}
}

func TestARefusedDeadLetterIsSentAgainCut(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).fails(ErrPoison)
	r.letters.refuse = 100_000
	data := reminder(`,"filler":"` + strings.Repeat("x", 200_000) + `"`)
	if got := r.deliver(envelope(eventID, data, "")); got != "SUCCESS" || len(r.letters.decoded) != 1 {
		t.Fatalf("got %s and %d dead letters, want SUCCESS and 1", got, len(r.letters.decoded))
	}
	l := r.letters.decoded[0]
	if payload, _ := l.Payload(); len(payload) != keptOfRefused || l.EventID != eventID || !strings.Contains(l.Reason, "poison") {
		t.Errorf("got %d bytes, reason %s", len(payload), l.Reason)
	}
	r.letters.refuse = 10
	if got := r.deliver(usual()); got != "RETRY" {
		t.Errorf("a broker that refuses everything: got %s, want RETRY", got)
	}
}

func TestABodyAboveTheLimitIsDeadLettered(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	r := newRig(t, func(c *Config) { c.BodyLimit = limit })
	r.handle = func(context.Context, events.ReminderEvent, Delivery) error {
		t.Error("the handler was called")
		return nil
	}
	srv := httptest.NewServer(r.server.Handler())
	defer srv.Close()
	client := srv.Client()
	large := envelope(eventID, reminder(`,"filler":"`+strings.Repeat("x", 4<<20)+`"`), "")
	for name, body := range map[string]io.Reader{
		"with Content-Length": strings.NewReader(large),
		"chunked":             struct{ io.Reader }{strings.NewReader(large)},
	} {
		t.Run(name, func(t *testing.T) {
			r.letters.got, r.letters.decoded = nil, nil
			req, err := http.NewRequest(http.MethodPost, srv.URL+"/events/"+topic, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(tokenHeader, token)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || !strings.Contains(string(b), "SUCCESS") {
				t.Errorf("got %d %s, want SUCCESS", resp.StatusCode, b)
			}
			if len(r.letters.decoded) != 1 {
				t.Fatalf("got %d dead letters, want 1", len(r.letters.decoded))
			}
			l := r.letters.decoded[0]
			payload, err := l.Payload()
			if want := fmt.Sprintf("%d bytes, more than %d", len(large), limit); err != nil || !strings.Contains(l.Reason, want) || string(payload) != large[:limit] {
				t.Errorf("got %d bytes, reason %s (%v), want the beginning and %q", len(payload), l.Reason, err, want)
			}
		})
	}
	exact := newRig(t, func(c *Config) { c.BodyLimit = int64(len(usual())) })
	if got := exact.deliver(usual()); got != "SUCCESS" || len(exact.letters.got) != 0 {
		t.Errorf("a body of exactly the limit: got %s and %d dead letters", got, len(exact.letters.got))
	}
}

func TestABodyThatEndsEarlyIsRedelivered(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	srv := httptest.NewServer(r.server.Handler())
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /events/%s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: 1000\r\n\r\n{\"id\":", topic, tokenHeader, token)
	conn.Close() // the sidecar was killed
	for deadline := time.Now().Add(10 * time.Second); len(r.lines()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no log line")
		}
	}
	if line := r.lines()[0]; line["outcome"] != "retry" || line["level"] != "WARN" {
		t.Errorf("got log line %v, want a retry", line)
	}
	srv.Close()
	if len(r.letters.got) > 0 {
		t.Errorf("got %d dead letters, want none", len(r.letters.got))
	}
}
