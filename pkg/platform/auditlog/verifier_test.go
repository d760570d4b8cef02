package auditlog

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// exported is a log with its export, in lines.
type exported struct {
	key     string
	signer  note.Signer
	entries []Entry
	log     log
}

func newExported(t *testing.T, n int) *exported {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	x := &exported{key: vkey, signer: signer}
	const id = "01a21f53-697c-770d-a6a2-bb59881d7555"
	for i := range n {
		leaf := Leaf{RecordedAt: time.Unix(int64(i), 0).UTC(), Event: fmt.Appendf(nil, `{"event_id": %q, "event_type": "x", "user_id": %q, "seq": %d, "timestamp": "2026-11-27T10:00:00Z"}`, id, id, i)}
		fields, err := FieldsOf(leaf.Event)
		if err != nil {
			t.Fatal(err)
		}
		hash := leaf.Hash()
		x.log.add(t, leaf.Bytes())
		x.entries = append(x.entries, Entry{Position: int64(i), Fields: fields, RecordedAt: leaf.RecordedAt, Leaf: leaf.Bytes(), LeafHash: hash[:], TreeHash: &hash})
	}
	return x
}

func (x *exported) signed(t *testing.T, size int64) string {
	t.Helper()
	signed, err := x.log.at(t, "taskwire-audit", size).Sign(x.signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

// lines returns the export of the entries from one position to another.
func (x *exported) lines(t *testing.T, whole bool, from, to int64, complete bool) []string {
	t.Helper()
	size := int64(len(x.entries))
	all := []Line{{Log: &ExportLog{Format: ExportFormat, Whole: whole, From: from, Checkpoint: x.signed(t, size), Key: x.key}}}
	for i := from; i < to; i++ {
		e := x.entries[i]
		if !whole {
			proof, err := tlog.ProveRecord(size, i, &x.log)
			if err != nil {
				t.Fatal(err)
			}
			e.TreeHash, e.Proof = nil, proof
		}
		all = append(all, Line{Entry: &e})
	}
	all = append(all, Line{End: &ExportEnd{Next: to, Complete: complete}})
	out := make([]string, len(all))
	for i, l := range all {
		raw, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = string(raw)
	}
	return out
}

func give(v *Verifier, lines []string) error {
	for _, line := range lines {
		if err := v.Line([]byte(line)); err != nil {
			return err
		}
	}
	return nil
}

func TestAnExportIsVerifiedInPartsAndAfterACut(t *testing.T) {
	const n = 3*lookAhead + 7
	x := newExported(t, n)
	kept, err := OpenCheckpoint([]byte(x.signed(t, 100)), x.key)
	if err != nil {
		t.Fatal(err)
	}
	v := NewVerifier(x.key, kept)
	first := x.lines(t, true, 0, 700, false)
	if err := give(v, first); err != nil {
		t.Fatal(err)
	}
	if err := v.Done(); !errors.Is(err, ErrCut) {
		t.Errorf("Done after a part: got %v, want ErrCut", err)
	}
	v.Resume()
	cut := x.lines(t, true, v.Next(), n, true)
	if err := give(v, cut[:300]); err != nil { // the connection ended
		t.Fatal(err)
	}
	v.Resume()
	if err := errors.Join(give(v, x.lines(t, true, v.Next(), n, true)), v.Done()); err != nil {
		t.Fatal(err)
	}
	if r := v.Result(); r.Entries != n || r.Checkpoints != 2 || r.Checkpoint.Size != n {
		t.Errorf("Result: got %+v, want %d entries and 2 checkpoints", r, n)
	}
}

func TestTheEntriesOfOneUserAreVerifiedByTheirProofs(t *testing.T) {
	x := newExported(t, 20)
	v := NewVerifier(x.key)
	if err := errors.Join(give(v, x.lines(t, false, 3, 9, true)[:1]), give(v, nil)); err == nil {
		t.Fatal("an export that begins at 3 was taken for one from 0")
	}
	v = NewVerifier(x.key)
	if err := errors.Join(give(v, x.lines(t, false, 0, 20, true)), v.Done()); err != nil || v.Result().Entries != 20 {
		t.Errorf("got %v and %d entries", err, v.Result().Entries)
	}
	lines := x.lines(t, false, 0, 20, true)
	lines[4] = strings.Replace(lines[5], `"position":4`, `"position":3`, 1) // another entry in its place
	var bad *Difference
	if err := give(NewVerifier(x.key), lines); !errors.As(err, &bad) || bad.Kind != KindProof || bad.Position != 3 {
		t.Errorf("got %v, want the wrong proof of entry 3", err)
	}
}

func TestOtherLinesAreNoExport(t *testing.T) {
	x := newExported(t, 3)
	good := x.lines(t, true, 0, 3, true)
	for name, lines := range map[string][]string{
		"no JSON":          {"{"},
		"no first line":    good[1:],
		"two first lines":  {good[0], good[0]},
		"another format":   {strings.Replace(good[0], ExportFormat, "other/v1", 1)},
		"an unknown line":  {good[0], `{"more":1}`},
		"an entry twice":   {good[0], good[1], good[1]},
		"a wrong end":      {good[0], good[1], `{"end":{"next":3,"complete":false}}`},
		"after the end":    append(append([]string{}, good...), good[1]),
		"a late beginning": x.lines(t, true, 1, 3, true),
	} {
		if err := give(NewVerifier(x.key), lines); !errors.Is(err, ErrExport) {
			t.Errorf("%s: got %v, want ErrExport", name, err)
		}
	}
	if err := NewVerifier(x.key).Done(); !errors.Is(err, ErrExport) {
		t.Errorf("an empty file: got %v, want ErrExport", err)
	}
}

func TestTheTreeGivesTheRootsOfTheStoredOne(t *testing.T) {
	x := newExported(t, 70)
	var tree Tree
	for i := range x.entries {
		at := tlog.StoredHashCount(tree.Size())
		for k, hash := range tree.Append(tlog.RecordHash(x.entries[i].Leaf)) {
			if x.log.hashes[at+int64(k)] != hash {
				t.Fatalf("entry %d, hash %d differs", i, k)
			}
		}
		if want := x.log.at(t, "", tree.Size()).Root; tree.Root() != want {
			t.Fatalf("root of %d: got %s, want %s", tree.Size(), tree.Root(), want)
		}
	}
}

func TestKeptCheckpointsAreReadFromBothForms(t *testing.T) {
	x := newExported(t, 5)
	var published []string
	for _, size := range []int64{2, 5} {
		raw, err := json.Marshal(Published{Size: size, Checkpoint: x.signed(t, size)})
		if err != nil {
			t.Fatal(err)
		}
		published = append(published, string(raw))
	}
	for name, file := range map[string]string{
		"notes":            x.signed(t, 2) + "\n" + x.signed(t, 5),
		"notes in a row":   x.signed(t, 2) + x.signed(t, 5),
		"lines":            strings.Join(published, "\n"),
		"with blank lines": "\n\n" + x.signed(t, 2) + "\n\n" + x.signed(t, 5) + "\n",
	} {
		all, err := OpenCheckpoints([]byte(file), x.key)
		if err != nil || len(all) != 2 || all[0].Size != 2 || all[1].Size != 5 {
			t.Errorf("%s: got %+v, %v", name, all, err)
		}
	}
	for _, key := range []string{x.key, ""} {
		for _, file := range []string{x.signed(t, 5) + "\n" + x.signed(t, 2), published[1] + "\n" + published[0]} {
			if newest, err := NewestCheckpoint([]byte(file), key); err != nil || string(newest) != x.signed(t, 5) {
				t.Errorf("NewestCheckpoint with key %q: got %q, %v, want the one of size 5", key, newest, err)
			}
		}
		for _, file := range []string{"", "text", `{"size":1}`, "{", "text\n\n" + x.signed(t, 2)} {
			if newest, err := NewestCheckpoint([]byte(file), key); err == nil {
				t.Errorf("NewestCheckpoint(%q) with key %q: got %q, want an error", file, key, newest)
			}
		}
	}
	if _, err := NewestCheckpoint([]byte(x.signed(t, 2)), newExported(t, 1).key); err == nil || !NotSigned(err) {
		t.Errorf("NewestCheckpoint with another key: got %v, want that it is not signed", err)
	}
	for _, file := range []string{"", "text", `{"size":1}`, "{", x.signed(t, 2) + "text"} {
		if all, err := OpenCheckpoints([]byte(file), x.key); err == nil {
			t.Errorf("%q: got %+v, want an error", file, all)
		}
	}
}
