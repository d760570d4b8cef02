package auditlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

const (
	// attempts bounds how often an export that is cut is continued without any progress.
	attempts = 5
	// again is the time between two attempts.
	again = time.Second
)

// VerifyFile checks an export in a file. progress is called now and then.
func VerifyFile(ctx context.Context, v *auditlog.Verifier, file io.Reader, progress func(auditlog.Result)) error {
	if err := lines(ctx, v, file, progress); err != nil {
		return err
	}
	return v.Done()
}

// Verify checks the log of the server. An answer that is cut is continued where it ended.
func Verify(ctx context.Context, v *auditlog.Verifier, c *Client, progress func(auditlog.Result)) error {
	for left := attempts; ; {
		from := v.Next()
		err := part(ctx, v, c, progress)
		var bad *auditlog.Difference
		var status *StatusError
		switch {
		case errors.As(err, &bad), errors.Is(err, auditlog.ErrExport), ctx.Err() != nil:
			return err
		case errors.As(err, &status) && status.Status/100 == 4:
			return err
		case err == nil && v.Done() == nil:
			return nil
		}
		if v.Next() > from {
			left = attempts
		} else if left--; left == 0 {
			if err == nil {
				err = v.Done()
			}
			return err
		}
		v.Resume()
		if err == nil {
			continue // the time of one answer was over
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(again):
		}
	}
}

func part(ctx context.Context, v *auditlog.Verifier, c *Client, progress func(auditlog.Result)) error {
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	body, err := c.export(ctx, v.Next())
	if err != nil {
		return err
	}
	defer body.Close()
	return lines(ctx, v, body, progress)
}

// lines gives the lines to the verifier. A last line without its end, which a cut connection leaves, is not given.
func lines(ctx context.Context, v *auditlog.Verifier, from io.Reader, progress func(auditlog.Result)) error {
	reader := bufio.NewReaderSize(from, 64<<10)
	for ctx.Err() == nil {
		line, err := readLine(reader)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := v.Line(line); err != nil {
			return err
		}
		progress(v.Result())
	}
	return ctx.Err()
}

// readLine returns the next line, without its end and bounded.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) <= auditlog.MaxLine:
			continue
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("%w: a line is longer than %d bytes", auditlog.ErrExport, auditlog.MaxLine)
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("read the export: %w", err)
		}
	}
}
