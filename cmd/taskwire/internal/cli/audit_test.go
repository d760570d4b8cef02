package cli

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// auditServer answers as a log does. Its tests change what it shows.
type auditServer struct {
	t      *testing.T
	url    string
	key    string
	signer note.Signer
	words  []string // the events' words, one for each entry
	cut    int      // the next export ends after so many lines, without its end
}

func newAuditServer(t *testing.T) *auditServer {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	s := &auditServer{t: t, key: vkey, signer: signer, words: []string{"a", "b", "c", "d"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/audit/key", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, vkey) })
	mux.HandleFunc("GET /api/v1/audit/checkpoint", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.checkpoint()) })
	mux.HandleFunc("GET /api/v1/audit/export", s.export)
	mux.HandleFunc("GET /api/v1/audit/proof/consistency", s.consistency)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	t.Setenv(tokenVariable, "token")
	return s
}

func (s *auditServer) entries() (all []auditlog.Entry, tree *auditlog.Tree, hashes []tlog.Hash) {
	tree = &auditlog.Tree{}
	const id = "01a21f53-697c-770d-a6a2-bb59881d7555"
	for i, word := range s.words {
		leaf := auditlog.Leaf{Event: fmt.Appendf(nil, `{"event_id": %q, "event_type": %q, "user_id": %q, "timestamp": "2026-11-27T10:00:00Z"}`, id, word, id)}
		fields, err := auditlog.FieldsOf(leaf.Event)
		if err != nil {
			s.t.Error(err)
		}
		hash := leaf.Hash()
		hashes = append(hashes, tree.Append(hash)...)
		all = append(all, auditlog.Entry{Position: int64(i), Fields: fields, RecordedAt: leaf.RecordedAt, Leaf: leaf.Bytes(), LeafHash: hash[:], TreeHash: &hash})
	}
	return all, tree, hashes
}

func (s *auditServer) checkpoint() string {
	_, tree, _ := s.entries()
	signed, err := auditlog.Checkpoint{Origin: "taskwire-audit", Size: tree.Size(), Root: tree.Root()}.Sign(s.signer)
	if err != nil {
		s.t.Error(err)
	}
	return string(signed)
}

func (s *auditServer) export(w http.ResponseWriter, r *http.Request) {
	var from int
	if _, err := fmt.Sscan(r.URL.Query().Get("from"), &from); err != nil {
		s.t.Errorf("from: %v", err)
	}
	all, _, _ := s.entries()
	lines := []auditlog.Line{{Log: &auditlog.ExportLog{Format: auditlog.ExportFormat, Whole: true, From: int64(from), Checkpoint: s.checkpoint()}}}
	for i := range all[from:] {
		lines = append(lines, auditlog.Line{Entry: &all[from+i]})
	}
	lines = append(lines, auditlog.Line{End: &auditlog.ExportEnd{Next: int64(len(all)), Complete: true}})
	if s.cut > 0 {
		lines, s.cut = lines[:s.cut], 0
	}
	for _, line := range lines {
		_ = json.NewEncoder(w).Encode(line)
	}
}

func (s *auditServer) consistency(w http.ResponseWriter, r *http.Request) {
	var from, to int64
	_, _ = fmt.Sscan(r.URL.Query().Get("from"), &from)
	_, _ = fmt.Sscan(r.URL.Query().Get("to"), &to)
	_, _, hashes := s.entries()
	proof, err := tlog.ProveTree(to, from, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = hashes[index]
		}
		return out, nil
	}))
	if err != nil {
		s.t.Error(err)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"hashes": proof})
}

func TestAuditVerifyNamesTheEntryAndItsExitCode(t *testing.T) {
	s := newAuditServer(t)
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(kept, []byte(s.checkpoint()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(code int, says string, args ...string) {
		t.Helper()
		got, out, errs := call(t, append([]string{"audit", "verify", "--url", s.url, "--key", s.key}, args...)...)
		if got != code || !strings.Contains(out+errs, says) {
			t.Errorf("%v: got %d %q %q, want %d and %q", args, got, out, errs, code, says)
		}
	}
	run(0, "4 entries are what was signed", "--checkpoint", kept)
	s.cut = 3 // it goes on where the answer was cut
	run(0, "4 entries are what was signed")
	s.words = append(s.words, "e")
	run(0, "5 entries are what was signed; 2 checkpoints agree", "--checkpoint", kept)
	s.words[2] = "rewritten"
	run(0, "5 entries") // without a kept checkpoint nobody can know
	run(1, "the log was rewritten: its first 4 entries", "--checkpoint", kept)
	s.words = s.words[:3]
	run(1, "the log was cut: it has 3 entries, and a log of 4 was signed", "--checkpoint", kept)
	run(2, "no such file", "--checkpoint", kept+".not")
	run(2, "no such file", "--export", kept+".not")
	run(2, "not an export", "--export", kept)
	other := newAuditServer(t)
	if got, _, errs := call(t, "audit", "verify", "--url", s.url, "--key", other.key); got != 1 || !strings.Contains(errs, "not signed by the log's key") {
		t.Errorf("with another key: got %d %q, want 1", got, errs)
	}
}

func TestAuditWatchRaisesAnAlarmOnAForkAndAShrink(t *testing.T) {
	s := newAuditServer(t)
	file := filepath.Join(t.TempDir(), "kept")
	run := func(code int, says string) {
		t.Helper()
		got, out, errs := call(t, "audit", "watch", "--once", "--url", s.url, "--key", s.key, "--file", file)
		if got != code || !strings.Contains(out+errs, says) {
			t.Errorf("got %d %q %q, want %d and %q", got, out, errs, code, says)
		}
	}
	run(0, "4 entries")
	s.words = append(s.words, "e", "f")
	run(0, "6 entries")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.words = []string{"a", "b", "x", "d", "e", "f", "g"}
	run(1, "the log was forked")
	s.words = s.words[:2]
	run(1, "the log was cut")
	if now, err := os.ReadFile(file); err != nil || string(now) != string(good) {
		t.Errorf("the last good checkpoint was not kept: %q, %v", now, err)
	}
	s.words = []string{"a", "b", "c", "d", "e", "f"}
	run(0, "")
	s.url = "http://127.0.0.1:1"
	run(2, "ask the server")
}
