package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	client "github.com/taskwire/taskwire/cmd/taskwire/internal/auditlog"
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
	own    bool     // the export is one of a user
	refuse int      // so many proofs of consistency are refused next
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
	all, _, hashes := s.entries()
	if s.own {
		for i := range all {
			proof, err := tlog.ProveRecord(int64(len(all)), int64(i), stored(hashes))
			if err != nil {
				s.t.Error(err)
			}
			all[i].TreeHash, all[i].Proof = nil, proof
		}
	}
	lines := []auditlog.Line{{Log: &auditlog.ExportLog{Format: auditlog.ExportFormat, Whole: !s.own, From: int64(from), Checkpoint: s.checkpoint()}}}
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
	if s.refuse > 0 {
		s.refuse--
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	_, _, hashes := s.entries()
	proof, err := tlog.ProveTree(to, from, stored(hashes))
	if err != nil {
		s.t.Error(err)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"hashes": proof})
}

func stored(hashes []tlog.Hash) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = hashes[index]
		}
		return out, nil
	})
}

// write puts a text into a new file and returns its name.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAuditVerifyNamesTheEntryAndItsExitCode(t *testing.T) {
	s := newAuditServer(t)
	kept := write(t, s.checkpoint())
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

// A server that calls the export one of a user does not get around the kept checkpoints.
func TestAuditVerifyComparesKeptCheckpointsForAUserToo(t *testing.T) {
	s := newAuditServer(t)
	s.own = true
	kept := write(t, s.checkpoint())
	run := func(code int, says string, args ...string) {
		t.Helper()
		got, out, errs := call(t, append([]string{"audit", "verify", "--key", s.key, "--checkpoint", kept}, args...)...)
		if got != code || !strings.Contains(out+errs, says) {
			t.Errorf("%v: got %d %q %q, want %d and %q", args, got, out, errs, code, says)
		}
	}
	file := func() string {
		w := httptest.NewRecorder()
		s.export(w, httptest.NewRequest(http.MethodGet, "/api/v1/audit/export?from=0", http.NoBody))
		return write(t, w.Body.String())
	}
	run(0, "4 of your entries", "--url", s.url)
	run(0, "4 of your entries", "--export", file()) // of the same size
	s.words = append(s.words, "e")
	run(0, "5 of your entries", "--url", s.url)
	run(2, "does not show that its log of 5 continues the checkpoint of 4", "--export", file())
	s.words[2] = "rewritten"
	run(1, "the log was forked", "--url", s.url)
	run(2, "does not show", "--export", file())
	s.refuse = 1
	run(2, "ask for the proof from 4 to 5", "--url", s.url)
	s.words = []string{"a", "b", "rewritten", "d"}
	run(1, "two roots were signed", "--url", s.url)
	run(1, "two roots were signed", "--export", file())
	s.words = s.words[:3]
	run(1, "the log was cut", "--url", s.url)
}

func TestAuditVerifyFindsAForkBetweenKeptCheckpoints(t *testing.T) {
	s := newAuditServer(t)
	first := s.checkpoint()
	s.words[3] = "rewritten"
	shown := s.checkpoint()
	for _, kept := range []string{write(t, first+"\n"+shown), write(t, shown+"\n"+first)} {
		for _, own := range []bool{false, true} {
			s.own = own
			if got, out, errs := call(t, "audit", "verify", "--url", s.url, "--key", s.key, "--checkpoint", kept); got != 1 || !strings.Contains(errs, "two roots were signed") {
				t.Errorf("an export of one user: %v: got %d %q %q, want 1", own, got, out, errs)
			}
		}
	}
}

// What cannot be read says nothing about the log, so it is no alarm.
func TestAKeyOrAKeptFileThatCannotBeReadIsNoAlarm(t *testing.T) {
	s := newAuditServer(t)
	good := write(t, s.checkpoint())
	other := write(t, newAuditServer(t).checkpoint())
	for _, c := range []struct {
		name, key, kept string
		code            int
	}{
		{"no key", "text", good, 2},
		{"no key and a new file", "text", "", 2},
		{"an empty key file", "@" + write(t, ""), good, 2},
		{"an empty file", s.key, write(t, ""), 2},
		{"a text", s.key, write(t, "text\n"), 2},
		{"a cut checkpoint", s.key, write(t, s.checkpoint()[:60]), 2},
		{"a checkpoint of another key", s.key, other, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := c.kept
			if file == "" {
				file = filepath.Join(t.TempDir(), "new")
			}
			for _, args := range [][]string{{"verify", "--checkpoint", c.kept}, {"watch", "--once", "--file", file}} {
				got, out, errs := call(t, append([]string{"audit", args[0], "--url", s.url, "--key", c.key}, args[1:]...)...)
				if got != c.code {
					t.Errorf("%s: got %d %q %q, want %d", args[0], got, out, errs, c.code)
				}
			}
		})
	}
}

func TestAuditWatchKeepsTheBadCheckpointToo(t *testing.T) {
	s := newAuditServer(t)
	file := write(t, s.checkpoint())
	s.words = []string{"a", "b", "x", "d", "e"}
	got, out, errs := call(t, "audit", "watch", "--once", "--url", s.url, "--key", s.key, "--file", file)
	if got != 1 || !strings.Contains(out, s.checkpoint()) {
		t.Errorf("got %d %q %q, want 1 and the checkpoint", got, out, errs)
	}
	if bad, err := os.ReadFile(file + ".bad"); err != nil || string(bad) != s.checkpoint() {
		t.Errorf("the bad checkpoint: got %q, %v", bad, err)
	}
}

func TestAuditWatchRaisesAnAlarmWhenProofsAreRefused(t *testing.T) {
	s := newAuditServer(t)
	file := write(t, s.checkpoint())
	s.words, s.refuse = append(s.words, "e"), client.MaxUnproved
	got, out, errs := call(t, "audit", "watch", "--every", "1ms", "--url", s.url, "--key", s.key, "--file", file)
	if got != 1 || !strings.Contains(errs, "is shown without a proof that it begins with the signed log of 4") {
		t.Errorf("got %d %q %q, want 1", got, out, errs)
	}
	if _, err := os.Stat(file + ".bad"); err != nil {
		t.Error(err)
	}

	s.refuse = client.MaxUnproved - 1 // then it gives the proof
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := client.Watch{
		Client: &client.Client{URL: s.url, HTTP: http.DefaultClient}, Key: s.key, File: file, Every: time.Millisecond,
		Say: func(line string) {
			if strings.HasPrefix(line, "5 entries") {
				cancel()
			}
		},
	}
	if err := w.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("one refusal less: got %v, want no alarm", err)
	}
}
