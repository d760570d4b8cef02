package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

func encodeUTF16(t *testing.T, text string, e unicode.Endianness) []byte {
	t.Helper()
	raw, err := unicode.UTF16(e, unicode.UseBOM).NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func encode1252(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := charmap.Windows1252.NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// encodingSamples has a task in each format, with a title of umlauts, signs and a character outside of the first plane.
var encodingSamples = map[Format]string{
	JSONL:       "{\"title\":\"Müll – 5 € 🎉\"}\n",
	CSV:         "TYPE,CONTENT\r\ntask,Müll – 5 € 🎉\r\n",
	ICS:         "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nSUMMARY:Müll – 5 € 🎉\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
	Taskwarrior: "[{\"description\":\"Müll – 5 € 🎉\"}]\n",
}

func readOne(t *testing.T, f Format, r io.Reader) (Item, error) {
	t.Helper()
	reader, err := NewReader(f, r, options)
	if err != nil {
		t.Fatal(err)
	}
	return reader.Next()
}

func titleOf(item Item) string {
	var title string
	if json.Unmarshal(item.Fields["title"], &title) != nil {
		return ""
	}
	return title
}

func TestEachEncodingGivesTheSameTask(t *testing.T) {
	for format, text := range encodingSamples {
		western := strings.ReplaceAll(text, " 🎉", "")
		for name, c := range map[string]struct {
			raw   []byte
			title string
			note  string
		}{
			"UTF-8":                       {[]byte(text), "Müll – 5 € 🎉", ""},
			"UTF-8 with a mark":           {append([]byte("\xef\xbb\xbf"), text...), "Müll – 5 € 🎉", ""},
			"UTF-16, little end first":    {encodeUTF16(t, text, unicode.LittleEndian), "Müll – 5 € 🎉", ""},
			"UTF-16, big end first":       {encodeUTF16(t, text, unicode.BigEndian), "Müll – 5 € 🎉", ""},
			"Windows-1252":                {encode1252(t, western), "Müll – 5 €", "file"},
			"UTF-8 in an ASCII long text": {[]byte(text), "Müll – 5 € 🎉", ""},
		} {
			for how, r := range map[string]io.Reader{"at once": bytes.NewReader(c.raw), "byte by byte": iotest.OneByteReader(bytes.NewReader(c.raw))} {
				item, err := readOne(t, format, r)
				if err != nil || titleOf(item) != c.title {
					t.Errorf("%s in %s, %s: got %q, %v, want %q", format, name, how, titleOf(item), err, c.title)
					continue
				}
				note := ""
				if len(item.Notes) > 0 {
					note = item.Notes[0].Field
				}
				if note != c.note {
					t.Errorf("%s in %s, %s: got the notes %+v, want one about %q", format, name, how, item.Notes, c.note)
				}
			}
		}
	}
}

func TestFileThatIsNoTextIsRefusedByItsName(t *testing.T) {
	for what, raw := range map[string]string{
		"a ZIP archive":                     "PK\x03\x04\x14\x00",
		"compressed with gzip":              "\x1f\x8b\x08\x00",
		"a PDF document":                    "%PDF-1.7\n",
		"an SQLite database":                "SQLite format 3\x00",
		"UTF-32":                            "\xff\xfe\x00\x00T\x00\x00\x00",
		"UTF-16 without a byte order mark":  "T\x00Y\x00P\x00E\x00",
		"UTF-16 without a byte order mark,": "\x00T\x00Y\x00P\x00E",
		"a page in HTML":                    "\n<!DOCTYPE html><html>",
	} {
		for format := range encodingSamples {
			if _, err := readOne(t, format, strings.NewReader(raw)); !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), what) {
				t.Errorf("%s of %q: got %v, want ErrFile that names %s", format, raw, err, what)
			}
		}
	}
}

func TestStrayBytesAreReportedAndChangeNoOther(t *testing.T) {
	for format, text := range encodingSamples {
		item, err := readOne(t, format, strings.NewReader(strings.Replace(text, "5 €", "5 \xff", 1)))
		if err != nil || !strings.HasPrefix(titleOf(item), "Müll – 5 ") || !strings.HasSuffix(titleOf(item), "🎉") || len(item.Notes) == 0 {
			t.Errorf("%s: got %q with notes %+v, %v; want the other characters as they are, and a note", format, titleOf(item), item.Notes, err)
		}
	}
}

func TestHalfOfAPairInUTF16IsReported(t *testing.T) {
	raw := append(encodeUTF16(t, "{\"title\":\"half ", unicode.LittleEndian), 0x3d, 0xd8)
	raw = append(raw, encodeUTF16(t, "\"}", unicode.LittleEndian)[2:]...)
	item, err := readOne(t, JSONL, bytes.NewReader(raw))
	if err != nil || titleOf(item) != "half �" || len(item.Notes) != 1 {
		t.Errorf("got %q with notes %+v, %v; want a replaced character and its note", titleOf(item), item.Notes, err)
	}
}

// TestWindowDecidesTheEncoding has texts on both sides of the decision.
func TestWindowDecidesTheEncoding(t *testing.T) {
	for text, want := range map[string]bool{
		"M\xfcll": true, "caf\xe9": true, "\x93quoted\x94": true, "M\xc3\xbcll": false, "M\xc3\xbcll M\xfcll": false, "Spa\xdf\x94 M\xfcll, caf\xe9": true,
		"alone \xff\xfe": false, "cut at the end \xc3": false, "\xff": false, "don\x92t": true, "\x81": false, "": false,
	} {
		if got := isWindows1252([]byte(text), false); got != want {
			t.Errorf("isWindows1252(%q): got %v, want %v", text, got, want)
		}
	}
	if isWindows1252([]byte("a\xc3\r\n \xbc b\xc3\n\t\xa4"), true) {
		t.Error("a fold inside a character: got Windows-1252, want UTF-8")
	}
	// Only the first bytes decide, and always the same ones.
	window := strings.Repeat("\xc3\xbc", encodingWindow/2)
	if item, err := readOne(t, JSONL, strings.NewReader(`{"title":"x","description":"`+window+"M\xfcll\"}")); err != nil || len(item.Notes) != 1 || item.Notes[0].Field == "file" {
		t.Errorf("a single byte after the window: got notes %+v, %v, want one about the description", item.Notes, err)
	}
}
