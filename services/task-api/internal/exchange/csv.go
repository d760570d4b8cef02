package exchange

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// csvRows reads the rows of a CSV file (RFC 4180) as a stream. Unlike encoding/csv it bounds a row, accepts a carriage return alone as
// the end of a row, and accepts a quotation mark inside an unquoted cell.
type csvRows struct {
	r         *bufio.Reader
	separator byte
	line      int // the number of the next line
}

// csvRow is a row with the line on which it begins.
type csvRow struct {
	cells []string
	line  int
	// quotes reports that text follows the closing quotation mark of a cell. The cell has it too.
	quotes bool
}

// separators are what separates cells in the dialects of CSV. Spreadsheets use semicolons where a comma is in decimal fractions.
const separators = ",;\t|"

func newCSVRows(r io.Reader) *csvRows {
	return &csvRows{r: bufio.NewReaderSize(r, 64<<10), separator: separators[0], line: 1}
}

// header reads the first row and finds the separator: the first one with which the row has all the columns. A line "sep=;" before it,
// which spreadsheets write, is skipped.
func (c *csvRows) header(columns ...string) ([]string, error) {
	raw, err := c.rawLine()
	if err == nil && len(raw) >= 4 && strings.EqualFold(string(raw[:4]), "sep=") {
		raw, err = c.rawLine()
	}
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrFile)
	}
	for _, separator := range []byte(separators) {
		first := csvRows{r: bufio.NewReader(bytes.NewReader(raw)), separator: separator, line: 1}
		row, err := first.next()
		if err != nil {
			return nil, fmt.Errorf("%w: its first line is not CSV", ErrFile)
		}
		for i, name := range row.cells {
			row.cells[i] = strings.ToUpper(strings.TrimSpace(strings.TrimPrefix(name, string(byteOrderMark))))
		}
		if c.separator = separator; hasAll(row.cells, columns) {
			return row.cells, nil
		}
	}
	return nil, fmt.Errorf("%w: it is not Todoist's CSV, because its first line does not have the columns %s", ErrFile, strings.Join(columns, " and "))
}

func hasAll(list, wanted []string) bool {
	for _, w := range wanted {
		found := false
		for _, l := range list {
			found = found || l == w
		}
		if !found {
			return false
		}
	}
	return true
}

var errTooLong = errors.New("is longer than a task can be")

const unclosed = "(is a quotation mark not closed?)"

// rawLine reads up to the end of a line.
func (c *csvRows) rawLine() (line []byte, err error) {
	for {
		b, err := c.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return line, nil
		case err != nil:
			return nil, err
		case b == '\n' || b == '\r':
			return line, c.endOfLine(b)
		}
		if line = append(line, b); len(line) > MaxTask {
			return nil, fmt.Errorf("%w: its first line %w", ErrFile, errTooLong)
		}
	}
}

// endOfLine reads the line feed after a carriage return.
func (c *csvRows) endOfLine(b byte) error {
	c.line++
	if b != '\r' {
		return nil
	}
	after, err := c.r.Peek(1)
	if err == nil && after[0] == '\n' {
		_, err = c.r.Discard(1)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// next returns the next row. It returns io.EOF at the end, and ErrFile for a row that has no end.
func (c *csvRows) next() (csvRow, error) {
	row := csvRow{line: c.line}
	var cell []byte
	begun, size := false, 0
	for {
		b, err := c.r.ReadByte()
		if size++; size > MaxTask {
			return row, fmt.Errorf("%w: the row that begins on line %d %w %s", ErrFile, row.line, errTooLong, unclosed)
		}
		switch {
		case errors.Is(err, io.EOF):
			if !begun {
				return row, io.EOF
			}
			row.cells = append(row.cells, string(cell))
			return row, nil
		case err != nil:
			return row, err
		case b == c.separator:
			row.cells, cell = append(row.cells, string(cell)), nil
		case b == '\n' || b == '\r':
			row.cells = append(row.cells, string(cell))
			return row, c.endOfLine(b)
		case b == '"' && len(cell) == 0:
			if cell, err = c.quoted(&row, &size); err != nil {
				return row, err
			}
		default:
			cell = append(cell, b)
		}
		begun = true
	}
}

// quoted reads a cell after its opening quotation mark up to the separator. Two quotation marks are one of the text.
func (c *csvRows) quoted(row *csvRow, size *int) (cell []byte, err error) {
	opened := c.line
	for {
		b, err := c.r.ReadByte()
		if *size++; *size > MaxTask {
			return nil, fmt.Errorf("%w: the row that begins on line %d %w %s", ErrFile, row.line, errTooLong, unclosed)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: the quotation mark that opens on line %d is not closed", ErrFile, opened)
		case err != nil:
			return nil, err
		case b == '\n' || b == '\r':
			before := c.r.Buffered()
			if err := c.endOfLine(b); err != nil {
				return nil, err
			}
			if b == '\r' && c.r.Buffered() < before { // a carriage return and a line feed are one line break
				b = '\n'
			}
			cell = append(cell, b)
		case b != '"':
			cell = append(cell, b)
		default:
			after, err := c.r.Peek(1)
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			if len(after) == 0 || after[0] == c.separator || after[0] == '\n' || after[0] == '\r' {
				return cell, nil
			}
			if after[0] != '"' {
				row.quotes = true
				return append(cell, '"'), nil
			}
			if _, err := c.r.Discard(1); err != nil {
				return nil, err
			}
			cell = append(cell, '"')
		}
	}
}
