package auditlog

import (
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Entry is an entry as the database has it: its columns, its leaf, and the hashes that should belong to it. Nothing in it
// is trusted before Check.
type Entry struct {
	Position int64 `json:"position"`
	Fields
	RecordedAt time.Time   `json:"recorded_at"`
	Leaf       []byte      `json:"leaf"`                // base64
	LeafHash   []byte      `json:"leaf_hash"`           // base64; the entry's own
	TreeHash   *tlog.Hash  `json:"tree_hash,omitempty"` // the tree's at this position; absent if it has none
	Proof      []tlog.Hash `json:"proof,omitempty"`     // of inclusion in the first checkpoint of the export
}

// Check reports the first difference between the entry's parts. ahead are the entries from this one on that are known, by
// which a changed place is told from a changed leaf; it may be short.
func (e *Entry) Check(ahead []Entry) error {
	hash := tlog.RecordHash(e.Leaf)
	if string(hash[:]) != string(e.LeafHash) {
		return &Difference{Kind: KindLeaf, Position: e.Position, Detail: "its hash is not the one that was stored with it"}
	}
	leaf, err := ParseLeaf(e.Leaf)
	if err != nil {
		return &Difference{Kind: KindLeaf, Position: e.Position, Detail: err.Error()}
	}
	switch {
	case e.TreeHash == nil:
		return &Difference{Kind: KindUntreed, Position: e.Position}
	case *e.TreeHash != hash:
		return e.misplaced(hash, ahead)
	}
	return e.checkColumns(leaf)
}

// checkColumns compares the columns with the leaf.
func (e *Entry) checkColumns(leaf Leaf) error {
	fields, err := FieldsOf(leaf.Event)
	if err != nil {
		return &Difference{Kind: KindLeaf, Position: e.Position, Detail: err.Error()}
	}
	column := e.differs(fields)
	if column == "" && !e.RecordedAt.Equal(leaf.RecordedAt) {
		column = "recorded_at"
	}
	if column != "" {
		return &Difference{Kind: KindColumn, Position: e.Position, Detail: column}
	}
	return nil
}

// misplaced says why the tree has another hash than the leaf's at the entry's position.
func (e *Entry) misplaced(hash tlog.Hash, ahead []Entry) error {
	own := func(o *Entry) tlog.Hash { return tlog.RecordHash(o.Leaf) }
	at := func(o *Entry, h tlog.Hash) bool { return o.TreeHash != nil && *o.TreeHash == h }
	var next *Entry
	for i := range ahead {
		o := &ahead[i]
		if o.Position == e.Position+1 {
			next = o
		}
		if o.Position > e.Position && at(o, hash) && own(o) == *e.TreeHash {
			return &Difference{Kind: KindSwapped, Position: e.Position, Until: o.Position}
		}
	}
	switch {
	case next != nil && own(next) == *e.TreeHash:
		return &Difference{Kind: KindInserted, Position: e.Position}
	case next != nil && at(next, hash):
		return &Difference{Kind: KindRemoved, Position: e.Position}
	}
	return &Difference{Kind: KindRehashed, Position: e.Position}
}
