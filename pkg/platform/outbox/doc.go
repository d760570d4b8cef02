// Package outbox carries events from the transaction that made them to the broker, in order and without loss.
//
// It promises:
//   - A change and its events commit together or not at all (InTx).
//   - Every committed event is published at least once; its event_id stays the same, so a consumer can tell.
//   - The first publications of one key's events follow commit order, as long as whoever writes for a key holds a row
//     lock of that key from before the first event until the commit. Two events of one subject are never in one bulk,
//     since a broker's client may reorder within a bulk when it retries.
//   - A key whose event failed waits for it; other keys go on. An event that the broker can never take (ErrRefused) is
//     moved to outbox_parked, counted and logged, and its key goes on.
//   - Any number of relays share the work. One that dies gives its buckets back with its database session.
//
// Where a process dies: before the commit there is no change and no event; after it the row waits for a relay, this
// process's or another's; between the broker's acknowledgement and the delete the event is published again.
//
// Migrations is the goose set "outbox". It grants nothing: run it after the set that gives the runtime role its
// default privileges.
package outbox
