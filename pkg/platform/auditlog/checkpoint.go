package auditlog

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrCheckpoint is wrapped when a note is not a checkpoint of this log.
var ErrCheckpoint = errors.New("not a checkpoint")

// Checkpoint is the head of the tree, to which the log commits.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// Text returns the checkpoint's three lines, which the log signs.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + c.Root.String() + "\n"
}

// Sign returns the checkpoint as a signed note. Ed25519 is deterministic: the same checkpoint gives the same note.
func (c Checkpoint) Sign(signer note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of size %d: %w", c.Size, err)
	}
	return signed, nil
}

// OpenCheckpoint parses a signed checkpoint. It checks that the key vkey (note format) signed it and that the origin is
// the name of the key.
func OpenCheckpoint(signed []byte, vkey string) (Checkpoint, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read the log's public key: %w", err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("open checkpoint: %w", err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != verifier.Name() {
		return Checkpoint{}, fmt.Errorf("%w: its origin is %q, the key's is %q", ErrCheckpoint, c.Origin, verifier.Name())
	}
	return c, nil
}

// NotSigned reports whether an error of OpenCheckpoint or OpenCheckpoints means that the key did not sign a well-formed note. Any
// other error means that the key or the note cannot be read.
func NotSigned(err error) bool {
	var unknown *note.UnverifiedNoteError
	var wrong *note.InvalidSignatureError
	return errors.As(err, &unknown) || errors.As(err, &wrong)
}

func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, fmt.Errorf("%w: it has fewer than three lines", ErrCheckpoint)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("%w: its size is not a plain decimal number", ErrCheckpoint)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: its root hash is not 32 bytes of base64", ErrCheckpoint)
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// VerifierKey derives the public key (note format) from a signer key of note.GenerateKey, so that the log needs no second
// setting, which could be wrong.
func VerifierKey(skey string) (string, error) {
	const ed25519Key = 1 // the algorithm byte of the note format
	parts := strings.Split(skey, "+")
	if len(parts) < 5 { // PRIVATE+KEY+name+hash+data; the base64 of the data may itself have a "+"
		return "", errors.New("signer key is not in the form PRIVATE+KEY+name+hash+data")
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(parts[4:], "+"))
	if err != nil || len(data) != 1+ed25519.SeedSize || data[0] != ed25519Key {
		return "", errors.New("signer key is not an Ed25519 key")
	}
	public, ok := ed25519.NewKeyFromSeed(data[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", errors.New("signer key is not an Ed25519 key")
	}
	vkey, err := note.NewEd25519VerifierKey(parts[2], public)
	if err != nil {
		return "", fmt.Errorf("derive the public key: %w", err)
	}
	return vkey, nil
}
