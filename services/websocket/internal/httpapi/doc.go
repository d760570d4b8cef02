// Package httpapi is the public route /ws: who may open a connection, and what a client says on it.
//
// Promises: a request is refused before the handshake, with a problem document, where its origin, its subprotocol or the
// process's limits forbid it. A connection gets nothing before its first frame has brought a valid token; the token never
// stands in a URL. A later auth frame extends the connection; one of another user ends it.
package httpapi
