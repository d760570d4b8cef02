// Package edge is the part of an HTTP server that faces clients: how long a client may take, and how many connections it may
// hold. The public side of every service and the local gateway use it.
//
// Promises:
//   - The headers of a request, each part of its body, each part of the answer, and the pause between two requests have a
//     time limit (Patience). A body may be long and take long, but must keep a pace: the time in which the server itself is
//     busy does not count. The same holds for an answer. So a stream of minutes passes, and a byte a second does not.
//   - A body that is too slow is an error that is ErrSlowBody, which is answered with 408, and ends the connection.
//   - A body that nobody reads, because the request was refused, does not hold the connection longer than Patience.Drain.
//   - No bytes of an abandoned body are served as the next request, also when the handler or a proxy has closed the body.
//   - One address holds at most Limits.PerAddress connections, all addresses together at most Limits.Total. A further
//     connection is answered with 429 or 503 and closed. An upgraded connection (WebSocket) counts in Total only: the
//     service that it belongs to counts it.
//
// HTTP/2 is not served here: it needs TLS, which ends in front of this package.
package edge
