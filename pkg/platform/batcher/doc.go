// Package batcher combines calls that arrive at the same time into one piece of work, such as one transaction for many
// rows (group commit).
//
// A call that finds no running batch starts one immediately with only itself, so an idle batcher adds no delay. While the
// largest allowed number of batches is running, calls wait, and the next batch takes them together. So batches grow with
// the load, and no call waits for a batch to fill.
//
//	Do ──► waiting ──► batch ──► Run ──► done
//	          │           │
//	          └─ given up ┴─► Do returns the caller's context error
//
// Promises:
//
//   - Run gets every item at most once. It never gets the item of a call that was given up while waiting.
//   - Items with the same order key are in at most one running batch at a time. Their order is the order of the calls,
//     with one exception: a call that waits because of DistinctKey may be overtaken.
//   - A batch continues while at least one of its callers waits for it. Its context ends when the last caller has given
//     up, or after Timeout.
//   - After a panic of Run, Do returns an error for each call of that batch. The batcher continues with the next batch.
//
// The batcher does not bound the number of waiting items. It is the number of concurrent callers, which the user of the
// package bounds (connections, partitions).
package batcher
