// Package outbox carries events from the transaction that made them to the broker, in order and without loss.
//
// It promises:
//   - A change and its events commit together or not at all (InTx).
//   - Every committed event is published at least once; its event_id stays the same, so a consumer can tell.
//   - The first publications of one subject's events on one topic follow commit order, as long as whoever writes for a
//     key holds a lock on what the key stands for (the user's row) from before its first event until the commit. Two
//     events of one subject are never in one bulk, since a broker's client may reorder within a bulk when it retries.
//   - An event that fails holds back the later events of its key on its topic; all others go on. An event that the
//     broker can never take (ErrRefused) is moved to outbox_parked, counted and logged, and its key goes on.
//   - Any number of relays share the work. One that dies gives its part back with its database session.
//   - Memory is bounded, whatever the backlog.
//
// Where a process dies: before the commit there is no change and no event; after it the row waits for a relay, this
// process's or another's; between the broker's acknowledgement and the delete the event is published again. The same
// happens when two relays believe to hold one bucket, while the database's news of a lost session travels: consumers
// see an event twice, never a later one first.
//
// The parts: Outbox writes rows (outbox.go). Relay (relay.go) holds buckets of keys by advisory locks (lease.go) and
// lets a few workers (worker.go) fetch rows (store.go), choose what may go now (plan.go), publish it (send.go) and wait
// after failures (hold.go). Desk (desk.go) is where a person decides about what was parked.
package outbox
