package auditlog

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Tree computes the root of a log from the hashes of its leaves, in order. It keeps one hash for each bit of its size, so
// a log of any length is checked in little memory. The zero value is the empty tree.
type Tree struct {
	size  int64
	roots []tlog.Hash // of the complete subtrees, the largest first
}

// Size returns the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Append adds the hash of the next leaf. It returns the hashes that the leaf adds to the stored tree, which have the
// indexes from tlog.StoredHashCount of the size before on: the leaf's own, then one for each subtree that it completes.
func (t *Tree) Append(leaf tlog.Hash) []tlog.Hash {
	added := []tlog.Hash{leaf}
	hash := leaf
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.roots) - 1
		hash = tlog.NodeHash(t.roots[last], hash)
		t.roots = t.roots[:last]
		added = append(added, hash)
	}
	t.roots = append(t.roots, hash)
	t.size++
	return added
}

// Root returns the root hash of the leaves so far.
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		return EmptyRoot
	}
	hash := t.roots[len(t.roots)-1]
	for _, left := range slices.Backward(t.roots[:len(t.roots)-1]) {
		hash = tlog.NodeHash(left, hash)
	}
	return hash
}

// Clone returns an independent copy.
func (t *Tree) Clone() *Tree { return &Tree{size: t.size, roots: slices.Clone(t.roots)} }

// EmptyRoot is the root of a log without entries (RFC 6962, 2.1).
var EmptyRoot = func() tlog.Hash {
	root, err := tlog.TreeHash(0, nil)
	if err != nil {
		panic(err) // the empty tree reads no hash
	}
	return root
}()
