package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

var update = flag.Bool("update", false, "write the golden files")

var options = Options{Zone: "Europe/Vienna", Now: time.Date(2029, 12, 30, 22, 30, 0, 0, time.UTC)}

// files has the sample of each format.
var files = map[Format]string{JSONL: "tasks.jsonl", CSV: "todoist.csv", ICS: "tasks.ics", Taskwarrior: "taskwarrior.json"}

// describe reads a file to its end and returns a line for each result.
func describe(t testing.TB, f Format, r io.Reader) string {
	t.Helper()
	reader, err := NewReader(f, r, options)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for {
		item, err := reader.Next()
		var refused *Refused
		var skipped *Skipped
		switch {
		case errors.Is(err, io.EOF):
			return b.String()
		case errors.As(err, &refused):
			fmt.Fprintln(&b, "refused", refused)
		case errors.As(err, &skipped):
			fmt.Fprintln(&b, "skipped", skipped)
		case err != nil:
			fmt.Fprintln(&b, "error", err)
			return b.String()
		default:
			item.Content = ""
			var out bytes.Buffer
			enc := json.NewEncoder(&out)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(item); err != nil {
				t.Fatal(err)
			}
			b.WriteString("task " + out.String())
		}
	}
}

func TestSamplesReadAsTheirGoldenFiles(t *testing.T) {
	for format, name := range files {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		got, golden := describe(t, format, bytes.NewReader(raw)), filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestTruncatedFileIsAnError(t *testing.T) {
	for format, text := range map[Format]string{
		CSV:         "TYPE,CONTENT\ntask,\"not closed" + strings.Repeat("x\n", MaxTask),
		ICS:         "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:x\n",
		Taskwarrior: `[{"description":"x"`,
	} {
		if got := describe(t, format, strings.NewReader(text)); !strings.Contains(got, ErrFile.Error()) {
			t.Errorf("%s: got %q, want ErrFile", format, got)
		}
	}
}

// endless repeats a text until left bytes are read.
type endless struct {
	text string
	at   int
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.left -= n
	return n, nil
}

func TestReaderHoldsOneTaskAtATime(t *testing.T) {
	const size, most = 8 << 20, 3 << 20
	long := strings.Repeat("x", 1000)
	var m runtime.MemStats
	for format, sample := range map[Format]struct{ head, text string }{
		JSONL: {"", `{"title":"` + long + "\"}\n"}, CSV: {"TYPE,CONTENT\n", "task," + long + "\n"},
		ICS:         {"BEGIN:VCALENDAR\n", "BEGIN:VTODO\nSUMMARY:" + long + "\nEND:VTODO\n"},
		Taskwarrior: {"[", `{"description":"` + long + `"},`},
	} {
		runtime.GC()
		runtime.ReadMemStats(&m)
		base := m.HeapAlloc
		reader, err := NewReader(format, io.MultiReader(strings.NewReader(sample.head), &endless{text: sample.text, left: size}), options)
		if err != nil {
			t.Fatal(err)
		}
		n, high := 0, uint64(0)
		for ; ; n++ {
			if _, err := reader.Next(); errors.Is(err, io.EOF) || errors.Is(err, ErrFile) {
				break
			}
			if n%1000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&m)
				high = max(high, m.HeapAlloc)
			}
		}
		if n < size/2000 || high > base+most {
			t.Errorf("%s: %d tasks read, %d bytes held, want %d at most", format, n, high-base, most)
		}
	}
}

// fuzz checks the promises of a reader. It ends, its line numbers exist in the file, and the domain accepts or refuses each
// item without a panic.
func fuzz(f *testing.F, format Format) {
	raw, err := os.ReadFile(filepath.Join("testdata", files[format]))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		reader, err := NewReader(format, bytes.NewReader(raw), options)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			if n > len(raw)+1 {
				t.Fatal("the reader does not end")
			}
			item, err := reader.Next()
			var refused *Refused
			var skipped *Skipped
			if errors.As(err, &refused) || errors.As(err, &skipped) {
				continue
			}
			if err != nil {
				return
			}
			if most := bytes.Count(raw, []byte("\n")) + bytes.Count(raw, []byte("\r")) + 1; item.Line < 1 || item.Line > most {
				t.Fatalf("line %d of %d", item.Line, most)
			}
			fields, err := domain.ParseFields(item.Fields)
			if err != nil {
				continue
			}
			origin := domain.Origin{CreatedAt: item.CreatedAt, CompletedAt: item.CompletedAt, Clocks: item.Clocks, PatternClocks: item.PatternClocks}
			if origin.Pattern, err = domain.ParseFields(item.Pattern); err != nil {
				t.Fatalf("the fitted series of an item: %v", err)
			}
			task, err := domain.Import("01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058", fields, origin, domain.Defaults{Timezone: options.Zone, Now: options.Now})
			if err != nil {
				continue
			}
			// Every format can write an accepted task.
			for _, to := range Formats() {
				w, err := NewWriter(to, io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(w.Write(task), w.Close()); err != nil {
					t.Fatalf("write as %s: %v", to, err)
				}
			}
		}
	})
}

func FuzzJSONL(f *testing.F)       { fuzz(f, JSONL) }
func FuzzTodoist(f *testing.F)     { fuzz(f, CSV) }
func FuzzICS(f *testing.F)         { fuzz(f, ICS) }
func FuzzTaskwarrior(f *testing.F) { fuzz(f, Taskwarrior) }
