package domain

// This file decides how entries extend the Merkle tree.

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier names the stored hashes that appending to a tree of size needs: the roots of its complete subtrees, at most
// one for each bit of size.
func Frontier(size int64) []int64 {
	var indexes []int64
	for level := 0; size>>level > 0; level++ {
		if size>>level&1 == 1 {
			indexes = append(indexes, tlog.StoredHashIndex(level, size>>level-1))
		}
	}
	return indexes
}

// Extend sets the positions of entries, beginning with size. It returns the hashes that they add to the tree, to be stored at
// the indexes from tlog.StoredHashCount(size) on. frontier must have the hashes that Frontier(size) names.
func Extend(size int64, frontier map[int64]tlog.Hash, entries []*Entry) ([]tlog.Hash, error) {
	first := tlog.StoredHashCount(size)
	var added []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= first {
				out[i] = added[index-first]
				continue
			}
			hash, ok := frontier[index]
			if !ok {
				return nil, fmt.Errorf("tree of %d entries: stored hash %d is missing", size, index)
			}
			out[i] = hash
		}
		return out, nil
	})
	for i, e := range entries {
		e.Position = size + int64(i)
		hashes, err := tlog.StoredHashesForRecordHash(e.Position, e.LeafHash, read)
		if err != nil {
			return nil, fmt.Errorf("add entry %d to the tree: %w", e.Position, err)
		}
		added = append(added, hashes...)
	}
	return added, nil
}
