package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Published is a checkpoint as the signer publishes it: a line of its file, the body of its request, or its event.
type Published struct {
	Size       int64     `json:"size"`
	Root       string    `json:"root"` // base64, as in the checkpoint
	SignedAt   time.Time `json:"signed_at"`
	Checkpoint string    `json:"checkpoint"` // the signed note
}

// OpenCheckpoints opens the checkpoints of a file: signed notes one after another, as the API answers them, or lines of
// Published, as the signer writes them. It returns an error when one of them has no signature of the key, or when there is
// none.
func OpenCheckpoints(raw []byte, key string) ([]Checkpoint, error) {
	notes, err := splitNotes(bytes.TrimSpace(raw))
	if err != nil {
		return nil, err
	}
	if len(notes) == 0 {
		return nil, errors.New("there is no checkpoint")
	}
	all := make([]Checkpoint, len(notes))
	for i, signed := range notes {
		if all[i], err = OpenCheckpoint(signed, key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// NewestCheckpoint returns the largest checkpoint of such a file, as a signed note. With an empty key it checks the form of all
// of them and no signature.
func NewestCheckpoint(raw []byte, key string) ([]byte, error) {
	notes, err := splitNotes(bytes.TrimSpace(raw))
	if err != nil {
		return nil, err
	}
	var newest []byte
	size := int64(-1)
	for _, signed := range notes {
		c, err := readCheckpoint(signed, key)
		if err != nil {
			return nil, err
		}
		if c.Size > size {
			newest, size = signed, c.Size
		}
	}
	if newest == nil {
		return nil, errors.New("there is no checkpoint")
	}
	return newest, nil
}

// readCheckpoint opens a signed checkpoint with the key, or reads it without a check of its signature if there is no key.
func readCheckpoint(signed []byte, key string) (Checkpoint, error) {
	if key != "" {
		return OpenCheckpoint(signed, key)
	}
	_, err := note.Open(signed, note.VerifierList())
	var unknown *note.UnverifiedNoteError // of a well-formed note
	if !errors.As(err, &unknown) {
		return Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	return parseCheckpoint(unknown.Note.Text)
}

// signature begins the lines of signatures of a note, after an empty line.
var signature = []byte("\u2014 ")

func splitNotes(raw []byte) (notes [][]byte, err error) {
	if bytes.HasPrefix(raw, []byte("{")) {
		lines := json.NewDecoder(bytes.NewReader(raw))
		for {
			var p Published
			switch err := lines.Decode(&p); {
			case errors.Is(err, io.EOF):
				return notes, nil
			case err != nil:
				return nil, fmt.Errorf("%w: a line cannot be read: %w", ErrCheckpoint, err)
			}
			notes = append(notes, []byte(p.Checkpoint))
		}
	}
	var current []byte
	signed := false // the current note has a signature
	for line := range bytes.Lines(raw) {
		isSignature := bytes.HasPrefix(line, signature)
		if signed && !isSignature {
			notes, current, signed = append(notes, current), nil, false
		}
		if len(current) == 0 && len(bytes.TrimSpace(line)) == 0 {
			continue // between two notes
		}
		current = append(append(current, bytes.TrimRight(line, "\r\n")...), '\n')
		signed = signed || isSignature
	}
	if len(current) > 0 {
		notes = append(notes, current)
	}
	return notes, nil
}
