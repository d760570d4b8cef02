// Package wire is the protocol taskwire.v1 on a WebSocket: what a client may say, what the service says, and the codes
// with which the service ends a connection.
//
// Text frames, one JSON object each. The client's first frame is
//
//	{"type":"auth","token":"<access token>","since":<seq>}
//
// Without since the connection starts at the user's newest change. Afterwards the client may send auth again, with a
// fresh token of the same user, and {"type":"ping"}, which is answered {"type":"pong"} (a page cannot see the pings of
// the WebSocket protocol, which the service sends every heartbeat_ms).
//
// The service says:
//
//	welcome       seq, connection_id, heartbeat_ms: the first event is seq+1
//	event         seq, event_id, event_type, task_id, task_version, task (null when deleted)
//	notification  the fields of NotificationEvent
//	resync        reason, seq: events up to seq are not coming; read them with /sync; the next event is seq+1
//	error         code, message, retry: milliseconds to wait before trying again, null where trying again is no use
//	pong
//
// Promise to a client that keeps the last seq it has seen and sends it as since: each seq comes exactly once and in
// order, or a resync says which do not. An event in the original form, which has no place in the sequence, comes with
// seq 0. Before the service closes a connection it says why in an error frame and again in the close frame, whose code
// is one of Codes.
package wire
