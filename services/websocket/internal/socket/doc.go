// Package socket holds the open WebSocket connections: their queues, their writers, their heartbeat and their end.
//
// # Structure
//
// An idle connection is one goroutine that reads, and nothing else: the goroutine of the HTTP request is gone, the write
// buffer is in a pool, and a writer runs only while something is queued. A frame that goes to many connections is encoded
// and framed once (wire.Frame).
//
// # Promises
//
//   - Push, Room, Open and Close never wait for the network. A queue is bounded in frames and bytes; Push says when it is
//     full, and what was accepted is written in order or the connection ends.
//   - A write that makes no progress for Settings.WriteWait ends the connection. So does a peer that does not answer pings.
//   - Close sends an error frame and a close frame with the code, waits Settings.CloseWait for the peer's answer and then
//     cuts. The first Close decides.
//   - A token that has expired closes its connection within a Tick.
//   - Drain ends every connection with the code restarting and a random delay, so that clients do not come back at once.
package socket
