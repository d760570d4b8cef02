// Package dapr is a service's client of its own Dapr sidecar: publish, state, secrets, invocation.
//
// Promises:
//
//   - New never dials. A missing sidecar is an error of the first call and of Ready, never of the start.
//   - Every call has a time limit (Config.Timeout for each attempt) and at most Config.Attempts attempts, with
//     exponential, jittered waits between them. What cannot succeed a second time is not tried a second time.
//     The caller's context bounds the whole.
//   - A failed call is an *Error that names the call, the component and the number of attempts. A component that
//     is missing, or closed to this app, is an *Error too: that is configuration, and mending it mends the call.
//   - An event that the broker can never take (too large, not to be put into an envelope) is an error that wraps
//     outbox.ErrRefused, and only such an event is.
//   - Publishing is at least once. The event's id is the CloudEvent's id in every attempt, so that a consumer can
//     tell the copies of one event from two events.
//   - PublishBulk keeps the order within a partition key, also when part of a bulk fails.
//   - Invoke keeps verb, query and body, and hands out the status and the body that the app answered. Because it
//     may send a request twice, only idempotent routes may be invoked with it.
//
// A Client is one gRPC and one HTTP connection pool to 127.0.0.1, safe for concurrent use, made once in main and
// injected. It is built on github.com/dapr/go-sdk, around these of its properties (v1.15.0):
//
//   - NewClient is a process-wide singleton, and NewClientWithAddressContext blocks for 5 s and then fails while the
//     sidecar is not up. A lazy connection of our own is handed to NewClientWithConnection instead.
//   - That constructor installs no API token, and the SDK's own interceptor throws away all other outgoing metadata
//     (the trace context with it). Our interceptor adds both.
//   - PublishEvents wraps a nil error on partial failure and drops the broker's reason for each entry; the generated
//     gRPC client beneath it is called directly.
//   - InvokeMethod makes every answer outside 2xx a gRPC status and loses the app's status and body, and daprd marks
//     that path as deprecated. Invocation goes over the sidecar's HTTP API.
//   - SaveStateWithETag takes an empty ETag for "no ETag". SaveBulkState is used, where the two differ.
//   - It prints to standard output, where our JSON log is. It is silenced.
package dapr
