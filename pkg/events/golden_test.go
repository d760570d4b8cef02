package events_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

var update = flag.Bool("update", false, "write the golden documents in testdata/current and testdata/upcast")

// The golden documents. The original documents record what was once published: no flag rewrites them.
const (
	currentDir  = "testdata/current"  // what producers write
	originalDir = "testdata/original" // what the first version of this system wrote
	upcastDir   = "testdata/upcast"   // the original documents, decoded and encoded again
)

// decoders reads each kind of document, by the first part of its golden file's name.
var decoders = map[string]func([]byte) (encoder, error){
	"task-event":           func(b []byte) (encoder, error) { return events.DecodeTaskEvent(b) },
	"task-update-event":    func(b []byte) (encoder, error) { return events.DecodeTaskUpdateEvent(b) },
	"reminder-event":       func(b []byte) (encoder, error) { return events.DecodeReminderEvent(b) },
	"notification-event":   func(b []byte) (encoder, error) { return events.DecodeNotificationEvent(b) },
	"account-event":        func(b []byte) (encoder, error) { return events.DecodeAccountEvent(b) },
	"session-update-event": func(b []byte) (encoder, error) { return events.DecodeSessionUpdateEvent(b) },
	"dead-letter":          func(b []byte) (encoder, error) { return events.DecodeDeadLetter(b) },
}

func decoderOf(t *testing.T, file string) func([]byte) (encoder, error) {
	t.Helper()
	kind, _, _ := strings.Cut(filepath.Base(file), ".")
	decode, ok := decoders[kind]
	if !ok {
		t.Fatalf("%s: no decoder for %q", file, kind)
	}
	return decode
}

// readGolden returns the document in a golden file, without the line feed at the end of the file.
func readGolden(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, ok := bytes.CutSuffix(data, []byte("\n"))
	if !ok {
		t.Fatalf("%s: does not end with a line feed", file)
	}
	return doc
}

func writeGolden(t *testing.T, file string, doc []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(slices.Clone(doc), '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func goldenFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("golden files in %s: %v, %v", dir, files, err)
	}
	return files
}

func mustEncode(t testing.TB, e encoder) []byte {
	t.Helper()
	data, err := e.Encode()
	if err != nil {
		t.Fatalf("Encode(%+v) = %v", e, err)
	}
	return data
}

func TestEncodeWritesTheCurrentDocuments(t *testing.T) {
	samples := currentSamples()
	for name, sample := range samples {
		file := filepath.Join(currentDir, name+".json")
		got := mustEncode(t, sample)
		if *update {
			writeGolden(t, file, got)
		}
		if want := readGolden(t, file); !bytes.Equal(got, want) {
			t.Errorf("Encode of sample %s\n got %s\nwant %s", name, got, want)
		}
	}
	for _, file := range goldenFiles(t, currentDir) {
		if _, ok := samples[strings.TrimSuffix(filepath.Base(file), ".json")]; !ok {
			t.Errorf("%s belongs to no sample (samples: %v)", file, slices.Sorted(maps.Keys(samples)))
		}
	}
}

func TestCurrentDocumentsSurviveARoundTrip(t *testing.T) {
	for _, file := range goldenFiles(t, currentDir) {
		want := readGolden(t, file)
		e, err := decoderOf(t, file)(want)
		if err != nil {
			t.Errorf("decode %s: %v", file, err)
			continue
		}
		if got := mustEncode(t, e); !bytes.Equal(got, want) {
			t.Errorf("decode and encode %s\n got %s\nwant %s", file, got, want)
		}
	}
}

func TestOriginalDocumentsAreAccepted(t *testing.T) {
	for _, file := range goldenFiles(t, originalDir) {
		e, err := decoderOf(t, file)(readGolden(t, file))
		if err != nil {
			t.Errorf("decode %s: %v", file, err)
			continue
		}
		upcast := filepath.Join(upcastDir, filepath.Base(file))
		got := mustEncode(t, e)
		if *update {
			writeGolden(t, upcast, got)
		}
		want := readGolden(t, upcast)
		if !bytes.Equal(got, want) {
			t.Errorf("decode and encode %s\n got %s\nwant %s", file, got, want)
		}
		again, err := decoderOf(t, file)(want)
		if err != nil {
			t.Errorf("decode %s: %v", upcast, err)
			continue
		}
		if got := mustEncode(t, again); !bytes.Equal(got, want) {
			t.Errorf("decode and encode %s\n got %s\nwant %s", upcast, got, want)
		}
	}
}

func TestEveryTypeHasAnOriginalDocument(t *testing.T) {
	files := []string{"reminder-event"} // its original form has no type
	for _, typ := range events.TaskTypes() {
		files = append(files, "task-event."+string(typ), "task-update-event."+string(typ))
	}
	for _, name := range files {
		if _, err := os.Stat(filepath.Join(originalDir, name+".json")); err != nil {
			t.Error(err)
		}
	}
}
