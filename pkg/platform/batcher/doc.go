// Package batcher does calls that arrive at the same time as one piece of work, such as one transaction for many rows
// (group commit).
//
// A call that finds no batch running starts one at once and alone: an idle batcher adds no delay. Calls that arrive
// while as many batches run as are allowed wait, and the next batch takes them together. So batches grow with the load,
// and no call ever waits for a batch to fill.
//
//	Do ──► waiting ──► batch ──► Run ──► done
//	          │           │
//	          └─ given up ┴─► Do returns the caller's context error
//
// Promises:
//
//   - Every item is handed to Run at most once. A call that is given up while it waits is handed to no batch.
//   - Items with the same order key are in at most one running batch, in the order of their calls. Only a call that
//     waits for the outcome of an equal one (DistinctKey) is overtaken.
//   - A batch goes on while at least one of its callers still waits for it. Its context ends when the last one has gone,
//     or after Timeout.
//   - A panic of Run is an error of each call of its batch, and the batcher goes on.
//
// The number of waiting items is the number of concurrent callers, which the caller bounds (connections, partitions).
package batcher
