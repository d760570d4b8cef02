package logfile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAFullFileIsRotatedAndNoLineIsLostOrSplit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part.log")
	l, err := open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 20 { // 10 bytes each: ten lines in a file
		if err := l.WriteLine(fmt.Appendf(nil, "line %04d", i)); err != nil {
			t.Fatal(err)
		}
	}
	var all []byte
	for _, name := range []string{path + ".1", path} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 100 {
			t.Errorf("%s: got %d bytes, want at most 100", name, len(raw))
		}
		all = append(all, raw...)
	}
	if got := bytes.Count(all, []byte("\n")); got != 20 || !strings.HasPrefix(string(all), "line 0000\n") {
		t.Errorf("got %d lines: %s", got, all)
	}
}

func TestOnlyAFewOldFilesStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part.log")
	l, err := open(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 50 {
		if err := l.WriteLine([]byte("123456789")); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(path + "*")
	if len(files) != Keep+1 {
		t.Errorf("got files %v, want %d", files, Keep+1)
	}
}

func TestTailStartsAtTheLastLines(t *testing.T) {
	var long []string
	for i := range 20_000 { // more than one block
		long = append(long, fmt.Sprintf("line %d", i))
	}
	for name, tc := range map[string]struct {
		content string
		n       int
		want    []string
	}{
		"none":               {"a\nb\n", 0, nil},
		"the last two":       {"a\nb\nc\n", 2, []string{"b", "c"}},
		"more than it has":   {"a\nb\n", 9, []string{"a", "b"}},
		"all":                {"a\nb\n", -1, []string{"a", "b"}},
		"without an end":     {"a\nb", 1, []string{"b"}},
		"empty":              {"", 5, nil},
		"an empty line":      {"a\n\n", 1, []string{""}},
		"over a block's end": {strings.Join(long, "\n") + "\n", 15_000, long[5000:]},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			var got []string
			if err := Tail(t.Context(), path, tc.n, false, func(l []byte) error { got = append(got, string(l)); return nil }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("Tail(%d): got %d lines, want %d", tc.n, len(got), len(tc.want))
			}
		})
	}
}

func TestAFollowedFileIsFollowedOverRotations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part.log")
	l, err := open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.WriteLine([]byte("line 0000")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	lines := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- Tail(ctx, path, 10, true, func(l []byte) error { lines <- string(l); return nil })
	}()
	for i := range 25 {
		if i > 0 {
			if err := l.WriteLine(fmt.Appendf(nil, "line %04d", i)); err != nil {
				t.Fatal(err)
			}
		}
		select { // one at a time: a reader that is slower than two rotations may miss a file
		case got := <-lines:
			if want := fmt.Sprintf("line %04d", i); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("line %d did not come", i)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Tail: %v", err)
	}
}
