package dapr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/taskwire/taskwire/testkit/sidecar"
)

func TestARejectionByTheBrokerIsARefusal(t *testing.T) {
	t.Parallel()
	for _, kafkaErr := range []*kerr.Error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord} {
		t.Run(kafkaErr.Message, func(t *testing.T) {
			cluster, broker := sidecar.Kafka(t, 1, testTopic)
			s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
			c := newClient(t, s, nil)
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kafkaErr, Count: -1})
			if err := c.PublishEvent(t.Context(), testTopic, message(1, "u")); !errors.Is(err, ErrRefused) {
				t.Errorf("PublishEvent: got %v, want ErrRefused", err)
			}
			failed, err := c.PublishBulk(t.Context(), testTopic, []Event{message(1, "u"), message(2, "u")})
			if err != nil || len(failed) != 2 {
				t.Fatalf("PublishBulk: failed %v, err %v; want both failed", failed, err)
			}
			for id, err := range failed {
				if !errors.Is(err, ErrRefused) {
					t.Errorf("PublishBulk: %s: got %v, want ErrRefused", id, err)
				}
			}
		})
	}
}

func TestAFailedEventHoldsBackOnlyItsKey(t *testing.T) {
	t.Parallel()
	cluster, broker := sidecar.Kafka(t, 2, testTopic)
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
	c := newClient(t, s, nil)
	// Find a key for each partition.
	keyOf := map[int32]string{}
	var probes []Event
	for i := range 16 {
		probes = append(probes, message(900+i, fmt.Sprintf("user-%d", i)))
	}
	if failed, err := c.PublishBulk(t.Context(), testTopic, probes); err != nil || len(failed) > 0 {
		t.Fatalf("probes: failed %v, err %v", failed, err)
	}
	for _, r := range records(t, broker, testTopic, len(probes)) {
		keyOf[r.Partition] = string(r.Key)
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: testTopic, Partitions: []int32{0}, Err: kerr.UnknownServerError, Count: -1})

	bad, good := keyOf[0], keyOf[1]
	msgs := []Event{message(1, bad), message(2, good), message(3, bad), message(4, good), message(5, bad), message(6, good)}
	failed, err := c.PublishBulk(t.Context(), testTopic, msgs)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range msgs {
		got := failed[m.ID]
		if (got != nil) != (m.Key == bad) {
			t.Errorf("event %s of key %s: got %v", m.ID, m.Key, got)
		}
		if errors.Is(got, ErrRefused) {
			t.Errorf("event %s: a broker's unknown error counts as refusal: %v", m.ID, got)
		}
	}
	if e := new(Error); !errors.As(failed[msgs[2].ID], &e) || e.Attempts != 0 {
		t.Errorf("the second event of the failed key: got %v, want no attempt", failed[msgs[2].ID])
	}
	if !strings.Contains(failed[msgs[0].ID].Error(), "Unexpected") {
		t.Errorf("the failed event's error has lost the broker's reason: %v", failed[msgs[0].ID])
	}
}

