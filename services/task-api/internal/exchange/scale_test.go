package exchange

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkRead reads 16 MiB of usual tasks, and of the entries that cost most.
func BenchmarkRead(b *testing.B) {
	long := strings.Repeat("größer, ", 60)
	for name, c := range map[string]struct {
		format           Format
		head, text, tail string
	}{
		"jsonl":                {JSONL, "", `{"title":"x","description":"` + long + "\"}\n", ""},
		"jsonl short":          {JSONL, "", "{\"title\":\"x\"}\n", ""},
		"taskwarrior":          {Taskwarrior, "[", `{"description":"x","uuid":"u","estimate":"` + long + `"},`, "]"},
		"taskwarrior one task": {Taskwarrior, "[", `{"description":"x","parent":"p","recur":"daily","imask":3,"due":"20270101T000000Z"},`, "]"},
		"ics":                  {ICS, "BEGIN:VCALENDAR\r\n", "BEGIN:VTODO\r\nSUMMARY:" + long + "\r\nEND:VTODO\r\n", "END:VCALENDAR\r\n"},
	} {
		b.Run(name, func(b *testing.B) {
			const size = 16 << 20
			b.SetBytes(size)
			for b.Loop() {
				file := io.MultiReader(strings.NewReader(c.head), &endless{text: c.text, left: size / len(c.text) * len(c.text)}, strings.NewReader(c.tail))
				reader, err := NewReader(c.format, file, options)
				if err != nil {
					b.Fatal(err)
				}
				for {
					_, err := reader.Next()
					var refused *Refused
					if err != nil && !errors.As(err, &refused) {
						break
					}
				}
			}
		})
	}
}

// TestLongSeriesIsReadInLinearTime reads a series with many open instances: each of the steps that grow with their number was
// quadratic once. The bound of mostHeld refuses the rest.
func TestLongSeriesIsReadInLinearTime(t *testing.T) {
	var file strings.Builder
	file.WriteString("[\n")
	const instances = 100_000
	for i := range instances {
		fmt.Fprintf(&file, `{"description":"x","parent":"p","recur":"daily","imask":%d,"due":"20270101T000000Z","annotations":[{"description":"note %d"}]},`+"\n", instances-i, i)
	}
	file.WriteString(`{"description":"x","uuid":"p","status":"recurring","recur":"daily","due":"20270101T000000Z"}]`)
	reader, err := NewReader(Taskwarrior, strings.NewReader(file.String()), options)
	if err != nil {
		t.Fatal(err)
	}
	items, refused := 0, 0
	for {
		item, err := reader.Next()
		var r *Refused
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.As(err, &r) {
			refused++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if items++; item.Source != "p" || len(item.Notes) < instances-1 {
			t.Errorf("got source %q and %d notes, want the series and a note for each later instance", item.Source, len(item.Notes))
		}
	}
	if items != 1 || refused != 0 {
		t.Errorf("got %d items, %d refused, want 1 and 0", items, refused)
	}
}
