package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/taskwire/taskwire/pkg/platform/outbox"
	"github.com/taskwire/taskwire/pkg/platform/postgres"
)

func TestAChangeAndItsEventsCommitTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := event("tasks", "ann", "task-1", 1)
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		tx.Add(m)
		return tx.Exec("INSERT INTO account (key) VALUES ('ann')").Error
	})
	if err != nil {
		t.Fatalf("InTx: %v", err)
	}
	if got := w.count("SELECT count(*) FROM account"); got != 1 || w.waiting() != 1 {
		t.Errorf("changes = %d, events = %d; want 1, 1", got, w.waiting())
	}
	b := &broker{}
	w.mustOnce(w.relay(b))
	if got := b.published(); len(got) != 1 || !same(got[0], m) {
		t.Errorf("published %+v, want %+v", got, m)
	}
}

func same(a, b outbox.Message) bool {
	return a.Topic == b.Topic && a.Key == b.Key && a.EventID == b.EventID && a.Type == b.Type && a.Subject == b.Subject &&
		a.TraceParent == b.TraceParent && string(a.Data) == string(b.Data)
}

func TestAFailedTransactionLeavesNeitherChangeNorEvent(t *testing.T) {
	t.Parallel()
	failed := errors.New("no")
	good := event("tasks", "ann", "task-1", 1)
	with := func(change func(*outbox.Message)) outbox.Message {
		m := good
		change(&m)
		return m
	}
	for name, tc := range map[string]struct {
		add  []outbox.Message
		fn   error
		want error
		says string
	}{
		"fn fails":             {[]outbox.Message{good}, failed, failed, ""},
		"no topic":             {[]outbox.Message{with(func(m *outbox.Message) { m.Topic = "" })}, nil, outbox.ErrBadMessage, "Topic"},
		"no key":               {[]outbox.Message{with(func(m *outbox.Message) { m.Key = "" })}, nil, outbox.ErrBadMessage, "Key"},
		"no event id":          {[]outbox.Message{with(func(m *outbox.Message) { m.EventID = "" })}, nil, outbox.ErrBadMessage, "EventID"},
		"malformed event id":   {[]outbox.Message{with(func(m *outbox.Message) { m.EventID = "7" })}, nil, outbox.ErrBadMessage, `"7"`},
		"no type":              {[]outbox.Message{with(func(m *outbox.Message) { m.Type = "" })}, nil, outbox.ErrBadMessage, "Type"},
		"no subject":           {[]outbox.Message{with(func(m *outbox.Message) { m.Subject = "" })}, nil, outbox.ErrBadMessage, "Subject"},
		"no data":              {[]outbox.Message{with(func(m *outbox.Message) { m.Data = nil })}, nil, outbox.ErrBadMessage, "Data"},
		"bad after a good one": {[]outbox.Message{good, with(func(m *outbox.Message) { m.Data = nil })}, nil, outbox.ErrBadMessage, "Data"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
				for _, m := range tc.add {
					tx.Add(m)
				}
				return errors.Join(tx.Exec("INSERT INTO account (key) VALUES ('ann')").Error, tc.fn)
			})
			if !errors.Is(err, tc.want) || !strings.Contains(fmt.Sprint(err), tc.says) {
				t.Errorf("InTx = %v, want %v that says %q", err, tc.want, tc.says)
			}
			if got := w.count("SELECT count(*) FROM account"); got != 0 || w.waiting() != 0 {
				t.Errorf("changes = %d, events = %d; want none", got, w.waiting())
			}
			select {
			case <-w.box.Wake():
				t.Error("the relay was woken")
			default:
			}
		})
	}
}

func TestAPanicRollsBackAndIsRaisedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v, want boom", got)
			}
		}()
		_ = w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
			tx.Add(event("tasks", "ann", "task-1", 1))
			panic("boom")
		})
	}()
	if w.waiting() != 0 {
		t.Error("an event of a transaction that panicked stayed")
	}
	w.add(event("tasks", "ann", "task-1", 1)) // the connection can be used again
}

