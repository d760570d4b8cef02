// What a sound batch, a sound entry and a torn write are.

package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A record batch, in Kafka's format: first offset 8, length 4, epoch 4, magic 1, checksum 4, attributes 2, last offset
// delta 4, … The length counts what follows it, the checksum covers what follows it.
const (
	batchHead     = 12
	batchMagic    = 16
	batchSum      = 17
	batchSummed   = 21
	batchLast     = 23
	batchMin      = 61
	maxBatchBytes = maxMessageBytes + batchHead
)

// An entry of kfake's logs: length 4, checksum 4, then the content of both, which is at least a version.
const (
	entryHead     = 8
	entryMin      = 2
	maxEntryBytes = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scanBatches reads the record batches of a segment. next is the offset after the last batch, -1 where there is none. good is
// the number of bytes up to the end of that batch. The bytes after good can only be a torn write; anything else is an error.
func scanBatches(raw []byte) (next int64, good int, err error) {
	next = -1
	for good < len(raw) {
		rest := raw[good:]
		size, whole := batchSize(rest)
		switch {
		case !whole && torn(rest, func(b []byte) bool { n, ok := batchSize(b); return ok && batchIsSound(b[:n]) }):
			return next, good, nil
		case !whole:
			return next, good, fmt.Errorf("has no record batch at byte %d", good)
		case !batchIsSound(rest[:size]):
			return next, good, fmt.Errorf("has a record batch with a wrong checksum at byte %d", good)
		}
		first := int64(binary.BigEndian.Uint64(rest))
		if next >= 0 && first != next {
			return next, good, fmt.Errorf("goes from offset %d to %d at byte %d", next-1, first, good)
		}
		next = first + int64(binary.BigEndian.Uint32(rest[batchLast:])) + 1
		good += size
	}
	return next, good, nil
}

// batchSize returns the size of the batch at the start of b and whether b holds all of it.
func batchSize(b []byte) (size int, whole bool) {
	if len(b) < batchMin {
		return 0, false
	}
	size = batchHead + int(binary.BigEndian.Uint32(b[batchHead-4:]))
	return size, size >= batchMin && size <= maxBatchBytes && size <= len(b) && b[batchMagic] == 2
}

func batchIsSound(b []byte) bool {
	return binary.BigEndian.Uint32(b[batchSum:]) == crc32.Checksum(b[batchSummed:], castagnoli)
}

// scanEntries reads the entries of a log as scanBatches reads batches.
func scanEntries(raw []byte) (good int, err error) {
	for good < len(raw) {
		rest := raw[good:]
		size, whole := entrySize(rest)
		switch {
		case !whole && torn(rest, func(b []byte) bool { n, ok := entrySize(b); return ok && entryIsSound(b[:n]) }):
			return good, nil
		case !whole:
			return good, fmt.Errorf("has no entry at byte %d", good)
		case !entryIsSound(rest[:size]):
			return good, fmt.Errorf("has an entry with a wrong checksum at byte %d", good)
		}
		good += size
	}
	return good, nil
}

func entrySize(b []byte) (size int, whole bool) {
	if len(b) < entryHead+entryMin {
		return 0, false
	}
	size = entryHead + int(binary.LittleEndian.Uint32(b))
	return size, size >= entryHead+entryMin && size <= maxEntryBytes && size <= len(b)
}

func entryIsSound(b []byte) bool {
	return binary.LittleEndian.Uint32(b[4:]) == crc32.Checksum(b[entryHead:], castagnoli)
}

// torn reports whether rest can be one write that was cut short: it is not longer than a write can be, and nothing in it is
// sound. Zeros are space that the file system had reserved when the power failed.
func torn(rest []byte, sound func([]byte) bool) bool {
	if len(bytes.Trim(rest, "\x00")) == 0 {
		return true
	}
	if len(rest) > maxBatchBytes {
		return false
	}
	for i := 1; i < len(rest); i++ {
		if sound(rest[i:]) {
			return false
		}
	}
	return true
}
