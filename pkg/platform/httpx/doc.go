// Package httpx is the public side of a service: the engine, strict readers of JSON and queries, problem documents,
// health and servers.
//
// Promises:
//   - Every error is answered with an RFC 9457 problem document that contains the message of an Error. The cause is
//     logged once and never sent to the client. A panic is answered with 500 and logged once.
//   - A database that is unavailable is answered with 503 and Retry-After, never 500.
//   - Nothing in a query or a JSON body is ignored silently. Unknown and duplicate names, names in another case, trailing
//     data, invalid UTF-8, NUL, deep nesting and numbers out of range are answered with 400 and the name of the field.
//   - Bodies, headers and times are bounded by named limits.
//   - The labels of metrics are route patterns, never paths, so the number of series is bounded.
package httpx
