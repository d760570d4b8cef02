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

// MaxUnproved is how often in a row a log may show a larger signed checkpoint without the proof that it continues the last one.
// A server that is overloaded or restarted gives it sooner. One that shows another log cannot give it.
const MaxUnproved = 5

// Watch follows the checkpoints of a log.
type Watch struct {
	Client *Client
	Key    string // the log's public key
	File   string // keeps the last checkpoint
	Every  time.Duration
	Once   bool
	Say    func(string) // what happened, for a person

	unproved int // larger checkpoints in a row that came without their proof
}

// Run compares checkpoints until ctx ends. It returns a *auditlog.Difference as soon as the log is not the one that was
// followed; the file then keeps the last good checkpoint, and the file with ".bad" the other one, which together are the
// evidence. A server that does not answer is asked again.
func (w *Watch) Run(ctx context.Context) error {
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
func (w *Watch) step(ctx context.Context, last *auditlog.Checkpoint) (*auditlog.Checkpoint, error) {
	signed, err := w.Client.Checkpoint(ctx)
	if err != nil {
		return last, err
	}
	now, err := auditlog.Follow(ctx, w.Key, last, signed, w.Client.Consistency)
	if err != nil {
		return last, w.refuse(ctx, signed, err)
	}
	if last == nil || now.Size > last.Size { // a log that shows the last one again has proved nothing
		w.unproved = 0
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

// refuse counts a missing proof, and keeps the checkpoint of an alarm. It returns the error of the step.
func (w *Watch) refuse(ctx context.Context, signed []byte, err error) error {
	var missing *auditlog.ProofError
	if errors.As(err, &missing) && ctx.Err() == nil {
		if w.unproved++; w.unproved >= MaxUnproved {
			err = &auditlog.Difference{
				Kind: auditlog.KindUnproved, Position: missing.From, Until: missing.To,
				Detail: fmt.Sprintf("asked %d times, at last: %v", w.unproved, missing.Err),
			}
		}
	}
	var bad *auditlog.Difference
	if !errors.As(err, &bad) {
		return err
	}
	file := w.File + ".bad"
	if kept := atomicfile.WriteDurably(file, signed, 0o600); kept != nil {
		w.Say(fmt.Sprintf("the bad checkpoint could not be kept: %v", kept))
	} else {
		w.Say("the bad checkpoint is kept in " + file)
	}
	if bad.Kind != auditlog.KindKey { // else it can be any text
		w.Say(string(signed))
	}
	return err
}

// load returns the kept checkpoint, nil if there is no file.
func (w *Watch) load() (*auditlog.Checkpoint, error) {
	raw, err := os.ReadFile(w.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the kept checkpoint: %w", err)
	}
	last, err := auditlog.OpenCheckpoint(raw, w.Key)
	if err != nil {
		return nil, KeptError(w.File, err)
	}
	return &last, nil
}

// KeptError returns the error for a file with kept checkpoints that could not be opened. Only one that another key signed is an
// alarm: a file that cannot be read says nothing about the log.
func KeptError(file string, err error) error {
	if auditlog.NotSigned(err) {
		return &auditlog.Difference{Kind: auditlog.KindKey, Detail: "a kept one in " + file + ": " + err.Error()}
	}
	return fmt.Errorf("the kept checkpoints in %s cannot be read: %w", file, err)
}
