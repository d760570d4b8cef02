package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
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
	for i, note := range notes {
		if all[i], err = OpenCheckpoint(note, key); err != nil {
			return nil, err
		}
	}
	return all, nil
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
	var note []byte
	signed := false // the note has a signature
	for line := range bytes.Lines(raw) {
		isSignature := bytes.HasPrefix(line, signature)
		if signed && !isSignature {
			notes, note, signed = append(notes, note), nil, false
		}
		if len(note) == 0 && len(bytes.TrimSpace(line)) == 0 {
			continue // between two notes
		}
		note = append(append(note, bytes.TrimRight(line, "\r\n")...), '\n')
		signed = signed || isSignature
	}
	if len(note) > 0 {
		notes = append(notes, note)
	}
	return notes, nil
}
