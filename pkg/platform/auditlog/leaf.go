package auditlog

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	leafHeader     = "taskwire-audit-entry/v1\n"
	leafRecordedAt = "recorded_at "
	// leafTime has microseconds, the precision of Postgres: a leaf that is made from the stored row is the same leaf.
	leafTime = "2006-01-02T15:04:05.000000Z"
)

// ErrLeaf is wrapped when bytes are not a leaf of this log.
var ErrLeaf = errors.New("not an audit log leaf")

// Leaf is one entry as the tree hashes it.
type Leaf struct {
	RecordedAt time.Time // UTC, whole microseconds
	Event      []byte    // the event's JSON as received
}

// Bytes returns the canonical bytes of the leaf.
func (l Leaf) Bytes() []byte {
	b := make([]byte, 0, len(leafHeader)+len(leafRecordedAt)+len(leafTime)+2+len(l.Event))
	b = append(b, leafHeader...)
	b = append(b, leafRecordedAt...)
	b = l.RecordedAt.UTC().AppendFormat(b, leafTime)
	b = append(b, "\n\n"...)
	return append(b, l.Event...)
}

// Hash returns the leaf's hash in the tree.
func (l Leaf) Hash() tlog.Hash { return tlog.RecordHash(l.Bytes()) }

// ParseLeaf parses a leaf. It accepts only canonical bytes: Bytes of the result returns b.
func ParseLeaf(b []byte) (Leaf, error) {
	rest, ok := bytes.CutPrefix(b, []byte(leafHeader+leafRecordedAt))
	if !ok {
		return Leaf{}, fmt.Errorf("%w: it does not begin with %q", ErrLeaf, leafHeader+leafRecordedAt)
	}
	stamp, event, ok := bytes.Cut(rest, []byte("\n\n"))
	if !ok {
		return Leaf{}, fmt.Errorf("%w: no empty line after recorded_at", ErrLeaf)
	}
	at, err := time.Parse(leafTime, string(stamp))
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: recorded_at is not a time in UTC with six decimals", ErrLeaf)
	}
	l := Leaf{RecordedAt: at.UTC(), Event: event}
	if !bytes.Equal(l.Bytes(), b) {
		return Leaf{}, fmt.Errorf("%w: not in canonical form", ErrLeaf)
	}
	return l, nil
}
