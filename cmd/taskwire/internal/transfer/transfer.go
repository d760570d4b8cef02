// Package transfer sends a file of tasks to a running Taskwire and fetches one from it, for `taskwire import` and
// `taskwire export`.
//
// Promises: a file is streamed, never held; an import that is interrupted can be repeated as it is, and makes nothing
// twice; an export that was not received to its end leaves no file behind, and the one that was there stays.
package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// maxProblem bounds what is read of an answer that is an error.
	maxProblem = 64 << 10
	// maxReport bounds a line of the report: a reason and some names.
	maxReport = 64 << 10
	// headerTimeout is how long the server may take to begin its answer after it has the whole request.
	headerTimeout = 60 * time.Second
)

// Target is where Taskwire answers, and who asks.
type Target struct{ URL, Token string }

// Report is a line of the answer of an import.
type Report struct {
	Type, Field, Reason                       string
	Line                                      int
	Created, Present, Refused, Skipped, Notes int
}

// ErrCut says that the answer ended before it was done.
var ErrCut = errors.New("the answer ended before the import was done: run the same import again, nothing is made twice")

var client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: headerTimeout}}

func (t Target) request(ctx context.Context, method, path, format string, body io.Reader) (*http.Response, error) {
	base, err := url.Parse(t.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("--url %q is not an address like http://127.0.0.1:8080", t.URL)
	}
	if t.Token == "" {
		return nil, errors.New("there is no access token: put it into the environment variable TASKWIRE_TOKEN")
	}
	at := base.JoinPath(path)
	at.RawQuery = url.Values{"format": {format}}.Encode()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", t.URL, err)
	}
	req.Header.Set("Authorization", "Bearer "+t.Token)
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // it would only repeat the address
		}
		return nil, fmt.Errorf("cannot reach %s: %w", t.URL, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

// problem is the server's error as a sentence.
func problem(resp *http.Response) error {
	var p struct{ Title, Detail string }
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Title == "" {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		p.Detail += " (The token comes from TASKWIRE_TOKEN.)"
	}
	return fmt.Errorf("%s (%d): %s", p.Title, resp.StatusCode, strings.TrimSpace(p.Detail))
}

// Progress is how far an import is: bytes of the file that were sent.
type Progress struct{ sent atomic.Int64 }

// Sent is the number of bytes.
func (p *Progress) Sent() int64 { return p.sent.Load() }

type counted struct {
	io.Reader
	p *Progress
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.sent.Add(int64(n))
	return n, err
}

// Import sends a file and hands each line of the report to tell, as it comes. It returns the last one.
func Import(ctx context.Context, t Target, format string, file io.Reader, progress *Progress, tell func(Report)) (Report, error) {
	// Without a name for its type the body is nothing but a stream: the client must not close a file of ours.
	resp, err := t.request(ctx, http.MethodPost, "/api/v1/import", format, io.NopCloser(counted{file, progress}))
	if err != nil {
		return Report{}, err
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, maxReport)
	for in.Scan() {
		var r Report
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return Report{}, fmt.Errorf("the answer is no report: %w", err)
		}
		switch r.Type {
		case "done":
			return r, nil
		case "error":
			return r, fmt.Errorf("the import ended: %s", r.Reason)
		}
		tell(r)
	}
	if ctx.Err() != nil {
		return Report{}, ctx.Err()
	}
	return Report{}, ErrCut
}

// Export writes all tasks to out and returns the number of bytes.
func Export(ctx context.Context, t Target, format string, out io.Writer) (int64, error) {
	resp, err := t.request(ctx, http.MethodGet, "/api/v1/export", format, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(out, resp.Body)
	if ctx.Err() != nil {
		return n, ctx.Err()
	}
	if err != nil {
		return n, fmt.Errorf("the export was cut after %d bytes: %w", n, err)
	}
	return n, nil
}

// ExportFile is Export into a file, which is there whole or not at all.
func ExportFile(ctx context.Context, t Target, format, path string) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error that matters is returned
		}
	}()
	n, err = Export(ctx, t, format, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(f.Name(), path)
}
