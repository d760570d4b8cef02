// Package logfile keeps the output of a part on disk, bounded in size.
//
// Promises: a line that was written stands whole in one file; PATH is the newest file, PATH.1 the one before it, and
// so on up to Keep; no more than MaxBytes × (Keep + 1) stay on disk.
package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

const (
	// MaxBytes is the size at which a file is put aside: some days of a quiet part, and quick to search.
	MaxBytes = 10 << 20
	// Keep is how many older files stay.
	Keep = 2
)

// File appends lines. It is safe for several goroutines.
type File struct {
	path string
	max  int64

	mu   sync.Mutex
	f    *os.File
	size int64
}

// Open opens path for appending, making it with mode 0600: logs may name users.
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
			return errors.Join(fmt.Errorf("put log aside: %w", err), l.reopen())
		}
	}
	return l.reopen()
}

// Write makes a File an io.Writer for output that comes in whole lines.
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

// Close closes the file. Lines written later are refused.
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