func TestABrokerThatComesBackGetsEveryEvent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, testTopic), kfake.DataDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	broker := cluster.ListenAddrs()[0]
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
	c := newClient(t, s, func(c *Config) { c.Attempts = 1 }) // daprd alone takes 5 s to give up
	if err := c.PublishEvent(t.Context(), testTopic, message(1, "u")); err != nil {
		t.Fatal(err)
	}
	cluster.Close()
	var msgs []Event
	for i := range 50 {
		msgs = append(msgs, message(10+i, fmt.Sprintf("user-%d", i%5)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	failed, err := c.PublishBulk(ctx, testTopic, msgs)
	var e *Error
	if !errors.As(err, &e) || len(failed) > 0 || errors.Is(err, ErrRefused) {
		t.Fatalf("with the broker down: failed %v, err %v; want an *Error that is not a refusal", failed, err)
	}
	_, port, _ := net.SplitHostPort(broker)
	p, _ := strconv.Atoi(port)
	cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(p), kfake.SeedTopics(1, testTopic), kfake.DataDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	for {
		if failed, err = c.PublishBulk(ctx, testTopic, msgs); err == nil && len(failed) == 0 {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("with the broker back: failed %d, err %v", len(failed), err)
		}
	}
	seen := map[string]bool{}
	for _, r := range records(t, broker, testTopic, 51) {
		var env envelope
		if err := json.Unmarshal(r.Value, &env); err != nil {
			t.Fatal(err)
		}
		seen[env.ID] = true
	}
	if len(seen) != 51 {
		t.Errorf("got %d different events in the topic, want 51", len(seen))
	}
}

func TestAMissingSidecarFailsTheCallUntilItIsBack(t *testing.T) {
	t.Parallel()
	_, broker := sidecar.Kafka(t, 1, testTopic)
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
	s.Kill()
	c, err := New(Config{HTTPPort: s.HTTPPort, GRPCPort: s.GRPCPort, Backoff: time.Millisecond})
	if err != nil {
		t.Fatalf("New without a sidecar: %v", err)
	}
	defer c.Close()
	if err := c.Ready(t.Context()); err == nil {
		t.Error("Ready without a sidecar: got nil")
	}
	err = c.PublishEvent(t.Context(), testTopic, message(1, "u"))
	var e *Error
	if !errors.As(err, &e) || e.Attempts != 3 || e.Component != "kafka-pubsub" || !strings.Contains(e.Call, testTopic) {
		t.Fatalf("PublishEvent without a sidecar: got %v, want an *Error with 3 attempts on kafka-pubsub", err)
	}
	if _, err := c.PublishBulk(t.Context(), testTopic, []Event{message(1, "u")}); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("PublishBulk without a sidecar: got %v, want an error that is not a refusal", err)
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		if err = c.PublishEvent(ctx, testTopic, message(1, "u")); err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("PublishEvent with the sidecar back: %v", err)
		}
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("Ready with the sidecar back: %v", err)
	}
	s.Kill()
}

func TestEveryCallSendsTheAPIToken(t *testing.T) {
	t.Parallel()
	_, broker := sidecar.Kafka(t, 1, testTopic)
	s := sidecar.Start(t, sidecar.Config{AppID: "task-api", APIToken: "s3cret", Resources: map[string]string{"pubsub": sidecar.PubSub(broker, nil)}})
	with := newClient(t, s, func(c *Config) { c.APIToken = "s3cret" })
	without := newClient(t, s, nil)
	if err := with.PublishEvent(t.Context(), testTopic, message(1, "u")); err != nil {
		t.Errorf("with the token: %v", err)
	}
	err := without.PublishEvent(t.Context(), testTopic, message(2, "u"))
	if e := new(Error); !errors.As(err, &e) || e.Attempts != 1 || errors.Is(err, ErrRefused) {
		t.Errorf("without the token: got %v, want an error after one attempt", err)
	}
	if _, _, err := without.Invoke(t.Context(), "task-api", "GET", "/x", nil); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("Invoke without the token: got %v, want an error with 401", err)
	}
}

func TestAnImpossibleEventIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	c, err := New(Config{HTTPPort: 1, GRPCPort: 1}) // nothing listens there
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ok := message(1, "u")
	for name, change := range map[string]func(*Event){
		"no id":                     func(m *Event) { m.ID = "" },
		"not JSON":                  func(m *Event) { m.Data = []byte("{") },
		"empty":                     func(m *Event) { m.Data = nil },
		"above the sidecar's limit": func(m *Event) { m.Data = fmt.Appendf(nil, "%q", strings.Repeat("x", 4<<20)) },
		"a newline in the key":      func(m *Event) { m.Key = "a\nb" },
		"a newline in the subject":  func(m *Event) { m.Subject = "a\r\nX-User-Id: root" },
	} {
		t.Run(name, func(t *testing.T) {
			m := ok
			change(&m)
			if err := c.PublishEvent(t.Context(), testTopic, m); !errors.Is(err, ErrRefused) {
				t.Errorf("PublishEvent: got %v, want ErrRefused", err)
			}
			failed, err := c.PublishBulk(t.Context(), testTopic, []Event{m})
			if err != nil || !errors.Is(failed[m.ID], ErrRefused) {
				t.Errorf("PublishBulk: failed %v, err %v; want it refused", failed, err)
			}
		})
	}
}

