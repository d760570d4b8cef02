package exchange

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestEachLineEndAndItsNumberAreRead(t *testing.T) {
	for name, text := range map[string]string{
		"LF": "a\nb\n\nc", "CR LF": "a\r\nb\r\n\r\nc\r\n", "CR": "a\rb\r\rc\r", "mixed": "a\rb\n\r\nc", "a byte order mark": "\xef\xbb\xbfa\nb\n\nc\n",
	} {
		for _, size := range []int{1, 1 << 20} { // the end of what was read may part CR LF
			l := newLines(&chunks{strings.NewReader(text), size})
			var got []string
			for {
				line, left, err := l.next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil || left != 0 {
					t.Fatal(left, err)
				}
				if len(line) > 0 {
					got = append(got, fmt.Sprintf("%d:%s", l.no, line))
				}
			}
			if want := "[1:a 2:b 4:c]"; fmt.Sprint(got) != want {
				t.Errorf("%s, %d bytes at once: got %v, want %s", name, size, got, want)
			}
		}
	}
}

// chunks returns at most size bytes at once.
type chunks struct {
	r    io.Reader
	size int
}

func (c *chunks) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.size)]) }

func TestLineOfMaxTaskBytesIsReadAndALongerOneCut(t *testing.T) {
	for _, extra := range []int{0, 1, MaxTask} {
		l := newLines(strings.NewReader(strings.Repeat("x", MaxTask+extra) + "\ny"))
		line, left, err := l.next()
		if len(line) != MaxTask || left != extra || err != nil {
			t.Errorf("%d bytes: got %d and %d left out, %v", MaxTask+extra, len(line), left, err)
		}
		if line, _, err := l.next(); string(line) != "y" || err != nil {
			t.Errorf("the next line is %q, %v", line, err)
		}
	}
}

func TestContentLineIsHeldUpToItsLimit(t *testing.T) {
	for _, extra := range []int{0, 1, 300_000} {
		u := &unfolder{lines: newLines(strings.NewReader("x" + strings.Repeat("\n "+strings.Repeat("y", 1000), maxContentLine/1000) + "\n " + strings.Repeat("z", maxContentLine%1000-1+extra) + "\nEND:x\n"))}
		c, err := u.next()
		if len(c.text) != maxContentLine || c.left != extra || c.no != 1 || err != nil {
			t.Errorf("%d bytes: got %d and %d left out on line %d, %v", maxContentLine+extra, len(c.text), c.left, c.no, err)
		}
		if c, err := u.next(); string(c.text) != "END:x" || err != nil {
			t.Errorf("the next line is %q, %v", c.text, err)
		}
	}
}

func TestBytesThatAreNotUTF8AreReadAsWindows1252(t *testing.T) {
	for _, tt := range []struct {
		raw, want string
		cut       bool
		repaired  bool
	}{
		{"Müller", "Müller", false, false},
		{"M\xfcller und Müller", "Müller und Müller", false, true},
		{"\x93quoted\x94 \x80", "“quoted” €", false, true},
		{"\x81", "\ufffd", false, true},
		{"x\xf0\x9f\x98", "x", true, false},
		{"x\xf0\x9f\x98", "xðŸ˜", false, true},
		{"xä", "xä", true, false},
	} {
		if got, repaired := validUTF8([]byte(tt.raw), tt.cut); got != tt.want || repaired != tt.repaired {
			t.Errorf("validUTF8(%q, %v) = %q, %v, want %q, %v", tt.raw, tt.cut, got, repaired, tt.want, tt.repaired)
		}
	}
}

