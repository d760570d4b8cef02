package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// lookAhead is how many later entries a verifier knows when it names a difference. Entries that changed places within so
// many are named as swapped.
const lookAhead = 512

var (
	// ErrExport is wrapped when the lines are not those of an export.
	ErrExport = errors.New("not an export of the audit log")
	// ErrCut is returned by Done when the export has no last line. The verifier can go on with an export from Next on.
	ErrCut = errors.New("the export is cut off: its last line is missing")
)

// Verifier checks an export line by line, in memory that does not depend on its length. After an error it is of no use,
// except after ErrCut.
//
// When Done returns nil for an export of the whole log, every entry up to the newest checkpoint was read, its columns are
// those of its leaf, and the leaves are exactly those that the log's key signed in that checkpoint and in every kept one. For an
// export of one user, the entries are in the log of the newest checkpoint, and Unproved says what is left to compare.
type Verifier struct {
	key   string
	marks map[int64]Checkpoint // to be met: signed, by size
	forks int64                // a size for which two roots were kept, -1 if there is none
	good  int64                // the largest size at which a checkpoint was met
	met   int
	tree  Tree
	ahead []Entry // read, and not in the tree yet
	head  Checkpoint
	open  bool  // between the first line and the last one
	whole bool  // an export of all entries
	next  int64 // of an export of one user: the position after the last entry
	own   int64 // entries of an export of one user
	began bool
	ended bool
}

// NewVerifier returns a verifier with the log's public key (note format). kept are checkpoints that were kept earlier.
// They must have been opened with the key. If two of them fork the log, the first line returns that.
func NewVerifier(key string, kept ...Checkpoint) *Verifier {
	v := &Verifier{key: key, marks: map[int64]Checkpoint{}, forks: -1}
	for _, c := range kept {
		if v.expect(c) != nil && v.forks < 0 {
			v.forks = c.Size
		}
	}
	return v
}

// Next returns the position at which an export continues.
func (v *Verifier) Next() int64 {
	if v.began && !v.whole {
		return v.next
	}
	return v.tree.Size() + int64(len(v.ahead))
}

// Result is what a verifier has checked.
type Result struct {
	Checkpoint  Checkpoint // the newest
	Entries     int64
	Checkpoints int // signed checkpoints that were compared with the entries
	Whole       bool
}

// Result returns what was checked so far.
func (v *Verifier) Result() Result {
	entries := v.tree.Size()
	if !v.whole {
		entries = v.own
	}
	return Result{Checkpoint: v.head, Entries: entries, Checkpoints: v.met, Whole: v.whole}
}

// Line takes the next line. It returns a *Difference, or an error that wraps ErrExport.
func (v *Verifier) Line(raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var line Line
	if err := json.Unmarshal(raw, &line); err != nil {
		return fmt.Errorf("%w: a line cannot be read: %w", ErrExport, err)
	}
	switch {
	case line.Log != nil:
		return v.begin(line.Log)
	case !v.open:
		return fmt.Errorf("%w: the line %.40q stands before the first or after the last one", ErrExport, raw)
	case line.Entry != nil:
		return v.entry(*line.Entry)
	case line.Checkpoint != "":
		return v.mark([]byte(line.Checkpoint))
	case line.End != nil:
		return v.end(*line.End)
	}
	return fmt.Errorf("%w: a line has no known member", ErrExport)
}

// Done checks that the export had its last line and that no checkpoint is left.
func (v *Verifier) Done() error {
	if !v.began {
		return fmt.Errorf("%w: it is empty", ErrExport)
	}
	if !v.ended {
		return ErrCut
	}
	return nil
}

// Resume makes the verifier expect another export, which continues at Next.
func (v *Verifier) Resume() { v.open, v.ended = false, false }

func (v *Verifier) begin(l *ExportLog) error {
	switch {
	case l.Format != ExportFormat:
		return fmt.Errorf("%w: its format is %q, and this program reads %q", ErrExport, l.Format, ExportFormat)
	case v.open || v.ended:
		return fmt.Errorf("%w: it has a second first line", ErrExport)
	case v.began && l.Whole != v.whole:
		return fmt.Errorf("%w: one part is of the whole log, another one of a user", ErrExport)
	case l.From != v.Next():
		return fmt.Errorf("%w: it begins at position %d instead of %d", ErrExport, l.From, v.Next())
	}
	if v.forks >= 0 {
		return forkAt(0, v.forks)
	}
	head, err := OpenCheckpoint([]byte(l.Checkpoint), v.key)
	if err != nil {
		return &Difference{Kind: KindKey, Detail: err.Error()}
	}
	if err := v.expect(head); err != nil {
		return err
	}
	for size := range v.marks {
		if size > head.Size {
			return &Difference{Kind: KindShort, Position: head.Size, Until: size}
		}
	}
	v.head, v.whole, v.open, v.began = head, l.Whole, true, true
	if v.whole {
		return v.meet() // an empty log
	}
	return nil // the entries of one user do not give the roots: see Unproved
}

