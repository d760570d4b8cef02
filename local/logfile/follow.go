// How a log is read from its end and followed over rotations.

package logfile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// pollEvery is the time between two looks at a followed file. A person reads no faster.
	pollEvery = 200 * time.Millisecond
	// tailBlock is how much is read at a time.
	tailBlock = 64 << 10
	// maxLine bounds a followed line. The supervisor cuts lines far below it.
	maxLine = 1 << 20
)

// Tail calls fn with each of the last n lines of the file, with all lines where n is negative. With follow it continues
// with the lines that are appended, over rotations too, until ctx is done.
func Tail(ctx context.Context, path string, n int, follow bool, fn func(line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	if n >= 0 {
		if err := seekLines(f, n); err != nil {
			return fmt.Errorf("find the last lines: %w", err)
		}
	}
	r := bufio.NewReaderSize(f, tailBlock)
	var part []byte // the begin of a line that has no end yet
	for {
		chunk, err := r.ReadBytes('\n')
		part = append(part, chunk...)
		switch {
		case err == nil || len(part) >= maxLine:
			if err := fn(bytes.TrimSuffix(part, []byte("\n"))); err != nil {
				return err
			}
			part = part[:0]
			continue
		case !errors.Is(err, io.EOF):
			return err
		case !follow && len(part) > 0:
			return fn(part)
		case !follow:
			return nil
		}
		next, err := rotated(f, path)
		if err != nil {
			return err
		}
		if next != nil { // first the lines that were written between the last read and the rotation
			rest, err := io.ReadAll(r)
			if err != nil {
				next.Close()
				return err
			}
			for line := range bytes.Lines(append(part, rest...)) {
				if err := fn(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
					next.Close()
					return err
				}
			}
			f.Close()
			f, part = next, nil
			r.Reset(f)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollEvery):
		}
	}
}

// rotated opens the file at path if it is not f any more.
func rotated(f *os.File, path string) (*os.File, error) {
	now, err := os.Stat(path)
	if err != nil {
		return nil, nil //nolint:nilerr // during a rotation there is no file for a moment
	}
	old, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if os.SameFile(old, now) {
		return nil, nil
	}
	next, err := os.Open(path)
	if err != nil {
		return nil, nil //nolint:nilerr // rotated again: the next look finds the newest file
	}
	return next, nil
}

// seekLines moves f to the start of its last n lines.
func seekLines(f *os.File, n int) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || n == 0 {
		return err
	}
	pos, seen := end, 0
	buf := make([]byte, tailBlock)
	for pos > 0 {
		size := min(pos, tailBlock)
		pos -= size
		if _, err := f.ReadAt(buf[:size], pos); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for i := size - 1; i >= 0; i-- {
			if buf[i] != '\n' || pos+i == end-1 { // the last line's own end does not count
				continue
			}
			if seen++; seen == n {
				_, err := f.Seek(pos+i+1, io.SeekStart)
				return err
			}
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}
