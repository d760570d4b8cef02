// Package httpapi serves the public route /ws: which clients may open a connection, and what they may do on it. The
// protocol is in pkg/events/live.
//
// Promises: a request is refused before the handshake, with a problem document, when its origin, its subprotocol or the
// limits of the process do not allow it. A connection gets nothing before its first frame has brought a valid token. A
// token is never part of the URL. A later auth frame extends the connection; a token of another user ends it.
package httpapi
