package domain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// reader is a recorder with a clock and the entries that it added.
type reader struct {
	*Reads
	now   time.Time
	added []*Entry
	fail  error
}

func newReader() *reader {
	r := &reader{now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	r.Reads = NewReads(func(_ context.Context, e *Entry) error {
		if r.fail == nil {
			r.added = append(r.added, e)
		}
		return r.fail
	}, func() time.Time { return r.now })
	return r
}

func TestPagesOfAMinuteAreOneEntry(t *testing.T) {
	r := newReader()
	read := Read{Reader: userID, Address: "2001:db8::1", Route: "/api/v1/audit", Filter: "event_type=created"}
	for range 5 {
		if err := r.Record(t.Context(), read); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.added) != 1 {
		t.Fatalf("entries: got %d, want 1", len(r.added))
	}
	e := r.added[0]
	if e.EventType != EventAuditRead || e.UserID != userID || e.Actor != userID || e.TaskID != "" || !strings.Contains(string(e.Event), `"filter":"event_type=created"`) {
		t.Errorf("got %+v with %s, want a read by %s", e, e.Event, userID)
	}
	other := read
	other.Filter = ""
	r.now = r.now.Add(readWindow - time.Nanosecond)
	for _, asks := range []Read{read, other} {
		if err := r.Record(t.Context(), asks); err != nil {
			t.Fatal(err)
		}
	}
	r.now = r.now.Add(time.Nanosecond)
	if err := r.Record(t.Context(), read); err != nil || len(r.added) != 3 {
		t.Errorf("another filter, and the same after a minute: got %d entries (%v), want 3", len(r.added), err)
	}
}

func TestAReaderCannotGrowTheLogWithoutEnd(t *testing.T) {
	r := newReader()
	for i := range readsPerWindow {
		if err := r.Record(t.Context(), Read{Reader: userID, Filter: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	var many *TooManyReadsError
	if err := r.Record(t.Context(), Read{Reader: userID, Filter: "more"}); !errors.As(err, &many) || many.Wait != readWindow {
		t.Errorf("one more: got %v, want to wait %s", err, readWindow)
	}
	if err := r.Record(t.Context(), Read{Reader: userID, Filter: "0"}); err != nil {
		t.Errorf("a read that is recorded already: %v", err)
	}
	if err := r.Record(t.Context(), Read{Reader: eventID}); err != nil {
		t.Errorf("another reader: %v", err)
	}
	r.now = r.now.Add(readWindow)
	if err := r.Record(t.Context(), Read{Reader: userID, Filter: "more"}); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestAReadThatIsNotRecordedIsRecordedNextTime(t *testing.T) {
	r := newReader()
	r.fail = errors.New("the database is away")
	if err := r.Record(t.Context(), Read{Reader: userID}); !errors.Is(err, r.fail) {
		t.Errorf("got %v, want %v", err, r.fail)
	}
	r.fail = nil
	if err := r.Record(t.Context(), Read{Reader: userID}); err != nil || len(r.added) != 1 {
		t.Errorf("again: got %d entries (%v), want 1", len(r.added), err)
	}
}
