// Package domain implements the audit log: what an entry is, how entries are added to the Merkle tree, and what the log
// proves.
//
// # Promises
//
//   - Append returns nil only after the event was committed with its place in the tree. It is idempotent by event_id: for
//     an event that is in the log already, it returns nil and adds nothing. After an error the event may or may not be in
//     the log. A redelivery is always correct.
//   - Positions are 0-based and have no gaps; a position is the leaf's index in the tree (RFC 6962 hashing through
//     golang.org/x/mod/sumdb/tlog). An entry and the hashes it adds commit together.
//   - This package never updates or deletes an entry. Every checkpoint is consistent with every later one.
//   - The log keeps the order of arrival. A task's history is ordered by task_version, so an event that arrives late has
//     its correct place there.
//
// Package verify defines the leaf and the checkpoint. An auditor runs it without this service.
package domain
