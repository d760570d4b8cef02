package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

// This file has the import: the file goes up, and the report comes down line by line.

// maxReportLine bounds one line of the report: a reason and some names.
const maxReportLine = 64 << 10

// ErrCut says that the answer ended before the import was done.
var ErrCut = errors.New("the answer ended before the import was done: run the same import again, nothing is made twice")

// The types of report lines.
const (
	typeDone  = "done"
	typeError = "error"
)

// Report is one line of the answer to an import.
type Report struct {
	Type, Field, Reason                       string
	Line                                      int
	Created, Present, Refused, Skipped, Notes int
}

// Progress counts the bytes of the file that were sent. It is safe for concurrent use.
type Progress struct{ sent atomic.Int64 }

// Sent returns the number of bytes.
func (p *Progress) Sent() int64 { return p.sent.Load() }

// counted counts what is read.
type counted struct {
	io.Reader
	p *Progress
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.sent.Add(int64(n))
	return n, err
}

// Import sends a file and passes each line of the report to report, as it arrives. It returns the last line. The error is
// ErrCut, that of ctx, or the server's.
func Import(ctx context.Context, t Target, format string, file io.Reader, progress *Progress, report func(Report)) (Report, error) {
	// NopCloser: the HTTP client must not close the caller's file.
	resp, err := t.request(ctx, http.MethodPost, "/api/v1/import", format, io.NopCloser(counted{file, progress}))
	if err != nil {
		return Report{}, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxReportLine)
	for lines.Scan() {
		var r Report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return Report{}, fmt.Errorf("the answer is not a report: %w", err)
		}
		switch r.Type {
		case typeDone:
			return r, nil
		case typeError:
			return r, fmt.Errorf("the import ended: %s", r.Reason)
		}
		report(r)
	}
	if ctx.Err() != nil {
		return Report{}, ctx.Err()
	}
	return Report{}, ErrCut
}
