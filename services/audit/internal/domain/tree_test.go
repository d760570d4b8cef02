package domain

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"golang.org/x/mod/sumdb/tlog"
)

// memory has the stored hashes of a tree that tlog builds in memory, one leaf at a time.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = m[index]
	}
	return out, nil
}

func newEntry(t testing.TB, n int) *Entry {
	t.Helper()
	ev := events.TaskEvent{
		EventID: uuid.NewString(), EventType: events.Updated, UserID: uuid.NewString(), TaskID: uuid.NewString(),
		TaskVersion: int64(n), Seq: int64(n), Timestamp: time.Unix(int64(n), 0),
	}
	e, err := NewEntry(ev, fmt.Appendf(nil, `{"n":%d}`, n), time.Unix(int64(n), 123_456_789))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestBatchesOfAnySizeBuildTheSameTree(t *testing.T) {
	const total = 70
	var entries []*Entry
	var want memory
	for i := range total {
		e := newEntry(t, i)
		hashes, err := tlog.StoredHashes(int64(i), e.Leaf(), want)
		if err != nil {
			t.Fatal(err)
		}
		entries, want = append(entries, e), append(want, hashes...)
	}
	for _, batch := range []int{1, 2, 3, 7, 16, total} {
		var got memory
		for at := 0; at < total; at += batch {
			size := int64(at)
			frontier := map[int64]tlog.Hash{}
			for _, index := range Frontier(size) {
				frontier[index] = got[index] // only the hashes that Frontier names, because Extend must need no others
			}
			part := entries[at:min(at+batch, total)]
			hashes, err := Extend(size, frontier, part)
			if err != nil {
				t.Fatalf("Extend(%d) by %d: %v", at, len(part), err)
			}
			if int64(len(got)) != tlog.StoredHashCount(size) {
				t.Fatalf("size %d: %d stored hashes, want %d", at, len(got), tlog.StoredHashCount(size))
			}
			got = append(got, hashes...)
			for i, e := range part {
				if e.Position != size+int64(i) {
					t.Fatalf("position: got %d, want %d", e.Position, size+int64(i))
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("batches of %d: the tree differs from the one that is built one leaf at a time", batch)
		}
	}
}

func TestExtendRefusesATreeWithAHole(t *testing.T) {
	if _, err := Extend(3, map[int64]tlog.Hash{}, []*Entry{newEntry(t, 1)}); err == nil {
		t.Error("Extend without its frontier: got nil, want an error")
	}
}

func TestNewEntry(t *testing.T) {
	user, raw := "6F1C0A52-7D0B-4E0F-8F5B-0A3A4E1B2C3D", []byte(`{"x": 1}`)
	at := time.Date(2026, 11, 24, 9, 0, 0, 1999, time.FixedZone("", 3600))
	ev := events.TaskEvent{EventID: uuid.NewString(), EventType: events.Created, UserID: user, TaskID: uuid.NewString(), Timestamp: at}
	e, err := NewEntry(ev, raw, at)
	if err != nil {
		t.Fatal(err)
	}
	if want := "6f1c0a52-7d0b-4e0f-8f5b-0a3a4e1b2c3d"; e.UserID != want || e.Actor != want {
		t.Errorf("user and actor of the original form: got %q, %q, want %q", e.UserID, e.Actor, want)
	}
	if want := time.Date(2026, 11, 24, 8, 0, 0, 1000, time.UTC); e.RecordedAt != want || e.OccurredAt != want {
		t.Errorf("times: got %v, %v, want %v", e.RecordedAt, e.OccurredAt, want)
	}
	if e.LeafHash != tlog.RecordHash(e.Leaf()) {
		t.Error("leaf_hash is not the hash of the leaf")
	}
	ev.TaskID = "not an id"
	if _, err := NewEntry(ev, raw, at); err == nil {
		t.Error("task_id that is not a UUID: got nil, want ErrUnstorable")
	}
}
