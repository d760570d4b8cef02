// Package events is the contract between the services of Taskwire: the topics, the events on them, the rules that
// every event keeps, and their JSON. It needs the standard library only, so that anything can import it.
//
// # Events
//
//   - [TaskEvent] on task-events is the full record of one change of a task. The audit log keeps it, and the recurrence
//     engine makes a task's successor from it.
//   - [TaskUpdateEvent] on task-updates tells the owner's open browsers of the same change.
//   - [ReminderEvent] on reminders schedules, moves or cancels the one reminder that a task has.
//   - [NotificationEvent] on notifications is a notification that the owner's open browsers show.
//   - [DeadLetter] on <topic>.dlq is an event that a consumer can never process, whole, with the reason.
//
// An event is the data of a CloudEvent, whose id is the event_id, whose type is the event's name, and whose subject is
// the task_id. See [Event].
//
// # Delivery
//
// At least once. A change and its events commit together, and an event is published until the broker has it, so that
// none is lost; for the same reason one may arrive again, hours later too. A consumer de-duplicates on event_id, in the
// transaction of its effect. A delivery ends in one of three ways: acknowledged, redelivered, or dead-lettered at once
// when the event can never be processed.
//
// # Order
//
// The partition key is the user_id. The events of one user on one topic are published in the order in which their
// changes committed, which is the order of seq: it has no gaps. A redelivery can still bring an old event after a newer
// one, so that whoever keeps a task's state compares task_version and lets an older event change nothing. There is no
// order between users, nor between topics.
//
// # Compatibility
//
//   - What was published once is decoded for ever. An event without schema_version (or with 1) is in the original form,
//     see the documents in testdata/original; what it does not say takes its default, and its task_version and seq are
//     0, which means unknown. Decoding never turns the original form away for what it could not know.
//   - A reader skips fields that it does not know, and answers [ErrUnknownType] for an event_type that it does not know;
//     the consumer acknowledges such an event and goes on. Hence a producer may add fields and types at any time.
//   - A later schema_version is read as the current one. Within a version no field is taken away, renamed, or given
//     another meaning, a rule is never made stricter, and the sets of status, priority and anchor stay as they are. A
//     change of that kind raises [SchemaVersion], and the consumers are released before the producers.
//   - Null means absent.
//
// # Values
//
// Ids are UUIDs in the lower-case form of RFC 4122, and event ids are version 7; decoding takes upper case and writes
// lower case. Times are RFC 3339, written in UTC. Lengths are counted in characters. Integers use all of their 64 bits:
// do not read seq into a float. Text is UTF-8 without NUL. A task is due on a date or at an instant, never both; a date
// means the end of that day in the task's zone, see [TaskData].
//
// An event that breaks a rule is refused where it is made and where it is read, by a [ValidationError] that names the
// field and leaves out its value, so that no content of a task reaches a log.
//
// # Schemas
//
// The schema folder has a JSON Schema (draft 2020-12) for each event, generated from the types of this package. They
// say what a producer writes. They close sets that a reader keeps open (unknown event types), so check what you write
// with them, and read with the decoders.
//
// # Adding an event
//
//  1. Declare the struct beside the others, with a comment on each field, its topic, and its methods: [Event], a
//     decoder, and the rules in Validate.
//  2. Add a sample to samples_test.go and run go test . -update: this writes its golden document.
//  3. Add the event to the catalogue in internal/eventdoc, with the rules of its fields, and run go generate: this
//     writes its schema and its part of docs/events.md.
//  4. Add a fuzz target: one line in fuzz_test.go.
//  5. For a new topic, subscribe to it and give it a dead-letter topic in dapr-components, where the scopes of both are.
//
// Adding a field is the second half of that: the field with its comment, a rule where it has one, a value in a sample,
// then the two commands. It must be optional, because events without it are on the topics already. Adding an event type
// is a constant with its comment, in the list beside it, and a sample.
package events

//go:generate go run ./internal/eventdoc/generate
