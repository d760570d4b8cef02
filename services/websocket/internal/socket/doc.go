// Package socket holds the open WebSocket connections: their queues, writers, heartbeats and ends.
//
// # Structure
//
// An idle connection costs one goroutine, which reads. The goroutine of the HTTP request has ended, the write buffer is in
// a pool, and a writer goroutine runs only while something is queued. A frame for many connections is encoded and framed
// once (wire.Frame).
//
// # Lifecycle
//
//	Reserve --> handshake --> Add --> Authenticated --> Finish
//	               |
//	               +-- fails --> Release
//
// # Promises
//
//   - Push, HasCapacity, Open and Close never wait for the network. A queue is bounded in frames and bytes. Push returns
//     false when it is full. Accepted frames are written in order, or the connection ends.
//   - A write that makes no progress for Settings.WriteWait ends the connection. So does a peer that does not answer pings.
//   - Close sends an error frame and a close frame with the code, waits Settings.CloseWait for the peer's answer, and then
//     cuts the connection. Only the first Close counts.
//   - A connection whose token has expired is closed within one Tick.
//   - Drain closes every connection with the code restarting and a random retry, so that the clients do not return all at
//     once.
package socket
