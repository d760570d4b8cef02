// Package subscribe is a service's Dapr side: the deliveries of its topics, its input bindings and what other apps
// invoke. It takes them from daprd over HTTP, in its own gin handlers.
//
// Promises:
//
//   - Every delivery ends in one of three ways, and daprd hears of it only when it has happened. It is acknowledged when
//     the handler returned nil, or when the event is of a type that this version does not know. It is dead-lettered when
//     it can never succeed: ErrPoison, an event that does not decode or validate, a body that is no CloudEvent or too
//     large, or one that failed more than MaxAttempts times in this process although nothing was away. For anything
//     else, a panic too, it is asked for again, for as long as it takes.
//   - A dead letter is on <topic>.dlq, with its reason and the event as it came, before the event is acknowledged. When
//     it cannot be published the event is asked for again. It has the same id however often it is published.
//   - An event that is dead-lettered for its size keeps what fits of it; it never blocks its partition.
//   - A handler gets the event's own JSON byte for byte, and so every integer as it was sent.
//   - Every route but GET /healthz wants the app API token, compared in constant time. No other header is believed: Kafka
//     headers of any publisher become headers of the delivery.
//   - The trace of a delivery is that of the CloudEvent's traceparent attribute. A malformed one is left out.
//   - Nothing here is answered 404, for which daprd drops an event for ever: an unknown route is 503. Handlers of
//     Invoke decide for themselves.
//   - A delivery that failed is one log line, with event_id, task_id, user_id, attempt and outcome.
//
// Deliveries are at least once, and may come again while an earlier one still runs: a handler's effect must be
// idempotent (package inbox).
package subscribe
