package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit-signer/internal/files"
	"github.com/taskwire/taskwire/testkit/fakedaprd"
	"github.com/taskwire/taskwire/testkit/servicetest"
)

// newSettings returns the settings of a signer with a new key.
func newSettings(t *testing.T, to string) (settings, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	base := servicetest.Base(t, appID, map[string]string{secretCheckpoint: skey}, fakedaprd.New(t).Port)
	return settings{Base: base, StateDir: filepath.Join(t.TempDir(), "signer"), CheckpointsTo: to}, vkey
}

// sign asks for the signature of a log of size entries.
func sign(s *servicetest.Service, from, size int64, word string) servicetest.Answer {
	tree := &auditlog.Tree{}
	for i := range size {
		tree.Append(tlog.RecordHash(fmt.Appendf(nil, "%s %d", word, i)))
	}
	root := tree.Root()
	body, err := json.Marshal(map[string]any{"from": from, "size": size, "root": root})
	if err != nil {
		panic(err) // numbers and a hash
	}
	return s.Do(servicetest.Request{
		Method: http.MethodPost, URL: s.App + "/internal/checkpoints", Body: string(body),
		Header: map[string]string{"Dapr-Api-Token": servicetest.AppToken},
	})
}

func TestASignerBeginsSignsAndKeepsItsWordOverARestart(t *testing.T) {
	t.Parallel()
	cfg, vkey := newSettings(t, "")
	s := servicetest.Start(t, cfg, run)
	s.Await(s.Public+"/readyz", http.StatusServiceUnavailable, `"state":"unavailable"`)
	if got := sign(s, 0, 3, "x"); got.Status != http.StatusServiceUnavailable {
		t.Fatalf("before it began: got %d %s, want 503", got.Status, got.Body)
	}
	var out, errs bytes.Buffer
	if code := begin([]string{"--state", cfg.StateDir, "--key", vkey}, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("begin: got %d %s", code, &errs)
	}
	s.Await(s.Public+"/readyz", http.StatusOK, `"state":"ok"`)
	first := sign(s, 0, 3, "x")
	var a struct {
		Checkpoint string `json:"checkpoint"`
	}
	if err := json.Unmarshal([]byte(first.Body), &a); err != nil || first.Status != http.StatusOK {
		t.Fatalf("sign: got %d %s (%v)", first.Status, first.Body, err)
	}
	if c, err := auditlog.OpenCheckpoint([]byte(a.Checkpoint), vkey); err != nil || c.Size != 3 {
		t.Errorf("the checkpoint: got %+v, %v", c, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}

	s = servicetest.Start(t, cfg, run)
	if again := sign(s, 0, 3, "x"); again.Body != first.Body {
		t.Errorf("again: got %s, want %s", again.Body, first.Body)
	}
	if got := sign(s, 3, 3, "y"); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("another log: got %d %s, want 422", got.Status, got.Body)
	}
	if got := sign(s, 0, 9, "x"); got.Status != http.StatusConflict || got.Body != first.Body {
		t.Errorf("a caller who is behind: got %d %s, want 409 and the last checkpoint", got.Status, got.Body)
	}
	if code := begin([]string{"--state", cfg.StateDir}, strings.NewReader(""), &out, &errs); code == 0 {
		t.Error("begin over a known checkpoint: got 0, want a refusal")
	}
}

func TestBeginNeedsTheFolderOfTheSigner(t *testing.T) {
	for _, c := range []struct {
		name, env string
		flag      bool
		code      int
	}{
		{name: "neither", code: exitUsage},
		{name: "STATE_DIR", env: "env"},
		{name: "the flag", flag: true},
		{name: "the flag before STATE_DIR", env: "env", flag: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			want, args := filepath.Join(dir, c.env), []string{}
			t.Setenv("STATE_DIR", "")
			if c.env != "" {
				t.Setenv("STATE_DIR", want)
			}
			if c.flag {
				want = filepath.Join(dir, "flag")
				args = []string{"--state", want}
			}
			var errs bytes.Buffer
			if code := begin(args, nil, io.Discard, &errs); code != c.code {
				t.Fatalf("begin(%v): got %d %s, want %d", args, code, &errs, c.code)
			}
			if c.code != 0 {
				if !strings.Contains(errs.String(), "--state") {
					t.Errorf("the error: got %q, want the name of the flag", &errs)
				}
				return
			}
			if _, err := os.Stat(filepath.Join(want, "begin.json")); err != nil {
				t.Errorf("the order: %v", err)
			}
		})
	}
}

// signedBy returns a key and a checkpoint of size entries that it signed.
func signedBy(t *testing.T, size int64) (vkey, signed string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "taskwire-audit")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := auditlog.Checkpoint{Origin: "taskwire-audit", Size: size}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	return vkey, string(raw)
}

