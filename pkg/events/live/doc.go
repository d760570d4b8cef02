// Package live defines the protocol taskwire.v1 of the WebSocket at /ws: the frames of both sides, and the codes with
// which the server ends a connection. The server, `taskwire watch` and the tests all use it. It needs the standard
// library only.
//
// # A connection
//
//	         handshake                auth accepted            caught up
//	closed ------------> authenticating --------> replaying ----------> live
//	   ^                       |                   ^     |               |
//	   |                       |                   |     +--- resync --->|
//	   |                       |                   +------ a gap --------+
//	   +---- error frame, then close frame, in every state --------------+
//
// The states are:
//
//   - authenticating: the server waits 5 s for the first frame, which must be auth. It sends nothing before that. Within 5 s
//     after the auth frame it sends welcome, or an error frame and a close frame.
//   - replaying: the server has sent welcome, and sends the events after its seq and its notification_seq.
//   - live: the client has every event there is, and gets new ones as they happen. A missed delivery leads back to
//     replaying; the client does not notice.
//
// # Frames
//
// Each frame is a text message with one JSON object. The client sends:
//
//	auth          token, since, notifications_since: the first frame. Without since, the connection starts at the user's
//	              newest change; without notifications_since, at the newest notification. Later auth frames extend the
//	              connection with a newer token of the same user; their places are ignored.
//	ping          is answered with pong. A page cannot see the pings of the WebSocket protocol itself, which the server
//	              sends every heartbeat_ms.
//
// The server sends:
//
//	welcome       seq, notification_seq, unread, connection_id, heartbeat_ms: the first event is seq+1, and the first
//	              notification is notification_seq+1. notification_seq and unread are null when they are not known
//	event         seq, event_id, event_type, task_id, task_version, task (null when the task was deleted)
//	notification  the fields of events.NotificationEvent
//	resync        stream, reason, seq: the events of the stream (tasks or notifications) up to seq are not sent. The client
//	              reads them with GET /sync or GET /notifications; the next one is seq+1
//	error         code, message, retry: milliseconds to wait before the next attempt, or null: the same attempt fails
//	              again
//	pong
//
// A client skips frames of a type that it does not know, and fields that it does not know. The server refuses an
// unknown field: a misspelt since would silently skip events. It also refuses a field that is given twice.
//
// # Order
//
// There are two streams: the changes of tasks, numbered by seq, and the changes of the inbox, numbered by notification_seq.
// A client stores the last number of each that it has seen, and sends them as since and notifications_since when it connects
// again. Then it gets each number exactly once and in order, or a resync that says which ones it does not get. There is no
// order between the two streams. An event of an older version has no place in its stream: its number is 0.
//
// # Close codes
//
// The server says why it ends a connection, first in an error frame, then in a close frame. The close frame has the code
// and, as its reason, {"code":name,"retry":milliseconds or null}.
//
//	code  name                  action     retry  the client
//	1012  restarting            reconnect  1s     connects again after retry, with the last seq as since
//	4000  bad_frame             stop       never  has a defect: it does not connect again
//	4001  unauthenticated       new token  never  gets a new access token, then connects again
//	4002  auth_timeout          reconnect  1s     connects again and sends auth first
//	4003  token_expired         new token  0s     gets a new access token, then connects again with the last seq
//	4004  slow                  reconnect  1s     connects again with the last seq; nothing is lost
//	4005  too_many_connections  reconnect  1m0s   closes other connections of the user, then connects again
//	4006  too_many_frames       reconnect  10s    sends fewer frames, and connects again after retry
//	4007  unavailable           reconnect  2s     connects again after retry, with the last seq as since
//	4008  account_gone          stop       never  removes what it stores of the account
//	4009  session_ended         stop       never  logs in again; it does not use the tokens of the session any more
//
// A client with a personal API token has no other token to get: after token_expired it connects again with the same one.
//
// The server may send another retry than the table's: restarting carries a random one, so that clients do not return
// all at once. 1009 (a frame above the size limit) comes from the WebSocket library, without an error frame; its action
// is stop. A client treats a code that it does not know, and a connection that ends without one, as reconnect.
package live
