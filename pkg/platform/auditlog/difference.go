package auditlog

import "fmt"

// Kind says what was done to a log. Each kind has a message of its own (Difference.Error).
type Kind string

// The kinds of differences, in the order in which a check looks for them.
const (
	KindKey      Kind = "key"      // a checkpoint has no valid signature of the key
	KindShort    Kind = "short"    // the log has fewer entries than a checkpoint says
	KindMissing  Kind = "missing"  // a position has no entry
	KindLeaf     Kind = "leaf"     // the leaf does not have the entry's own hash, or is no leaf
	KindUntreed  Kind = "untreed"  // the tree has no hash for the entry
	KindSwapped  Kind = "swapped"  // the entry and another one changed places
	KindInserted Kind = "inserted" // the entry is not in the tree, the next one has its place
	KindRemoved  Kind = "removed"  // an entry is gone, and the later ones moved down
	KindRehashed Kind = "rehashed" // the leaf was changed together with its own hash
	KindColumn   Kind = "column"   // a column is not what the leaf says
	KindNode     Kind = "node"     // a hash inside the tree is not that of its leaves
	KindRoot     Kind = "root"     // the leaves do not give the root that was signed
	KindProof    Kind = "proof"    // the inclusion proof of an entry is wrong
	KindUnproved Kind = "unproved" // a larger log was signed, and nobody proves that it continues the earlier one
	KindFork     Kind = "fork"     // two signed checkpoints are not of one growing log
)

// Difference is the first place at which a log is not what it says, or not what was signed. It is an error.
type Difference struct {
	Kind     Kind
	Position int64  // of the first bad entry; for KindShort, KindRoot, KindUnproved and KindFork of the first that can be bad
	Until    int64  // KindRoot, KindFork, KindUnproved, KindShort: the size of the checkpoint; KindSwapped: the other position
	Detail   string // KindColumn: the column; KindLeaf, KindKey, KindUnproved, KindFork: more about the reason
}

// Error names the entry and what was done to it.
func (d *Difference) Error() string {
	switch d.Kind {
	case KindKey:
		return "a checkpoint is not signed by the log's key: " + d.Detail
	case KindShort:
		return fmt.Sprintf("the log was cut: it has %d entries, and a log of %d was signed", d.Position, d.Until)
	case KindMissing:
		return fmt.Sprintf("entry %d is missing", d.Position)
	case KindLeaf:
		return fmt.Sprintf("entry %d: its leaf was changed: %s", d.Position, d.Detail)
	case KindUntreed:
		return fmt.Sprintf("entry %d was added outside of the tree: the tree has no hash for it", d.Position)
	case KindSwapped:
		return fmt.Sprintf("entry %d was swapped with entry %d", d.Position, d.Until)
	case KindInserted:
		return fmt.Sprintf("entry %d was inserted: the tree has the next entry at its position", d.Position)
	case KindRemoved:
		return fmt.Sprintf("entry %d was deleted and the later entries were moved down", d.Position)
	case KindRehashed:
		return fmt.Sprintf("entry %d: its leaf and its hash were changed together: the tree has another hash", d.Position)
	case KindColumn:
		return fmt.Sprintf("entry %d: its column %s was changed: the leaf has another value", d.Position, d.Detail)
	case KindNode:
		return fmt.Sprintf("the tree was changed: a hash that entry %d completes is not the one of its leaves", d.Position)
	case KindRoot:
		return fmt.Sprintf("the log was rewritten: its first %d entries are not those that were signed; the first bad one is at position %d or later", d.Until, d.Position)
	case KindProof:
		return fmt.Sprintf("entry %d: its inclusion proof does not lead to the signed root", d.Position)
	case KindUnproved:
		return fmt.Sprintf("the log of %d entries is shown without a proof that it begins with the signed log of %d: %s", d.Until, d.Position, d.Detail)
	case KindFork:
		return fmt.Sprintf("the log was forked: the signed log of %d entries is not the beginning of the one that is shown now: %s", d.Until, d.Detail)
	}
	return fmt.Sprintf("entry %d: %s", d.Position, d.Kind)
}