// A checkpoint ends with one line feed; psql and editors add more or leave it out.
func TestBeginReadsEachFormOfACheckpoint(t *testing.T) {
	t.Parallel()
	vkey, signed := signedBy(t, 7)
	_, smaller := signedBy(t, 5)
	line, err := json.Marshal(auditlog.Published{Size: 7, Checkpoint: signed})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		given, key string
		good       bool
	}{
		"the note":                    {given: signed, key: vkey, good: true},
		"without a key":               {given: signed, good: true},
		"more line feeds":             {given: signed + "\n\n", key: vkey, good: true},
		"no line feed at the end":     {given: strings.TrimSpace(signed), key: vkey, good: true},
		"a published line":            {given: string(line) + "\n", key: vkey, good: true},
		"the largest of several":      {given: smaller + "\n" + signed + "\n" + smaller, good: true},
		"several, one of another key": {given: smaller + "\n" + signed, key: vkey},
		"another key":                 {given: smaller, key: vkey},
		"as long as it may be":        {given: signed + strings.Repeat("\n", maxCheckpoints-len(signed)), good: true},
		"longer than it may be":       {given: signed + strings.Repeat("\n", maxCheckpoints+1-len(signed))},
		"nothing":                     {},
		"blank lines":                 {given: "\n\n"},
		"a text":                      {given: "a\n\nb\n"},
		"a text, with a key":          {given: "a\n\nb\n", key: vkey},
	} {
		order := files.Order{Key: c.key}
		err := readCheckpoint("-", strings.NewReader(c.given), &order)
		if (err == nil) != c.good || c.good && order.Checkpoint != signed || !c.good && order.Checkpoint != "" {
			t.Errorf("%s: got %q, %v, want success: %v", name, order.Checkpoint, err, c.good)
		}
	}
}

// What cannot be read is refused before it is stored.
func TestBeginStoresNoOrderThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out, errs bytes.Buffer
	if code := begin([]string{"--state", dir, "--checkpoint", "-"}, strings.NewReader("text\n"), &out, &errs); code != exitFailed {
		t.Errorf("begin with a text: got %d %s, want %d", code, &errs, exitFailed)
	}
	if _, err := os.Stat(filepath.Join(dir, "begin.json")); err == nil {
		t.Error("the order was stored")
	}
	_, signed := signedBy(t, 7)
	if code := begin([]string{"--state", dir, "--checkpoint", "-"}, strings.NewReader(signed), &out, &errs); code != 0 ||
		!strings.Contains(out.String(), "ordered: the signer begins at the checkpoint of 7 entries") {
		t.Errorf("begin: got %d %q %s", code, &out, &errs)
	}
}

// An order that cannot be carried out does not end the signer: it waits for a better one.
func TestABadOrderMakesTheSignerNotReady(t *testing.T) {
	t.Parallel()
	cfg, vkey := newSettings(t, "")
	_, foreign := signedBy(t, 7) // without --key nobody sees it before the signer does
	if code := begin([]string{"--state", cfg.StateDir, "--checkpoint", "-"}, strings.NewReader(foreign), io.Discard, os.Stderr); code != 0 {
		t.Fatal("begin failed")
	}
	s := servicetest.Start(t, cfg, run)
	s.Await(s.Public+"/readyz", http.StatusServiceUnavailable, `"state":"unavailable"`)
	if got := sign(s, 0, 3, "x"); got.Status != http.StatusServiceUnavailable {
		t.Errorf("sign: got %d %s, want 503", got.Status, got.Body)
	}
	if code := begin([]string{"--state", cfg.StateDir, "--key", vkey}, nil, io.Discard, os.Stderr); code != 0 {
		t.Fatal("begin failed")
	}
	s.Await(s.Public+"/readyz", http.StatusOK, `"state":"ok"`)
}

func TestTheSignersRoutesAreOnTheDaprSideOnly(t *testing.T) {
	t.Parallel()
	cfg, _ := newSettings(t, "")
	s := servicetest.Start(t, cfg, run)
	for _, path := range []string{"/internal/checkpoint", "/internal/checkpoints"} {
		if got := s.Get(s.Public + path); got.Status != http.StatusNotFound {
			t.Errorf("GET %s on the public side: got %d, want 404", path, got.Status)
		}
		if got := s.Get(s.App + path); got.Status != http.StatusUnauthorized {
			t.Errorf("GET %s without the token: got %d, want 401", path, got.Status)
		}
	}
}

// A place that is away for a while gets each checkpoint, in order.
func TestCheckpointsReachTheSecondPlaceInOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var sizes []int64
	refusals := 2
	got := make(chan struct{}, 10)
	place := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if refusals--; refusals >= 0 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		raw, _ := io.ReadAll(r.Body)
		var p auditlog.Published
		if err := json.Unmarshal(raw, &p); err != nil || r.Header.Get("Idempotency-Key") == "" {
			t.Errorf("the body is %q with key %q: %v", raw, r.Header.Get("Idempotency-Key"), err)
		}
		sizes = append(sizes, p.Size)
		got <- struct{}{}
	}))
	t.Cleanup(place.Close)
	cfg, vkey := newSettings(t, place.URL)
	if code := begin([]string{"--state", cfg.StateDir, "--key", vkey}, nil, io.Discard, os.Stderr); code != 0 {
		t.Fatal("begin failed")
	}
	s := servicetest.Start(t, cfg, run)
	for _, size := range []int64{0, 1} {
		if a := sign(s, 0, size, "x"); a.Status != http.StatusOK {
			t.Fatalf("sign: got %d %s", a.Status, a.Body)
		}
	}
	<-got
	<-got
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(sizes) != "[0 1]" {
		t.Errorf("the place got %v, want [0 1]", sizes)
	}
}

func TestASecondPlaceIsAnAddressOrKafka(t *testing.T) {
	for to, good := range map[string]bool{
		"": true, "kafka": true, "https://log.example.com/x": true, "http://127.0.0.1:1/": true,
		"ftp://x/": false, "example.com": false, "Kafka": false, "https://": false,
	} {
		if err := (settings{StateDir: "x", CheckpointsTo: to}).Validate(); (err == nil) != good {
			t.Errorf("CHECKPOINTS_TO=%q: got %v, want it to be good: %v", to, err, good)
		}
	}
}
