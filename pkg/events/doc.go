// Package events is the contract between the services of Taskwire: the topics, the events on them, the rules for every
// event, and their JSON. It needs only the standard library, so any program can import it.
//
// # Events
//
//   - [TaskEvent] on task-events is the full record of one change of a task. The audit log stores it, and the recurrence
//     engine creates a task's successor from it.
//   - [TaskUpdateEvent] on task-updates informs the owner's open browsers of the same change.
//   - [ReminderEvent] on reminders schedules, moves or cancels the reminder of a task. A task has at most one.
//   - [NotificationEvent] on notifications is one change of the owner's inbox: a new notification that open browsers show, or
//     one that was read.
//   - [AccountEvent] on account-events is the record of log-ins, log-outs and changes of an account. The audit log stores it, and
//     every process with a public side learns from it which sessions have ended.
//   - [SessionUpdateEvent] on task-updates informs the websocket service of the same, in order with the user's changes.
//   - [DeadLetter] on <topic>.dlq holds an event that a consumer can never process, complete, with the reason.
//
// An event is the data of a CloudEvent. Its id is the event_id, its type is the event's name, and its subject is the
// task_id, or the user_id of an event about no task. See [Event].
//
// # Delivery
//
// Delivery is at least once. A change and its events commit together, and the relay publishes an event until the broker
// acknowledges it. So no event is lost, but an event may arrive again, even hours later. A consumer de-duplicates on
// event_id, in the transaction of its effect. A delivery ends in one of three ways: acknowledged, redelivered, or
// dead-lettered. An event that can never be processed is dead-lettered at once.
//
// # Order
//
// The partition key is the user_id. The events of one user on one topic are published in commit order, which is the order
// of seq. A user's seq has no gaps. The changes of a user's inbox are numbered in the same way by notification_seq, from 1.
// These are two sequences, of two databases. A redelivery can still bring an old event after a newer one. A consumer that stores a
// task's state therefore compares task_version and ignores an older event. There is no order between users or between
// topics.
//
// # Compatibility
//
//   - Every event that was ever published can be decoded. An event without schema_version (or with 1) is in the original
//     form: see the documents in testdata/original. Its missing fields take their defaults. Its task_version and seq are
//     0, which means unknown. Decoding never refuses the original form for a field that it could not have.
//   - A reader skips unknown fields, and returns [ErrUnknownType] for an unknown event_type. The consumer acknowledges
//     such an event and continues. So a producer may add fields and types at any time.
//   - A later schema_version is read as the current one. Within a version no field is removed, renamed, or given another
//     meaning, no rule becomes stricter, and the sets of status, priority and anchor do not change. Such a change raises
//     [SchemaVersion], and the consumers are released before the producers.
//   - Null means absent.
//
// # Values
//
// Ids are UUIDs in the lower-case form of RFC 4122; event ids have version 7. Decoding accepts upper case and returns lower
// case. Times are RFC 3339, written in UTC. Lengths are counted in characters. Integers use all 64 bits: do not read seq into
// a float. Text is UTF-8 without NUL. A task is due on a date or at an instant, never both. A date means the end of that day
// in the task's zone, see [TaskData].
//
// Encode and the decoders refuse an event that breaks a rule. The error is a [ValidationError]. It names the field and does
// not contain the field's value, so no content of a task reaches a log.
//
// # Schemas
//
// The schema folder has a JSON Schema (draft 2020-12) for each event, generated from the types of this package. The schemas
// describe what a producer writes. They refuse unknown event types, which a reader must accept. So check what you write with
// the schemas, and read with the decoders.
//
// # Adding an event
//
//  1. Declare the struct in event.go, with a comment on each field. Add its topic, the methods of [Event], a decoder, and
//     the rules in Validate.
//  2. Add a sample to samples_test.go and run go test . -update. This writes its golden document.
//  3. Add the event to the catalogue in internal/eventdoc, with the rules of its fields, and run go generate. This writes
//     its schema and its part of docs/events.md.
//  4. Add a fuzz target: one line in fuzz_test.go.
//  5. For a new topic, add the subscription, the dead-letter topic and the scopes of both in dapr-components.
//
// To add a field, add it with its comment, its rule if it has one, and a value in a sample. Then run the two commands. A new
// field must be optional, because events without it are already on the topics. To add an event type, add a constant with
// its comment, put it into the list of its event's types, and add a sample.
package events

//go:generate go run ./internal/eventdoc/generate
