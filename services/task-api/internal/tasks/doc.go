// Package tasks holds the use cases of tasks: what a create, a change, a skip, a batch and a successor do, and what a
// repeated request is answered with. It knows neither HTTP nor SQL: handlers call it, and it calls a Store.
//
// Every write takes one way (write.go):
//
//	request ──► Store.Write: lock the users, look up keys, read tasks ──► decide in memory ──► commit rows and events
//
// Promises:
//
//   - A write commits the task, its row in the change log, its events in the outbox and, if the request has one, its
//     Idempotency-Key in one transaction. A write that returns an error other than "unavailable" had no effect. When
//     the connection is lost during the commit, nobody knows the outcome; repeating the request with its key is safe.
//   - The writes of one user happen one after the other, under the user's lock. Each change takes the user's next seq.
//     A transaction that is rolled back gives its numbers back, so seq has no gaps, and a reader of seq N has every
//     change before it.
//   - Every read and write names the user. A task of another user is not found.
//   - A change that changes nothing writes nothing: the task keeps its version, and no event is made.
package tasks
