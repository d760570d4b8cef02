// Package outbox carries events from the transaction that made them to the broker, in order and without loss.
//
// An event is in exactly one of these states:
//
//	            commit            fetch                acknowledged
//	(buffered) ───────▶ waiting ─────────▶ in flight ────────────────▶ (deleted)
//	                     ▲    ▲                │ │
//	                     │    └── backoff ◀────┘ │ refused
//	                     │        any other      ▼
//	                     └───── retry ──────── parked ─────── drop ──▶ (deleted)
//
// Waiting is a row of table outbox; in flight is such a row that a worker also holds in memory; backoff is a row whose
// order key or topic is not tried before a certain time; parked is a row of table outbox_parked.
//
// It promises:
//   - A change and its events commit together or not at all (InTx).
//   - Every committed event is published at least once. A repetition has the same event_id, so that a consumer can
//     recognise it.
//   - The first publications of one subject's events on one topic follow commit order. The condition: a writer holds a
//     lock on what the key stands for (the user's row) from before its first event until the commit. Two events of one
//     subject are never in one bulk, because a broker's client may reorder within a bulk when it retries.
//   - An event that fails holds back the later events of its order key, which is its key on its topic. All other events
//     are published. An event that the broker can never take (ErrRefused) is parked, counted and logged, and the later
//     events of its order key are published.
//   - Any number of relays share the work. When one dies, its database session ends and the others take over its buckets.
//   - Memory is bounded, however long the backlog is.
//
// What a crash does: before the commit there is no change and no event. After it the row waits for a relay of any
// process. Between the broker's acknowledgement and the delete, the event is published again. The same happens when two
// relays believe that they hold one bucket, until one of them learns that its session is lost: consumers see an event
// twice, never a later one first.
//
// The parts, with a picture in docs/adr/0003-outbox-relay.md:
//   - Outbox and Tx write rows in the caller's transaction (outbox.go, tx.go). A row carries its bucket: one of 64 that
//     the keys are hashed into.
//   - Relay (relay.go) holds a share of the buckets by advisory locks, its leases (lease.go).
//   - A worker (worker.go) fetches rows of its buckets above their low watermark (store.go, watermark.go), plans the
//     next batch (plan.go), publishes it (send.go) and keeps the backoff after failures (backoff.go).
//   - ParkedStore lists, retries and drops what was parked (parked.go). A person decides about it.
package outbox
