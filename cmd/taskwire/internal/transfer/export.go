package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// This file has the export: a file exists with everything or does not change.

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

// ExportFile writes all tasks to a file and returns the number of bytes. If it fails, the file does not change.
func ExportFile(ctx context.Context, t Target, format, path string) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the caller gets the first error
		}
	}()
	n, err = Export(ctx, t, format, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(f.Name(), path)
}
