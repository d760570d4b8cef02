// Package dapr is a service's client of its own Dapr sidecar: publish, state, secrets, invocation.
//
// Promises:
//
//   - New never dials. A missing sidecar fails the first call and Ready, never the start.
//   - Every call has a time limit (Config.Timeout for each attempt) and at most Config.Attempts attempts, with
//     exponential, jittered waits between them. A call that cannot succeed a second time is not repeated. The caller's
//     context bounds the whole.
//   - A failed call is an *Error that names the call, the component and the number of attempts. That includes a
//     component that is missing or closed to this app: it is a mistake of configuration, and mending that mends the call.
//   - An event that the broker can never take (too large, or impossible to put into an envelope) is an error that wraps
//     ErrRefused. No other error does.
//   - Publishing is at least once. An event has the same CloudEvent id in every attempt, so a consumer can tell a
//     repeated event from a new one.
//   - PublishBulk keeps the order within a partition key, also when a part of a bulk fails.
//   - Invoke keeps verb, query and body, and returns the status and the body that the app answered. It may send a request
//     twice, so only idempotent routes may be invoked with it.
//
// A Client is one gRPC and one HTTP connection pool to 127.0.0.1, safe for concurrent use, made once in main and
// injected. It is built on github.com/dapr/go-sdk and works around these of its properties (v1.15.0):
//
//   - NewClient is a process-wide singleton. NewClientWithAddressContext blocks for 5 s and then fails while the sidecar
//     is not up. So this package gives a lazy connection of its own to NewClientWithConnection.
//   - That constructor installs no API token, and the SDK's interceptor drops all other outgoing metadata, the trace
//     context included. The interceptor of this package adds both.
//   - PublishEvents wraps a nil error on partial failure and drops the broker's reason for each entry. This package calls
//     the generated gRPC client beneath it.
//   - InvokeMethod turns every answer outside 2xx into a gRPC status and loses the app's status and body, and daprd marks
//     that path as deprecated. Invocation uses the sidecar's HTTP API.
//   - SaveStateWithETag takes an empty ETag for "no ETag". SaveBulkState distinguishes the two.
//   - It prints to standard output, which holds the JSON log. This package silences it.
package dapr
