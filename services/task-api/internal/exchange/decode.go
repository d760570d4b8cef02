package exchange

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// This file finds the encoding of a file and turns it into UTF-8, as a stream.

const (
	// encodingWindow is how many bytes decide between UTF-8 and Windows-1252, from the first byte that is not ASCII. Its size is
	// fixed, so that a file is read in the same way however the network cuts it.
	encodingWindow = 4 << 10
	// sniffWindow is how many bytes at the beginning of a file show that it is not a text.
	sniffWindow = 512
)

// decoder returns a file as UTF-8. UTF-8 and UTF-16 with a byte order mark are read as such, and a file with the letters of
// Windows-1252 is read as that. In a file of UTF-8, single bytes that are not UTF-8 stay: the reader of the format knows to which
// value they belong, and reports them.
type decoder struct {
	src    *bufio.Reader
	out    io.Reader // the rest of the file, once its encoding is known
	folded bool      // a line break and a blank may stand inside a character (RFC 5545, section 3.1)
	begun  bool
	note   string // says that the encoding was guessed; the caller reports it once
}

func newDecoder(r io.Reader, f Format) *decoder {
	return &decoder{src: bufio.NewReaderSize(r, 64<<10), folded: f == ICS}
}

// Read implements io.Reader.
func (d *decoder) Read(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		if err := d.begin(); err != nil {
			return 0, err
		}
	}
	if d.out != nil {
		return d.out.Read(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if _, err := d.src.Peek(1); err != nil {
		return 0, err
	}
	ahead, err := d.src.Peek(min(d.src.Buffered(), len(p)))
	if err != nil {
		return 0, err
	}
	if n := asciiLength(ahead); n > 0 {
		return d.src.Read(p[:n])
	}
	window, err := d.src.Peek(encodingWindow)
	if len(window) == 0 {
		return 0, err
	}
	if d.out = d.src; isWindows1252(window, d.folded) {
		d.note = "is not UTF-8: it is read as Windows-1252"
		d.out = transform.NewReader(d.src, charmap.Windows1252.NewDecoder())
	}
	return d.out.Read(p)
}

// asciiLength returns how many bytes at the beginning are ASCII.
func asciiLength(text []byte) int {
	for i, c := range text {
		if c >= utf8.RuneSelf {
			return i
		}
	}
	return len(text)
}

// signatures has the beginnings of files that are not texts, or whose encoding is not supported.
var signatures = []struct{ begin, what string }{
	{"\xff\xfe\x00\x00", "UTF-32"}, {"\x00\x00\xfe\xff", "UTF-32"}, {"PK\x03\x04", "a ZIP archive or an Office document"},
	{"\x1f\x8b", "compressed with gzip"}, {"%PDF-", "a PDF document"}, {"SQLite format 3\x00", "an SQLite database"},
	{"\xd0\xcf\x11\xe0", "an old Office document"}, {"{\\rtf", "an RTF document"}, {"\x28\xb5\x2f\xfd", "compressed with zstd"},
	{"BZh", "compressed with bzip2"}, {"\xfd7zXZ", "compressed with xz"}, {"\x2b\x2f\x76", "UTF-7"},
}

// begin reads the byte order mark, and refuses what is not a text. The error names what was found.
func (d *decoder) begin() error {
	head, err := d.src.Peek(sniffWindow)
	if len(head) == 0 {
		return err // what came before an error is read first
	}
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.begin)) {
			return fmt.Errorf("%w: it is %s, not text in UTF-8", ErrFile, s.what)
		}
	}
	switch {
	case bytes.HasPrefix(head, byteOrderMark):
		return discard(d.src, len(byteOrderMark))
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		d.out = &utf16Reader{src: d.src, order: binary.LittleEndian}
		return discard(d.src, 2)
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		d.out = &utf16Reader{src: d.src, order: binary.BigEndian}
		return discard(d.src, 2)
	case len(head) >= 4 && (head[0] == 0) != (head[1] == 0) && (head[2] == 0) != (head[3] == 0):
		return fmt.Errorf("%w: it is UTF-16 without a byte order mark, which is needed to read it", ErrFile)
	}
	text := bytes.ToLower(bytes.TrimSpace(head))
	if bytes.HasPrefix(text, []byte("<!doctype html")) || bytes.HasPrefix(text, []byte("<html")) {
		return fmt.Errorf("%w: it is a page in HTML", ErrFile)
	}
	return nil
}

func discard(r *bufio.Reader, n int) error {
	_, err := r.Discard(n)
	return err
}

// isWindows1252 reports whether more bytes of the window look like Windows-1252 than like UTF-8. A letter counts only next to a letter
// of ASCII, as in a word: a stray byte alone is no word.
func isWindows1252(window []byte, folded bool) bool {
	cut := len(window) == encodingWindow // perhaps inside a character
	if folded {
		for _, fold := range []string{"\r\n ", "\r\n\t", "\n ", "\n\t"} {
			window = bytes.ReplaceAll(window, []byte(fold), nil)
		}
	}
	valid, single := 0, 0
	for i := 0; i < len(window); {
		_, n := utf8.DecodeRune(window[i:])
		switch c := window[i]; {
		case n > 1:
			valid++
		case c < utf8.RuneSelf || cut && !utf8.FullRune(window[i:]):
		case windows1252Letter(c):
			if i > 0 && isLetter(window[i-1]) || i+1 < len(window) && isLetter(window[i+1]) {
				single++
			}
		case windows1252Sign(c):
			single++
		}
		i += n
	}
	return single > valid
}

func windows1252Letter(c byte) bool {
	switch c {
	case 0x8a, 0x8c, 0x8e, 0x9a, 0x9c, 0x9e, 0x9f: // Š Œ Ž š œ ž Ÿ
		return true
	}
	return c >= 0xc0
}

// windows1252Sign reports whether a byte that is no letter is a sign. The five bytes without a character are none.
func windows1252Sign(c byte) bool {
	r := charmap.Windows1252.DecodeByte(c)
	return r > 0x9f && r != utf8.RuneError
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// utf16Reader converts UTF-16 to UTF-8. Half of a surrogate pair, and a last single byte, become a byte that is not UTF-8, which
// the reader of the format reports.
type utf16Reader struct {
	src     *bufio.Reader
	order   binary.ByteOrder
	pending []byte
}

const notUTF8 = 0xff

// Read implements io.Reader.
func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.pending) < len(p) {
		pair, err := u.src.Peek(2)
		if len(pair) < 2 {
			if len(pair) == 1 && errors.Is(err, io.EOF) {
				u.pending = append(u.pending, notUTF8)
				err = discard(u.src, 1)
			}
			if len(u.pending) == 0 {
				return 0, err
			}
			break
		}
		n, r := 2, rune(u.order.Uint16(pair))
		if utf16.IsSurrogate(r) {
			r, n = u.surrogate(r)
		}
		if r == utf8.RuneError && n == 0 {
			u.pending, n = append(u.pending, notUTF8), 2
		} else {
			u.pending = utf8.AppendRune(u.pending, r)
		}
		if err := discard(u.src, n); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.pending)
	u.pending = append(u.pending[:0], u.pending[n:]...)
	return n, nil
}

// surrogate returns the character of a surrogate pair and its length. The length of half a pair is 0.
func (u *utf16Reader) surrogate(first rune) (rune, int) {
	four, err := u.src.Peek(4)
	if err != nil {
		return utf8.RuneError, 0
	}
	if r := utf16.DecodeRune(first, rune(u.order.Uint16(four[2:]))); r != utf8.RuneError {
		return r, 4
	}
	return utf8.RuneError, 0
}
