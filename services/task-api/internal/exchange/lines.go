package exchange

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lines reads a file line by line in bounded memory. A line ends with LF, with CR LF, or with CR alone.
type lines struct {
	r       *bufio.Reader
	no      int    // the number of the last line
	long    []byte // a line that does not fit into the buffer of r
	afterCR bool   // the last line ended with CR, so that a following LF belongs to it
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next line without its line end. The line is valid until the next call. Of a line of more than MaxTask bytes it
// returns the first MaxTask bytes, and left says how many more there are.
func (l *lines) next() (line []byte, left int, err error) {
	l.long = l.long[:0]
	begun := false
	for {
		if _, err := l.r.Peek(1); err != nil {
			if !begun || !errors.Is(err, io.EOF) {
				return nil, 0, err
			}
			return l.first(l.long), left, nil
		}
		ahead, err := l.r.Peek(l.r.Buffered())
		if err != nil {
			return nil, 0, err
		}
		if l.afterCR && ahead[0] == '\n' {
			l.afterCR = false
			if _, err := l.r.Discard(1); err != nil {
				return nil, 0, err
			}
			continue
		}
		if !begun {
			begun, l.afterCR = true, false
			l.no++
		}
		end := lineEnd(ahead)
		part := ahead
		if end >= 0 {
			part = ahead[:end]
			l.afterCR = ahead[end] == '\r'
		}
		if end >= 0 && len(l.long) == 0 && left == 0 { // the usual case: nothing is copied
			_, err := l.r.Discard(end + 1)
			return l.first(part), 0, err
		}
		room := min(len(part), MaxTask-len(l.long))
		l.long, left = append(l.long, part[:room]...), left+len(part)-room
		if _, err := l.r.Discard(min(len(part)+1, len(ahead))); err != nil || end >= 0 {
			return l.first(l.long), left, err
		}
	}
}

// first removes the byte order mark of the first line.
func (l *lines) first(line []byte) []byte {
	if l.no == 1 {
		return bytes.TrimPrefix(line, byteOrderMark)
	}
	return line
}

// lineEnd returns the index of the first LF or CR, or -1.
func lineEnd(b []byte) int {
	for i, c := range b {
		if c == '\n' || c == '\r' {
			return i
		}
	}
	return -1
}
