package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/services/audit/internal/domain"
	"github.com/taskwire/taskwire/services/audit/internal/postgres"
	"github.com/taskwire/taskwire/testkit/pgtest"
)

func open(t testing.TB) (*postgres.Store, *pgtest.DB) {
	t.Helper()
	db := pgtest.New(t, "audit", postgres.Migrations())
	return postgres.New(db.Gorm), db
}

// change returns the entry of one event of a task; n makes its time and content unique.
func change(t testing.TB, user, task string, version int64, n int) *domain.Entry {
	t.Helper()
	// spaces, order, escapes and a large number
	raw := fmt.Appendf(nil, `{"b": %d, "event_id": %q, "event_type": "updated", "user_id": %q, "task_id": %q, "task_version": %d, "seq": %d, "a":  "é < \u00e9", "timestamp": %q, "n": 9007199254740993}`,
		n, uuid.NewString(), user, task, version, n, time.Unix(int64(n), 0).UTC().Format(time.RFC3339))
	e, err := domain.NewEntry(raw, time.Unix(int64(n), 123_456_000))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func changes(t testing.TB, n int) []*domain.Entry {
	t.Helper()
	out := make([]*domain.Entry, n)
	for i := range out {
		out[i] = change(t, uuid.NewString(), uuid.NewString(), 1, i)
	}
	return out
}

func add(t testing.TB, s *postgres.Store, entries ...*domain.Entry) {
	t.Helper()
	if _, err := s.Append(context.Background(), entries); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

// checkTree reads the whole log and checks positions, leaves, bytes and the root against a newly built tree.
func checkTree(t testing.TB, s *postgres.Store, want int) []domain.Entry {
	t.Helper()
	ctx := context.Background()
	all, err := s.List(ctx, domain.Filter{}, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != want {
		t.Fatalf("log has %d entries, want %d", len(all), want)
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = hashes[index]
		}
		return out, nil
	})
	ids := map[string]bool{}
	for i, e := range all {
		if e.Position != int64(i) || ids[e.EventID] {
			t.Fatalf("entry %d: position %d, event %s (twice: %v)", i, e.Position, e.EventID, ids[e.EventID])
		}
		ids[e.EventID] = true
		more, err := tlog.StoredHashes(int64(i), e.Leaf(), reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	stored := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) { return s.ReadHashes(ctx, indexes) })
	for size := int64(0); size <= int64(want); size += max(1, int64(want)/7) {
		built, err := tlog.TreeHash(size, reader)
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := tlog.TreeHash(size, stored); err != nil || kept != built {
			t.Fatalf("root of size %d: got %v (%v), want %v", size, kept, err, built)
		}
	}
	return all
}

func TestAppendKeepsTheExactBytes(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	want := change(t, uuid.NewString(), uuid.NewString(), 3, 7)
	add(t, s, want)
	got := checkTree(t, s, 1)[0]
	if !bytes.Equal(got.Event, want.Event) || !bytes.Equal(got.Leaf(), want.Leaf()) || got.LeafHash != want.LeafHash {
		t.Errorf("bytes: got %q, want %q", got.Leaf(), want.Leaf())
	}
	if got.TaskVersion != 3 || got.Seq != 7 || got.EventType != "updated" || !got.OccurredAt.Equal(want.OccurredAt) || !got.RecordedAt.Equal(want.RecordedAt) {
		t.Errorf("columns: got %+v, want %+v", got, want)
	}
}

func TestAppendAddsAnEventOnce(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	entries := changes(t, 3)
	for _, c := range []struct {
		name  string
		batch []*domain.Entry
		added int
	}{
		{"new", entries[:2], 2},
		{"again", entries[:2], 0},
		{"known and new", []*domain.Entry{entries[1], entries[2], entries[0]}, 1},
		{"twice in one batch", slices.Repeat(changes(t, 1), 2), 1},
	} {
		added, err := s.Append(context.Background(), c.batch)
		if err != nil || added != c.added {
			t.Errorf("%s: added %d (%v), want %d", c.name, added, err, c.added)
		}
	}
	checkTree(t, s, 4)
}

// Six stores append at the same time. Two of them append each event.
func TestConcurrentAppendsOfReplicasMakeOneLog(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	entries := changes(t, 240)
	var running sync.WaitGroup
	for replica := range 6 {
		other := postgres.New(db.Gorm)
		running.Go(func() {
			r := rand.New(rand.NewPCG(uint64(replica), 3))
			for at := replica % 3 * 80; at < replica%3*80+80; {
				n := min(1+r.IntN(9), replica%3*80+80-at)
				batch := make([]*domain.Entry, n)
				for i := range batch { // a copy, because Append writes the position into the entry
					e := *entries[at+i]
					batch[i] = &e
				}
				if _, err := other.Append(context.Background(), batch); err != nil {
					t.Errorf("Append: %v", err)
				}
				at += n
			}
		})
	}
	running.Wait()
	checkTree(t, s, 240)
}

func TestBatchesOfAnySizeBuildTheSameTree(t *testing.T) {
	t.Parallel()
	const total = 70
	for _, batch := range []int{1, 2, 3, 7, 16, total} {
		s, _ := open(t)
		entries := changes(t, total)
		for at := 0; at < total; at += batch {
			add(t, s, entries[at:min(at+batch, total)]...)
		}
		checkTree(t, s, total)
	}
}

func TestAFailedAppendLeavesNothing(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	add(t, s, changes(t, 5)...)
	bad := change(t, uuid.NewString(), uuid.NewString(), 1, 1)
	bad.Event = bytes.Replace(bad.Event, []byte(`"b"`), []byte(`"a\u0000b"`), 1) // JSON can hold a NUL, Postgres cannot
	batch := append(changes(t, 2), bad)
	if added, err := s.Append(context.Background(), batch); !errors.Is(err, domain.ErrUnstorable) {
		t.Errorf("Append with a NUL: got %d (%v), want ErrUnstorable", added, err)
	}
	checkTree(t, s, 5)
	add(t, s, batch[:2]...)
	checkTree(t, s, 7)
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 12, 100, 256} {
		b.Run(fmt.Sprint("batch", size), func(b *testing.B) {
			s, _ := open(b)
			for b.Loop() {
				b.StopTimer()
				batch := changes(b, size)
				b.StartTimer()
				add(b, s, batch...)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