func TestLinesThatAreNotPropertiesLoseNothing(t *testing.T) {
	for _, tt := range []struct {
		name       string
		properties []string
		want       map[string]any
	}{
		{"after a description", []string{"SUMMARY:x", "DESCRIPTION:one", "two", "and: three", "DUE;VALUE=DATE:20270301"}, map[string]any{"description": "…one\ntwo", "due_date": "2027-03-01", "notes": "…DESCRIPTION goes on in a line"}},
		{"with a colon", []string{"SUMMARY:x", "Note: see below"}, map[string]any{"description": "NOTE:  see below", "notes": "…NOTE is not imported"}},
		{"after a date", []string{"SUMMARY:x", "DUE;VALUE=DATE:20270301", "no property"}, map[string]any{"description": "no property", "notes": "…is not a line of iCalendar"}},
		{"a parameter without end", []string{"SUMMARY:x", `ORGANIZER;CN="A:mailto:a@example.com`}, map[string]any{"description": `…ORGANIZER;CN="A`}},
		{"a property twice", []string{"SUMMARY:x", "SUMMARY:y", "DUE;VALUE=DATE:20270301", "DUE;VALUE=DATE:20270302"}, map[string]any{"title": "x", "due_date": "2027-03-01", "description": "SUMMARY: y\nDUE: 20270302"}},
		{"two descriptions", []string{"SUMMARY:x", "DESCRIPTION:a", "DESCRIPTION:b"}, map[string]any{"description": "a\n\nb", "notes": "…joined"}},
		{"an attachment", []string{"SUMMARY:x", "ATTACH;VALUE=BINARY;ENCODING=BASE64:" + strings.Repeat("A", 3*MaxTask)}, map[string]any{"title": "x", "notes": "…ATTACH has 786432 bytes"}},
		{"many properties", []string{"SUMMARY:x", strings.Repeat("COMMENT:"+strings.Repeat("y", 100)+"\n", MaxTask/100) + "STATUS:COMPLETED"}, map[string]any{"title": "x", "status": "completed", "notes": "…properties are left out"}},
		{"no title", []string{"UID:1", "LOCATION:here"}, map[string]any{"title": noTitle, "description": "LOCATION: here", "notes": "…SUMMARY is missing"}},
		{"private", []string{"SUMMARY:x", "CLASS:CONFIDENTIAL"}, map[string]any{"notes": "…CLASS"}},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, tt.name, readTodos(t, todo(tt.properties...))[0], tt.want) })
	}
}

func TestComponentsWithoutEndAreReportedAndTheNextIsRead(t *testing.T) {
	whole := todo("SUMMARY:whole")
	for name, tt := range map[string]struct {
		file string
		want []map[string]any
	}{
		"a task before a task":     {"BEGIN:VTODO\nSUMMARY:torn\n" + whole, []map[string]any{{"error": "…has no END before line 4"}, {"title": "whole"}}},
		"a task before the end":    {whole + "BEGIN:VTODO\nSUMMARY:torn\n", []map[string]any{{"title": "whole"}, {"error": "…line 5: VTODO has no END"}}},
		"an event before a task":   {"BEGIN:VEVENT\nSUMMARY:torn\n" + whole, []map[string]any{{"error": "…VEVENT is not imported"}, {"title": "whole"}}},
		"an unknown part":          {"BEGIN:VTODO\nBEGIN:X-A\nBEGIN:X-B\nSUMMARY:not this\nEND:X-A\nSUMMARY:whole\nEND:VTODO\n", []map[string]any{{"title": "whole"}}},
		"an unknown part, not end": {"BEGIN:VTODO\nSUMMARY:whole\nBEGIN:X-A\nSUMMARY:not this\nEND:VTODO\n", []map[string]any{{"title": "whole"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := readTodos(t, tt.file)
			if len(got) != len(tt.want) {
				t.Fatalf("got %v", got)
			}
			for i, want := range tt.want {
				expect(t, name, got[i], want)
			}
		})
	}
}

func TestCutFileIsAnErrorAfterItsTasks(t *testing.T) {
	series := todo("UID:1", "SUMMARY:daily", "DUE:20270101T080000Z", "RRULE:FREQ=DAILY")
	for name, rest := range map[string]string{"between entries": "", "inside an entry": "BEGIN:VTODO\nSUMM", "inside an alarm": "BEGIN:VTODO\nBEGIN:VALARM\n"} {
		tasks, err := readAll(t, ICS, strings.NewReader("BEGIN:VCALENDAR\n"+series+rest))
		if tasks != 1 || !errors.Is(err, ErrFile) || !strings.Contains(fmt.Sprint(err), "may be cut") {
			t.Errorf("%s: %d tasks, %v", name, tasks, err)
		}
	}
}

func TestSameIDWithOtherValuesIsNotLost(t *testing.T) {
	got := readTodos(t, todo("UID:1", "SUMMARY:one"), todo("UID:1", "SUMMARY:two"), todo("UID:1", "SUMMARY:one"))
	expect(t, "first", got[0], map[string]any{"source": "1", "notes": ""})
	expect(t, "second", got[1], map[string]any{"source": "", "title": "two", "notes": "…UID"})
	expect(t, "third", got[2], map[string]any{"source": "1"})
}