func TestErrorsAreRetriedByKindWithBackoff(t *testing.T) {
	t.Parallel()
	unavailable := status.Error(codes.Unavailable, "down")
	for _, tc := range []struct {
		name     string
		err      error
		attempts int
	}{
		{"unavailable is tried again", unavailable, 3},
		{"internal is tried again", status.Error(codes.Internal, "broker down"), 3},
		{"invalid argument is not", status.Error(codes.InvalidArgument, "no"), 1},
		{"not found is not", status.Error(codes.NotFound, "no"), 1},
		{"permission denied is not", status.Error(codes.PermissionDenied, "no"), 1},
		{"unauthenticated is not", status.Error(codes.Unauthenticated, "no"), 1},
		{"failed precondition is not", status.Error(codes.FailedPrecondition, "no"), 1},
		{"unimplemented is not", status.Error(codes.Unimplemented, "no"), 1},
		{"a message above the limit is not", status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)"), 1},
		{"another exhausted resource is tried again", status.Error(codes.ResourceExhausted, "busy"), 3},
		{"a conflict is not", fmt.Errorf("save: %w", ErrConflict), 1},
		{"a broken connection is tried again", &net.OpError{Op: "read", Err: errors.New("reset")}, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{cfg: Config{}.withDefaults()}
				var at []time.Duration
				start := time.Now()
				err := c.do(t.Context(), "call", "component", func(context.Context) error {
					at = append(at, time.Since(start))
					return tc.err
				})
				var e *Error
				if !errors.As(err, &e) || e.Attempts != tc.attempts || len(at) != tc.attempts || !errors.Is(err, tc.err) {
					t.Fatalf("got %v after %d attempts, want %v after %d", err, len(at), tc.err, tc.attempts)
				}
				if want := fmt.Sprintf("call on component failed after %d attempt", tc.attempts); !strings.Contains(err.Error(), want) {
					t.Errorf("got message %q, want it to say %q", err, want)
				}
				for i, mid := range []time.Duration{500 * time.Millisecond, time.Second}[:tc.attempts-1] {
					if wait := at[i+1] - at[i]; wait < mid/2 || wait > mid*3/2 {
						t.Errorf("wait %d: got %s, want %s ± 50 %%", i+1, wait, mid)
					}
				}
			})
		})
	}
}

func TestAttemptsHaveATimeLimitWithinTheCallersContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &Client{cfg: Config{}.withDefaults()}
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		start := time.Now()
		err := c.do(t.Context(), "call", "component", hang)
		if e := new(Error); !errors.As(err, &e) || e.Attempts != 3 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("hanging sidecar: got %v, want 3 attempts and a deadline", err)
		}
		if took := time.Since(start); took < 30*time.Second || took > 33*time.Second {
			t.Errorf("hanging sidecar: took %s, want 3 × 10 s and the waits", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		start = time.Now()
		err = c.do(ctx, "call", "component", hang)
		if e := new(Error); !errors.As(err, &e) || e.Attempts != 1 || time.Since(start) != 4*time.Second {
			t.Errorf("caller's deadline: got %v after %s, want one attempt of 4 s", err, time.Since(start))
		}
		ctx, cancel = context.WithCancel(t.Context())
		err = c.do(ctx, "call", "component", func(context.Context) error { cancel(); return status.Error(codes.Unavailable, "down") })
		if e := new(Error); !errors.As(err, &e) || e.Attempts != 1 || !errors.Is(err, context.Canceled) || status.Code(e.Err) != codes.Unavailable {
			t.Errorf("cancelled caller: got %v, want one attempt, its error and the cancellation", err)
		}
	})
}
