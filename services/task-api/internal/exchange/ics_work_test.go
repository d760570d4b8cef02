package exchange

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// readAll reads a file to its end, and returns how many tasks it has and the last error.
func readAll(t testing.TB, f Format, r io.Reader) (tasks int, err error) {
	t.Helper()
	reader, err := NewReader(f, r, options)
	if err != nil {
		t.Fatal(err)
	}
	for {
		_, err := reader.Next()
		var refused *Refused
		var skipped *Skipped
		switch {
		case err == nil:
			tasks++
		case errors.As(err, &refused), errors.As(err, &skipped):
		case errors.Is(err, io.EOF):
			return tasks, nil
		default:
			return tasks, err
		}
	}
}

// folded returns a file with one task, whose property has n characters, each in a line of its own.
func folded(name string, n int) io.Reader {
	return io.MultiReader(
		strings.NewReader("BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nSUMMARY:x\r\n"+name+":"),
		&endless{text: strings.Repeat("\r\n a", 1000), left: 4 * n},
		strings.NewReader("\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"),
	)
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestFoldedLinesAreJoinedInLinearWork(t *testing.T) {
	const least, most = 20_000, 2 << 20 // a quadratic reader allocates gigabytes for the largest
	for _, n := range []int{least, 10 * least, 100 * least} {
		got := allocated(func() {
			if tasks, err := readAll(t, ICS, folded("DESCRIPTION", n)); tasks != 1 || err != nil {
				t.Fatalf("%d lines: %d tasks, %v", n, tasks, err)
			}
		})
		// The content line itself has maxContentLine bytes at most, and is held some times on its way into the item.
		if bound := uint64(most + 20*min(n, maxContentLine)); got > bound {
			t.Errorf("%d folded lines: %d bytes allocated, want %d at most", n, got, bound)
		}
	}
}

func TestLargeICSFilesAreReadInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads files of up to 64 MiB")
	}
	const small, large, most = 16 << 20, 64 << 20, 3*maxHeld + 8<<20
	n := 0
	for name, file := range map[string]struct {
		size             int
		head, text, tail string
	}{
		"one folded property": {large, "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:", strings.Repeat("\n a", 1000), "\nEND:VTODO\nEND:VCALENDAR\n"},
		"one long line":       {large, "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:x\nATTACH:", strings.Repeat("a", 1000), "\nEND:VTODO\nEND:VCALENDAR\n"},
		"many properties":     {small, "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:x\n", "ATTENDEE:mailto:somebody@example.com\n", "END:VTODO\nEND:VCALENDAR\n"},
		"many alarms":         {small, "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:x\n", "BEGIN:VALARM\nTRIGGER:-PT5M\nEND:VALARM\n", "END:VTODO\nEND:VCALENDAR\n"},
		"one large series":    {small, "BEGIN:VCALENDAR\n", "BEGIN:VTODO\nUID:1\nSUMMARY:" + strings.Repeat("x", 400) + "\nDTSTART:20300101T090000Z\nRECURRENCE-ID:20300101T090000Z\nEND:VTODO\n", "END:VCALENDAR\n"},
		"an unknown zone":     {small, "BEGIN:VCALENDAR\n", "BEGIN:VTODO\nSUMMARY:" + strings.Repeat("x", 400) + "\nDUE;TZID=Mine:20300101T090000\nEND:VTODO\n", "END:VCALENDAR\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			base, high := m.HeapAlloc, uint64(0)
			sampler := readerFunc(func(p []byte) (int, error) {
				if n++; n%2000 == 0 { // GC takes some time
					runtime.GC()
					runtime.ReadMemStats(&m)
					high = max(high, m.HeapAlloc)
				}
				return 0, nil
			})
			file := io.MultiReader(strings.NewReader(file.head), &endless{text: file.text, left: file.size / len(file.text) * len(file.text)}, strings.NewReader(file.tail))
			tasks, err := readAll(t, ICS, tee(file, sampler))
			if tasks == 0 || err != nil || high > base+most {
				t.Errorf("%d tasks, %v, %d bytes held, want %d at most", tasks, err, high-base, most)
			}
		})
	}
}

// readerFunc is called before each read.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// tee calls before ahead of each read of r.
func tee(r io.Reader, before readerFunc) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if _, err := before(p); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

func TestManyZonesAreSearchedABoundedNumberOfTimes(t *testing.T) {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\n")
	for i := range 3 * maxSearches {
		fmt.Fprintf(&b, "BEGIN:VTIMEZONE\nTZID:Z%d\nBEGIN:STANDARD\nDTSTART:20000101T000000\nTZOFFSETFROM:+01%02d\nTZOFFSETTO:+01%02d\nEND:STANDARD\nEND:VTIMEZONE\n", i, i%60, i%60)
		fmt.Fprintf(&b, "BEGIN:VTODO\nSUMMARY:x\nDUE;TZID=Z%d:20300101T000000\nEND:VTODO\n", i)
	}
	b.WriteString("END:VCALENDAR\n")
	reader := newICS(strings.NewReader(b.String()), options.Now, time.UTC)
	tasks := 0
	for ; ; tasks++ {
		if _, err := reader.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if got := reader.env.defs.steps; tasks != 3*maxSearches || got > maxSteps+maxOnsets {
		t.Errorf("%d tasks, %d steps of rules, want %d and %d at most", tasks, got, 3*maxSearches, maxSteps+maxOnsets)
	}
}

func BenchmarkReadFoldedICS(b *testing.B) {
	for _, n := range []int{25_000, 250_000, 2_500_000} {
		b.Run(fmt.Sprintf("lines=%d", n), func(b *testing.B) {
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				if tasks, err := readAll(b, ICS, folded("SUMMARY", n)); tasks != 1 || err != nil {
					b.Fatalf("%d tasks, %v", tasks, err)
				}
			}
		})
	}
}
