// Package logfile keeps the output of a part on disk, bounded in size.
//
// Promises: a line is never split over two files; PATH is the newest file, PATH.1 the one before it, and so on up to Keep;
// at most MaxBytes × (Keep + 1) stay on disk; Tail misses no line at a rotation. ADR 0020 says why this is our own code.
package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

const (
	// MaxBytes is the size at which a file is rotated. It holds some days of a quiet part and is quick to search.
	MaxBytes = 10 << 20
	// Keep is the number of older files that stay.
	Keep = 2
)

// File appends lines. It is safe for concurrent use.
type File struct {
	path string
	max  int64

	mu   sync.Mutex
	f    *os.File
	size int64
}

// Open opens path for appending. It makes a missing file with mode 0600, because logs may name users.
func Open(path string) (*File, error) { return open(path, MaxBytes) }

func open(path string, maxBytes int64) (*File, error) {
	l := &File{path: path, max: maxBytes}
	if err := l.reopen(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *File) reopen() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open log: %w", err)
	}
	l.f, l.size = f, info.Size()
	return nil
}

// WriteLine appends line and a line end.
func (l *File) WriteLine(line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return fs.ErrClosed
	}
	if l.size > 0 && l.size+int64(len(line))+1 > l.max {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	buf := make([]byte, 0, len(line)+1)
	n, err := l.f.Write(append(append(buf, line...), '\n'))
	l.size += int64(n)
	return err
}

func (l *File) rotate() error {
	l.f.Close()
	l.f = nil
	for i := Keep; i > 0; i-- {
		from := l.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", l.path, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", l.path, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("rotate log: %w", err), l.reopen())
		}
	}
	return l.reopen()
}

// Write is WriteLine as an io.Writer. Each call has to hold one whole line.
func (l *File) Write(p []byte) (int, error) {
	line := p
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if err := l.WriteLine(line); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close closes the file. Later writes return fs.ErrClosed.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}
