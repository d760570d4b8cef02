// Package hub sends each change of a user to each of the user's connections, exactly once and in order, even when
// deliveries are lost, repeated or out of order.
//
// # How it works
//
// A connection is a Member. A member has one number, last: the seq that it was sent last. The only event that it can be
// sent next is last+1. So a repeated event changes nothing, and an early event waits.
//
// When the next event is not available, the hub reads the changes from the task API (Source). There is one read at a time
// for a user, and it serves all of the user's members. A read starts after a join, after a gap, and when a sweep finds
// that the task API is ahead of what arrived. A lost delivery therefore costs a read, never an event. The hub needs no
// stored state about a user to be correct: the window of early events only saves reads.
//
// # A member
//
//	Join without since --> starting ---- the head is read ----------+
//	                                                                v
//	Join with since -----> unchecked -- since is confirmed --> up to date <-- a gap, a read --> behind
//	                           |                                    ^
//	                           +--- since is too high: resync ------+
//
// Any member ends with Leave, which the connection calls, or is evicted: its queue is full, or its account is deleted.
//
// # Lifecycle
//
// Join adds a member. Update and Notify take deliveries and never wait for a connection. Leave removes the member. The
// hub forgets a user that has no members. Run sweeps until its context ends. Close ends the reads.
//
// # Promises
//
//   - A member is sent each seq after its since exactly once, ascending, or a resync frame with the seq up to which it
//     must read by itself. While the task API answers, a member is behind without knowing it for at most one sweep. While
//     the task API does not answer, members stay and the reads are retried.
//   - A member of a deleted account is closed with the code account_gone by the first read that finds this: at once when it
//     comes back or has missed something. A member that has missed nothing sees its tasks being deleted, and stays until
//     its token expires.
//   - A member with a full queue is closed with the code slow. It comes back with its last seq and loses nothing.
//   - The memory for a user is bounded: Limits.Window events, one page of a read, maxRecentIDs ids.
//   - The lock of a user is taken before the lock of a sink. No member is evicted while a lock is held that a broadcast
//     needs.
package hub