// Unproved returns the checkpoints that the entries could not be compared with, by size. They are those that were kept, and
// those of earlier parts of the export. After an export of the whole log there is none. After one of a user, each needs the
// proof that the log of the newest checkpoint continues it (Continues).
func (v *Verifier) Unproved() []Checkpoint {
	var all []Checkpoint
	for _, size := range slices.Sorted(maps.Keys(v.marks)) {
		if size > 0 && size < v.head.Size { // expect has compared one of the head's size
			all = append(all, v.marks[size])
		}
	}
	return all
}

// expect adds a checkpoint that the entries must give.
func (v *Verifier) expect(c Checkpoint) error {
	if old, ok := v.marks[c.Size]; ok && old.Root != c.Root {
		return forkAt(v.good, c.Size)
	}
	v.marks[c.Size] = c
	return nil
}

// forkAt returns the difference of two signed roots for one size. good is the size up to which the log is known.
func forkAt(good, size int64) *Difference {
	return &Difference{Kind: KindFork, Position: good, Until: size, Detail: "two roots were signed for this size"}
}

func (v *Verifier) mark(signed []byte) error {
	c, err := OpenCheckpoint(signed, v.key)
	if err != nil {
		return &Difference{Kind: KindKey, Position: v.Next(), Detail: err.Error()}
	}
	if !v.whole {
		return nil
	}
	if c.Size != v.Next() {
		return fmt.Errorf("%w: the checkpoint of size %d stands after %d entries", ErrExport, c.Size, v.Next())
	}
	if err := v.expect(c); err != nil {
		return err
	}
	return v.meet()
}

func (v *Verifier) entry(e Entry) error {
	if !v.whole {
		return v.ownEntry(e)
	}
	if expected := v.Next(); e.Position != expected {
		if err := v.settle(0); err != nil { // an earlier one comes first
			return err
		}
		if e.Position < expected {
			return fmt.Errorf("%w: entry %d stands after entry %d", ErrExport, e.Position, expected-1)
		}
		return &Difference{Kind: KindMissing, Position: expected}
	}
	v.ahead = append(v.ahead, e)
	if len(v.ahead) < 2*lookAhead { // in blocks: moving the rest costs as much as checking
		return nil
	}
	return v.settle(lookAhead)
}

// settle checks the entries that were read, but for the last keep, and adds them to the tree.
func (v *Verifier) settle(keep int) error {
	for i := range max(0, len(v.ahead)-keep) {
		e := &v.ahead[i]
		if err := e.Check(v.ahead[i:]); err != nil {
			return err
		}
		v.tree.Append(tlog.RecordHash(e.Leaf))
		if err := v.meet(); err != nil {
			return err
		}
	}
	v.ahead = slices.Delete(v.ahead, 0, max(0, len(v.ahead)-keep))
	return nil
}

// meet compares the tree with the checkpoint of its size, if there is one.
func (v *Verifier) meet() error {
	c, ok := v.marks[v.tree.Size()]
	if !ok {
		return nil
	}
	if c.Root != v.tree.Root() {
		return &Difference{Kind: KindRoot, Position: v.good, Until: c.Size}
	}
	delete(v.marks, c.Size)
	v.good = c.Size
	v.met++
	return nil
}

func (v *Verifier) end(e ExportEnd) error {
	if v.whole {
		if err := v.settle(0); err != nil {
			return err
		}
		if e.Complete && v.tree.Size() < v.head.Size {
			return &Difference{Kind: KindShort, Position: v.tree.Size(), Until: v.head.Size}
		}
	}
	if e.Next != v.Next() && v.whole {
		return fmt.Errorf("%w: it ends before position %d, and its last line says %d", ErrExport, v.Next(), e.Next)
	}
	v.next = max(v.next, e.Next)
	v.open, v.ended = false, e.Complete
	return nil
}

// ownEntry checks an entry of an export of one user by its proof.
func (v *Verifier) ownEntry(e Entry) error {
	if e.Position < v.next || e.Position >= v.head.Size {
		return fmt.Errorf("%w: entry %d is out of order", ErrExport, e.Position)
	}
	hash := tlog.RecordHash(e.Leaf)
	e.TreeHash = &hash // the proof takes its place
	if err := e.Check(nil); err != nil {
		return err
	}
	if Inclusion(v.head, e.Position, e.Leaf, e.Proof) != nil {
		return &Difference{Kind: KindProof, Position: e.Position}
	}
	v.next, v.own = e.Position+1, v.own+1
	return nil
}
