// Package httpx is the public side of a service: engine, strict JSON, problem documents, health, servers.
//
// It promises:
//   - Every error a client sees is an RFC 9457 problem document, and what it tells is an Error's message: the cause goes
//     to the log, once, and never to the client. A panic is a 500 and one log line.
//   - A database that is away is 503 with Retry-After, never 500.
//   - Nothing in a JSON body is silently ignored: unknown and doubled fields, another case of a field's name, trailing
//     data, invalid UTF-8, NUL, deep nesting and numbers out of range are 400 and name the field.
//   - Bodies, headers and times are bounded by named limits.
//   - Metrics carry the route's pattern, never a path, so that their number is bounded.
package httpx