// TestAnErrorOfTheCommitIsReturned uses a deferred constraint, which is checked by the commit.
func TestAnErrorOfTheCommitIsReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.admin("ALTER TABLE change ADD CONSTRAINT once UNIQUE (n) DEFERRABLE INITIALLY DEFERRED")
	w.admin("ALTER TABLE change ALTER n DROP IDENTITY")
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		tx.Add(event("tasks", "ann", "task-1", 1))
		return tx.Exec("INSERT INTO change (event_id, n) VALUES (gen_random_uuid(), 1), (gen_random_uuid(), 1)").Error
	})
	if !postgres.IsUniqueViolation(err, "once") {
		t.Errorf("InTx = %v, want the violation of constraint once", err)
	}
	if w.waiting() != 0 {
		t.Error("an event of a transaction that did not commit stayed")
	}
}

func TestASessionLostBeforeTheCommitIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		tx.Add(event("tasks", "ann", "task-1", 1))
		var pid int
		if err := tx.Raw("SELECT pg_backend_pid()").Scan(&pid).Error; err != nil {
			return err
		}
		w.admin("SELECT pg_terminate_backend($1, 10000)", pid)
		return nil
	})
	if !postgres.IsUnavailable(err) {
		t.Errorf("InTx = %v, want an unavailable database", err)
	}
	if w.waiting() != 0 {
		t.Error("an event of a transaction that did not commit stayed")
	}
}

func TestACancelledCallerCommitsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := w.box.InTx(ctx, func(tx *outbox.Tx) error {
		tx.Add(event("tasks", "ann", "task-1", 1))
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("InTx = %v, want context.Canceled", err)
	}
	if w.waiting() != 0 {
		t.Error("an event of a cancelled transaction stayed")
	}
}

func TestManyEventsOfOneTransactionKeepTheirOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 2500 // more than two statements
	err := w.box.InTx(t.Context(), func(tx *outbox.Tx) error {
		for i := range n {
			tx.Add(event("tasks", "ann", "task-1", i))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("InTx: %v", err)
	}
	var datas []string
	if err := w.db.Gorm.Raw("SELECT convert_from(data, 'UTF8') FROM outbox ORDER BY id").Scan(&datas).Error; err != nil {
		t.Fatal(err)
	}
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprintf(`{"n":%d}`, i)
	}
	if !slices.Equal(datas, want) {
		t.Errorf("%d events are not in the order of Add", len(datas))
	}
}

func TestWakesCoalesceAndNeverBlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.add(event("tasks", "ann", "task-1", i))
	}
	<-w.box.Wake()
	select {
	case <-w.box.Wake():
		t.Error("a second wake for the same commits")
	default:
	}
	if err := w.box.InTx(t.Context(), func(*outbox.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.box.Wake():
		t.Error("a wake for a transaction without events")
	default:
	}
}

func TestAnEventCarriesTheTraceOfItsWrite(t *testing.T) {
	t.Parallel()
	const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	id, _ := trace.TraceIDFromHex("4bf92f3577b34da6a3ce929d0e0e4736")
	span, _ := trace.SpanIDFromHex("00f067aa0ba902b7")
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled}))
	w, b := newWorld(t), &broker{}
	err := w.box.InTx(ctx, func(tx *outbox.Tx) error {
		tx.Add(event("tasks", "ann", "task-1", 1))
		m := event("tasks", "ann", "task-2", 2)
		m.TraceParent = own
		tx.Add(m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.add(event("tasks", "ann", "task-3", 3))
	w.mustOnce(w.relay(b))
	got := map[int]string{}
	for _, m := range b.published() {
		got[number(m)] = m.TraceParent
	}
	want := map[int]string{1: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", 2: own, 3: ""}
	for n, parent := range want {
		if got[n] != parent {
			t.Errorf("event %d has trace parent %q, want %q", n, got[n], parent)
		}
	}
}
