package auditlog

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func TestLeafIsCanonical(t *testing.T) {
	at := time.Date(2026, 11, 24, 9, 0, 0, 120_000_999, time.FixedZone("CET", 3600))
	l := Leaf{RecordedAt: at, Event: []byte("{\"a\": 1}\n\n{}")}
	want := "taskwire-audit-entry/v1\nrecorded_at 2026-11-24T08:00:00.120000Z\n\n{\"a\": 1}\n\n{}"
	if got := string(l.Bytes()); got != want {
		t.Fatalf("Bytes(): got %q, want %q", got, want)
	}
	back, err := ParseLeaf(l.Bytes())
	if err != nil || !bytes.Equal(back.Event, l.Event) || !back.RecordedAt.Equal(at.Truncate(time.Microsecond)) {
		t.Fatalf("ParseLeaf(Bytes()): got %+v (%v), want the same leaf", back, err)
	}
	// RFC 6962, 2.1: SHA-256 of 0x00 and the leaf. The value was computed with sha256sum, not with this code.
	if got, want := l.Hash().String(), "dGCiCd94FPJhdHeCZ2UvBg4EbGLQDVvTD1RjOEEQEnQ="; got != want {
		t.Errorf("Hash(): got %s, want %s", got, want)
	}
}

func TestParseLeafRefusesOtherForms(t *testing.T) {
	for name, in := range map[string]string{
		"empty":            "",
		"other version":    "taskwire-audit-entry/v2\nrecorded_at 2026-11-24T08:00:00.120000Z\n\n{}",
		"no empty line":    "taskwire-audit-entry/v1\nrecorded_at 2026-11-24T08:00:00.120000Z\n{}",
		"three decimals":   "taskwire-audit-entry/v1\nrecorded_at 2026-11-24T08:00:00.120Z\n\n{}",
		"nine decimals":    "taskwire-audit-entry/v1\nrecorded_at 2026-11-24T08:00:00.120000000Z\n\n{}",
		"another zone":     "taskwire-audit-entry/v1\nrecorded_at 2026-11-24T08:00:00.120000+01:00\n\n{}",
		"no such day":      "taskwire-audit-entry/v1\nrecorded_at 2026-11-31T08:00:00.120000Z\n\n{}",
		"comma for a dot":  "taskwire-audit-entry/v1\nrecorded_at 2026-11-24T08:00:00,120000Z\n\n{}",
		"one digit's hour": "taskwire-audit-entry/v1\nrecorded_at 2026-11-24T8:00:00.120000Z\n\n{}",
	} {
		if l, err := ParseLeaf([]byte(in)); !errors.Is(err, ErrLeaf) {
			t.Errorf("%s: got %+v (%v), want ErrLeaf", name, l, err)
		}
	}
}

// log is a tree in memory.
type log struct {
	leaves [][]byte
	hashes []tlog.Hash
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = l.hashes[index]
	}
	return out, nil
}

func (l *log) add(t *testing.T, leaf []byte) {
	t.Helper()
	hashes, err := tlog.StoredHashes(int64(len(l.leaves)), leaf, l)
	if err != nil {
		t.Fatal(err)
	}
	l.leaves, l.hashes = append(l.leaves, leaf), append(l.hashes, hashes...)
}

func (l *log) at(t *testing.T, origin string, size int64) Checkpoint {
	t.Helper()
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		t.Fatal(err)
	}
	return Checkpoint{Origin: origin, Size: size, Root: root}
}

func TestProofsHoldForEveryPairAndBreakWithAnyChange(t *testing.T) {
	const n = 17
	var l log
	for i := range n {
		l.add(t, Leaf{RecordedAt: time.Unix(int64(i), 0), Event: fmt.Appendf(nil, `{"n":%d}`, i)}.Bytes())
	}
	for size := int64(1); size <= n; size++ {
		head := l.at(t, "log", size)
		for at := range size {
			proof, err := tlog.ProveRecord(size, at, &l)
			if err != nil {
				t.Fatal(err)
			}
			if err := Inclusion(head, at, l.leaves[at], proof); err != nil {
				t.Errorf("Inclusion(%d of %d): %v", at, size, err)
			}
			forged := bytes.Replace(l.leaves[at], []byte(`"n"`), []byte(`"m"`), 1)
			if Inclusion(head, at, forged, proof) == nil {
				t.Errorf("Inclusion(%d of %d) accepted another leaf", at, size)
			}
		}
		for old := int64(1); old <= size; old++ {
			proof, err := tlog.ProveTree(size, old, &l)
			if err != nil {
				t.Fatal(err)
			}
			older := l.at(t, "log", old)
			if err := Consistency(older, head, proof); err != nil {
				t.Errorf("Consistency(%d, %d): %v", old, size, err)
			}
			older.Root[0] ^= 1
			if Consistency(older, head, proof) == nil {
				t.Errorf("Consistency(%d, %d) accepted another history", old, size)
			}
		}
	}
	if Consistency(l.at(t, "other", 2), l.at(t, "log", 2), nil) == nil {
		t.Error("Consistency accepted checkpoints of two logs")
	}
}

func TestCheckpointOpensOnlyWithItsKey(t *testing.T) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := VerifierKey(skey); err != nil || got != vkey {
		t.Fatalf("VerifierKey: got %q (%v), want %q", got, err, vkey)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	want := Checkpoint{Origin: "taskwire-audit", Size: 3, Root: tlog.RecordHash([]byte("x"))}
	signed, err := want.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenCheckpoint(signed, vkey); err != nil || got != want {
		t.Errorf("OpenCheckpoint: got %+v (%v), want %+v", got, err, want)
	}
	if again, err := want.Sign(signer); err != nil || !bytes.Equal(again, signed) {
		t.Errorf("Sign twice: got %q and %q (%v), want the same", signed, again, err)
	}
	forged := bytes.Replace(signed, []byte("\n3\n"), []byte("\n4\n"), 1)
	if c, err := OpenCheckpoint(forged, vkey); err == nil {
		t.Errorf("OpenCheckpoint accepted a changed size: %+v", c)
	}
	_, other, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := OpenCheckpoint(signed, other); err == nil {
		t.Errorf("OpenCheckpoint accepted another key: %+v", c)
	}
	foreign, err := Checkpoint{Origin: "elsewhere", Size: 3, Root: want.Root}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := OpenCheckpoint(foreign, vkey); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("OpenCheckpoint accepted another origin: %+v (%v)", c, err)
	}
}

func TestOpenCheckpointRefusesBadText(t *testing.T) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	root := tlog.Hash{}.String()
	for name, text := range map[string]string{
		"one line":      "log\n",
		"negative size": "log\n-1\n" + root + "\n",
		"padded size":   "log\n03\n" + root + "\n",
		"short root":    "log\n3\nAAAA\n",
	} {
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := OpenCheckpoint(signed, vkey); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: got %+v (%v), want ErrCheckpoint", name, c, err)
		}
	}
}

func TestVerifierKeyRefusesOtherKeys(t *testing.T) {
	for _, skey := range []string{"", "PRIVATE+KEY+log+00000000", "PRIVATE+KEY+log+00000000+AAAA", strings.Repeat("+", 9)} {
		if got, err := VerifierKey(skey); err == nil {
			t.Errorf("VerifierKey(%q): got %q, want an error", skey, got)
		}
	}
}
