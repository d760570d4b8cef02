// Package wire prepares the server's frames of the protocol taskwire.v1 (pkg/events/live) for sending: a frame is encoded
// and framed once, however many connections get it.
package wire
