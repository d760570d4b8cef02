// Package tasks contains the use cases of tasks. It decides what a create, a change, a skip, a batch and a successor do,
// and what a repeated request returns. It contains neither HTTP nor SQL: handlers call it, and it calls a Store.
//
// Every write runs the same steps (write.go):
//
//	request ──► Store.Write: lock the users, look up keys, read tasks ──► decide in memory ──► commit rows and events
//
// Promises:
//
//   - A write commits the task, its row in the change log and its events in one transaction, with the request's
//     Idempotency-Key if it has one. A write that returns an error other than "unavailable" had no effect. When the
//     connection is lost during the commit, the outcome is unknown. Repeating the request with its key is then safe.
//   - The writes of one user are serial, under the user's lock. Each change takes the user's next seq. A rollback returns
//     its numbers, so seq has no gaps, and a client that has read up to seq N has every change before it.
//   - Every read and write names the user. A task of another user is not found.
//   - A change without an effect writes nothing: the task keeps its version, and there is no event.
package tasks
