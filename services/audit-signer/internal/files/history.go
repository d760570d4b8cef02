package files

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
	"github.com/taskwire/taskwire/services/audit-signer/internal/domain"
)

// tailBytes is how much of the end of the history is read to find its last line. A line has some 400 bytes.
const tailBytes = 64 << 10

// History is the file with every signed checkpoint. Lines are only added.
type History struct {
	path      string
	published string // the path of the file with the published position
	now       func() time.Time

	mu    sync.Mutex
	last  string        // the last line's checkpoint
	added chan struct{} // has a value after a line was added
}

// OpenHistory opens the history at path, "" for its usual place in the folder. It removes a last line that a crash cut, and
// adds the checkpoint of the state if a crash kept it from being written.
func (f *Folder) OpenHistory(path string, now func() time.Time) (*History, error) {
	if path == "" {
		path = filepath.Join(f.dir, HistoryFile)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the checkpoints: %w", err)
	}
	h := &History{path: path, published: filepath.Join(f.dir, publishedFile), now: now, added: make(chan struct{}, 1)}
	if err := h.repair(); err != nil {
		return nil, err
	}
	state, err := f.Load()
	if err != nil && !errors.Is(err, domain.ErrNotBegun) {
		return nil, err
	}
	return h, h.Add(state)
}

// repair removes what follows the last complete line, and reads that line.
func (h *History) repair() error {
	file, err := os.OpenFile(h.path, os.O_RDWR|os.O_CREATE, private)
	if err != nil {
		return fmt.Errorf("open the checkpoints: %w", err)
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("open the checkpoints: %w", err)
	}
	from := max(0, size-tailBytes)
	tail := make([]byte, size-from)
	if _, err := file.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the checkpoints: %w", err)
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	if end < len(tail) {
		if err := errors.Join(file.Truncate(from+int64(end)), file.Sync()); err != nil {
			return fmt.Errorf("remove the cut end of the checkpoints: %w", err)
		}
	}
	if end == 0 {
		return nil
	}
	line := tail[bytes.LastIndexByte(tail[:end-1], '\n')+1 : end]
	var p auditlog.Published
	if err := json.Unmarshal(line, &p); err != nil {
		return fmt.Errorf("the last line of %s is damaged, and is left as it is: %w", h.path, err)
	}
	h.last = p.Checkpoint
	return nil
}

// Add adds the checkpoint of a state and puts it on disk. It does nothing for the last one and for none.
func (h *History) Add(s domain.State) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.Signed == nil || string(s.Signed) == h.last {
		return nil
	}
	line, err := lineOf(s.Signed, h.now())
	if err != nil {
		return err
	}
	file, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, private)
	if err != nil {
		return fmt.Errorf("add a checkpoint: %w", err)
	}
	info, err := file.Stat()
	if err == nil {
		err = appendLine(file, info.Size(), line)
	}
	if err = errors.Join(err, file.Close(), syncDir(filepath.Dir(h.path))); err != nil {
		return fmt.Errorf("add a checkpoint: %w", err)
	}
	h.last = string(s.Signed)
	select {
	case h.added <- struct{}{}:
	default: // the reader has not looked yet
	}
	return nil
}

// appendable is the part of *os.File that appendLine uses.
type appendable interface {
	io.Writer
	Truncate(size int64) error
	Sync() error
}

// appendLine adds a line to a file of that size, and puts it on disk. If that fails, as on a full disk, it takes the part of the
// line away, so that the next line does not continue it.
func appendLine(file appendable, size int64, line []byte) error {
	_, err := file.Write(line)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, file.Truncate(size), file.Sync())
}

// Added is sent a value after lines were added.
func (h *History) Added() <-chan struct{} { return h.added }

// lineOf reads the size and the root from the note, which the signer has checked.
func lineOf(signed []byte, at time.Time) ([]byte, error) {
	lines := bytes.SplitN(signed, []byte("\n"), 4)
	p := auditlog.Published{SignedAt: at.UTC(), Checkpoint: string(signed)}
	if len(lines) == 4 {
		p.Root = string(lines[2])
		if err := json.Unmarshal(lines[1], &p.Size); err != nil {
			return nil, fmt.Errorf("add a checkpoint: its size: %w", err)
		}
	}
	raw, err := json.Marshal(p)
	return append(raw, '\n'), err
}

// offset is the form of published.json.
type offset struct {
	Bytes int64 `json:"bytes"`
}

// Unpublished returns the lines after the published position, at most limit, and the position after each.
func (h *History) Unpublished(limit int) (lines [][]byte, ends []int64, err error) {
	var from offset
	if err := readJSON(h.published, &from); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	file, err := os.Open(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	if from.Bytes > info.Size() {
		from.Bytes = 0 // the file was replaced: all of it is sent, some of it again
	}
	if _, err := file.Seek(from.Bytes, io.SeekStart); err != nil {
		return nil, nil, fmt.Errorf("read the checkpoints: %w", err)
	}
	at, reader := from.Bytes, bufio.NewReader(file)
	for len(lines) < limit {
		line, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break // a line that is being written is read next time
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the checkpoints: %w", err)
		}
		at += int64(len(line))
		lines, ends = append(lines, line), append(ends, at)
	}
	return lines, ends, nil
}

// Published records that everything before the position was sent.
func (h *History) Published(position int64) error {
	return writeJSON(h.published, offset{Bytes: position})
}
