package exchange

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lines reads a file line by line in bounded memory.
type lines struct {
	r  *bufio.Reader
	no int // the number of the last line
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns a copy of the next line without its line end. For a line of more than MaxTask bytes it reads up to the line end
// and returns tooLong.
func (l *lines) next() (line []byte, tooLong bool, err error) {
	for {
		part, err := l.r.ReadSlice('\n')
		if len(line)+len(part) > MaxTask {
			line, tooLong = nil, true
		}
		if !tooLong {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) && (len(line) > 0 || tooLong) {
			err = nil
		}
		if err != nil {
			return nil, false, err
		}
		if l.no++; l.no == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		return bytes.TrimRight(line, "\r\n"), tooLong, nil
	}
}
