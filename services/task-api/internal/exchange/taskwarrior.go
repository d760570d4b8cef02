package exchange

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// taskwarrior reads the output of `task export`: a JSON array of objects, or one object a line.
//
// A recurring task and its open instances are one task in Taskwire (see twSeries). The reader holds them up to the end of the file,
// because they may stand in any order, and returns the other tasks at once.
//
// json.Decoder is not used for the array: it cannot continue after an object with an error, and does not bound an object.
type taskwarrior struct {
	r    *bufio.Reader
	line int
	last byte // the byte before
	zone *time.Location

	series map[string]*twSeries // by the uuid of the template
	order  []string             // the keys of series, as they first came
	held   int                  // bytes of the objects in series
	end    error                // why no further object comes
}

// mostHeld bounds the recurring tasks and open instances that the reader holds, in bytes: some tens of thousands.
const mostHeld = 16 << 20

func newTaskwarrior(r io.Reader, zone *time.Location) *taskwarrior {
	return &taskwarrior{r: bufio.NewReaderSize(r, 64<<10), line: 1, zone: zone, series: map[string]*twSeries{}}
}

// Next implements Reader.
func (t *taskwarrior) Next() (Item, error) {
	for t.end == nil {
		raw, line, err := t.object()
		var refused *Refused
		if errors.As(err, &refused) {
			return Item{}, err
		}
		if err != nil {
			t.end = err // the series are whole, and come before the error
			break
		}
		members, broken, err := readObject(raw)
		if err != nil {
			return Item{}, &Refused{line, "", "cannot be read: " + reason(err)}
		}
		task := newTWTask(members, line, string(raw), t.zone)
		for _, name := range broken {
			task.item.note(name, "has characters that are not valid: each became �")
		}
		if key := task.seriesKey(); key != "" {
			if err := t.hold(key, task); err != nil {
				return Item{}, err
			}
			continue
		}
		return task.plain()
	}
	for len(t.order) > 0 {
		if item, ok, err := t.series[t.order[0]].next(); ok {
			return item, err
		}
		t.order = t.order[1:]
	}
	return Item{}, t.end
}

// hold keeps a task of a series until the end of the file.
func (t *taskwarrior) hold(key string, task *twTask) error {
	if t.held += len(task.item.Content); t.held > mostHeld {
		t.held -= len(task.item.Content)
		return &Refused{task.item.Line, "recur", fmt.Sprintf("the file has more than %d MiB of recurring tasks: split it", mostHeld>>20)}
	}
	s := t.series[key]
	if s == nil {
		s = &twSeries{key: key}
		t.series[key], t.order = s, append(t.order, key)
	}
	s.add(task)
	return nil
}

// object returns the next top-level object and its line. It finds the end of an object by its braces, so that the reader can
// continue after an object with an error.
func (t *taskwarrior) object() (raw []byte, line int, err error) {
	depth, inText, escaped, tooLong := 0, false, false, false
	for {
		c, err := t.r.ReadByte()
		if errors.Is(err, io.EOF) && depth > 0 {
			return nil, 0, fmt.Errorf("%w: the object that begins on line %d has no end", ErrFile, line)
		}
		if err != nil {
			return nil, 0, err
		}
		if c == '\n' && t.last != '\r' || c == '\r' {
			t.line++
		}
		t.last = c
		if depth == 0 {
			switch {
			case c == '{':
				depth, raw, line = 1, append(raw, c), t.line
			case strings.IndexByte(" \t\r\n,[]", c) < 0:
				return nil, 0, fmt.Errorf("%w: it is not the output of `task export`, because of line %d", ErrFile, t.line)
			}
			continue
		}
		if raw = append(raw, c); len(raw) > MaxTask {
			raw, tooLong = raw[:0], true
		}
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = c == '\\', c != '"'
		case c == '"':
			inText = true
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
		if depth == 0 {
			if tooLong {
				return nil, 0, &Refused{line, "", errTooLong.Error()}
			}
			return raw, line, nil
		}
	}
}
