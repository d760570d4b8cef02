package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit/internal/audittest"
	"github.com/taskwire/taskwire/services/audit/internal/domain"
)

func TestListFiltersAndPages(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ann, bob, task := uuid.NewString(), uuid.NewString(), uuid.NewString()
	var entries []*domain.Entry
	for i := range 12 {
		e := change(t, ann, task, int64(i+1), i)
		if i%2 == 1 {
			e = change(t, bob, uuid.NewString(), 1, i)
		}
		if i%3 == 0 {
			var err error
			if e, err = domain.NewEntry(bytes.Replace(e.Event, []byte(`"updated"`), []byte(`"created"`), 1), e.RecordedAt); err != nil {
				t.Fatal(err)
			}
		}
		entries = append(entries, e)
	}
	add(t, s, entries...)
	at := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		filter domain.Filter
		limit  int
		want   []int64
	}{
		"all":             {domain.Filter{}, 100, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		"one user":        {domain.Filter{UserID: ann}, 100, []int64{0, 2, 4, 6, 8, 10}},
		"newest first":    {domain.Filter{UserID: ann, Newest: true}, 3, []int64{10, 8, 6}},
		"newest, page 2":  {domain.Filter{UserID: ann, Newest: true, After: at(6)}, 3, []int64{4, 2, 0}},
		"page 2":          {domain.Filter{UserID: ann, After: at(4)}, 2, []int64{6, 8}},
		"a task":          {domain.Filter{TaskID: task}, 100, []int64{0, 2, 4, 6, 8, 10}},
		"another's task":  {domain.Filter{UserID: bob, TaskID: task}, 100, nil},
		"a type":          {domain.Filter{EventTypes: []string{"created"}}, 100, []int64{0, 3, 6, 9}},
		"types":           {domain.Filter{UserID: bob, EventTypes: []string{"created", "updated"}}, 100, []int64{1, 3, 5, 7, 9, 11}},
		"since and until": {domain.Filter{Since: time.Unix(3, 0), Until: time.Unix(6, 0)}, 100, []int64{3, 4, 5}},
	} {
		got, err := s.List(context.Background(), c.filter, c.limit)
		if err != nil || !slices.Equal(positions(got), c.want) {
			t.Errorf("%s: got %v (%v), want %v", name, positions(got), err, c.want)
		}
	}
}

func TestHistoryIsOrderedByVersionInAnyOrderOfArrival(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	user, task := uuid.NewString(), uuid.NewString()
	for i, version := range []int64{2, 4, 1, 0, 3, 0} { // 0: the original form has no version
		add(t, s, change(t, user, task, version, i))
	}
	ctx := context.Background()
	got, err := s.History(ctx, domain.HistoryFilter{TaskID: task}, 100)
	if want := []int64{3, 5, 2, 0, 4, 1}; err != nil || !slices.Equal(positions(got), want) {
		t.Errorf("History: got positions %v (%v), want %v", positions(got), err, want)
	}
	got, err = s.History(ctx, domain.HistoryFilter{UserID: user, TaskID: task, After: &domain.HistoryKey{TaskVersion: 0, Position: 3}}, 3)
	if want := []int64{5, 2, 0}; err != nil || !slices.Equal(positions(got), want) {
		t.Errorf("second page: got positions %v (%v), want %v", positions(got), err, want)
	}
	if got, err := s.History(ctx, domain.HistoryFilter{UserID: uuid.NewString(), TaskID: task}, 3); err != nil || len(got) != 0 {
		t.Errorf("another user: got positions %v (%v), want none", positions(got), err)
	}
}

func positions(entries []domain.Entry) []int64 {
	var out []int64
	for _, e := range entries {
		out = append(out, e.Position)
	}
	return out
}

func TestReadHashesRefusesMissingHashes(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	if got, err := s.ReadHashes(context.Background(), []int64{0}); err == nil {
		t.Errorf("ReadHashes of an empty tree: got %v, want an error", got)
	}
	if _, err := s.ByPosition(context.Background(), 0); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("ByPosition: got %v, want ErrNotFound", err)
	}
	if _, err := s.ByEventID(context.Background(), uuid.NewString()); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("ByEventID: got %v, want ErrNotFound", err)
	}
}

// Verifies checkpoints and proofs with package auditlog, as an auditor does.
func TestProofsOfTheStoredTreeVerify(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	signer := audittest.NewSigner(t)
	log := audittest.Open(t, s, signer, slog.New(slog.DiscardHandler))
	ctx := context.Background()
	var heads []auditlog.Checkpoint
	for i := range 4 {
		add(t, s, changes(t, 1+5*i)...)
		signed, err := log.Checkpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		head, err := auditlog.OpenCheckpoint(signed, signer.Key)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	last := heads[len(heads)-1]
	for _, head := range heads {
		c, err := log.ProveConsistency(ctx, head.Size, last.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := auditlog.Consistency(head, last, c.Hashes); err != nil {
			t.Error(err)
		}
		for position := range head.Size {
			p, err := log.ProveInclusion(ctx, "", domain.EntryRef{Position: position}, head.Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := auditlog.Inclusion(head, position, p.Entry.Leaf(), p.Hashes); err != nil {
				t.Error(err)
			}
		}
	}
}
