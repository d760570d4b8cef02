package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/taskwire/taskwire/local/atomicfile"
	"github.com/taskwire/taskwire/pkg/platform/auditlog"
)

// Watch follows the checkpoints of a log.
type Watch struct {
	Client *Client
	Key    string // the log's public key
	File   string // keeps the last checkpoint
	Every  time.Duration
	Once   bool
	Say    func(string) // what happened, for a person
}

// Run compares checkpoints until ctx ends. It returns a *auditlog.Difference as soon as the log is not the one that was
// followed; the file then keeps the last good checkpoint, which is the evidence. A server that does not answer is asked again.
func (w Watch) Run(ctx context.Context) error {
	last, err := w.load()
	if err != nil {
		return err
	}
	away := false
	for {
		last, err = w.step(ctx, last)
		var bad *auditlog.Difference
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &bad), err != nil && w.Once:
			return err
		case err != nil && !away:
			w.Say(fmt.Sprintf("%v; trying again", err))
		case w.Once:
			return nil
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(w.Every):
		}
	}
}

// step asks once. It returns the checkpoint to compare next.
func (w Watch) step(ctx context.Context, last *auditlog.Checkpoint) (*auditlog.Checkpoint, error) {
	signed, err := w.Client.Checkpoint(ctx)
	if err != nil {
		return last, err
	}
	now, err := auditlog.Follow(ctx, w.Key, last, signed, w.Client.Consistency)
	if err != nil {
		return last, err
	}
	if last != nil && now == *last {
		return last, nil
	}
	if err := atomicfile.WriteDurably(w.File, signed, 0o600); err != nil {
		return last, err
	}
	w.Say(fmt.Sprintf("%d entries, root %s", now.Size, now.Root))
	return &now, nil
}

// load returns the kept checkpoint, nil if there is no file.
func (w Watch) load() (*auditlog.Checkpoint, error) {
	raw, err := os.ReadFile(w.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the kept checkpoint: %w", err)
	}
	last, err := auditlog.OpenCheckpoint(raw, w.Key)
	if err != nil {
		return nil, &auditlog.Difference{Kind: auditlog.KindKey, Detail: "the kept one in " + w.File + ": " + err.Error()}
	}
	return &last, nil
}
