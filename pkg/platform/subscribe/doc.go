// Package subscribe is the server that a service's Dapr sidecar calls: with the deliveries of topics, with the calls of
// input bindings, and with the invocations of other apps. It takes them over HTTP, in its own gin handlers.
//
// Promises:
//
//   - Every delivery ends in one of three ways, and daprd gets the answer only after that has happened.
//     It is acknowledged when the handler returned nil, or when this version does not know the event's type.
//     It is dead-lettered when it can never succeed: an error that wraps ErrPoison, an event that does not decode or
//     validate, a body that is not a CloudEvent or is too large, or more than MaxAttempts failures of the event in this
//     process that were not transient.
//     In every other case, a panic included, it is redelivered, without a limit.
//   - A dead letter is published to <topic>.dlq, with its reason and the event as it was received, before the event is
//     acknowledged. When it cannot be published, the event is redelivered. It has the same id in every attempt.
//   - A dead letter that is too large keeps the beginning of the event. It never blocks its partition.
//   - A handler gets the event's JSON byte for byte, so every integer is exact.
//   - Every route except GET /healthz requires the app API token, which is compared in constant time. No other header is
//     used: the Kafka headers of any publisher become headers of the delivery.
//   - The trace of a delivery is that of the CloudEvent's traceparent attribute. A malformed one is ignored.
//   - No route is answered 404, because daprd then drops the event for ever: an unknown route is 503. The handlers of
//     Invoke choose their own status.
//   - A failed delivery is logged once, with event_id, task_id, user_id, attempt and outcome.
//
// Deliveries are at least once, and a redelivery can arrive while an earlier delivery is still being handled. So a
// handler's effect must be idempotent (package inbox).
package subscribe
