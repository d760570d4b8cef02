// Package hub sends each user's events to each of the user's connections, exactly once and in order, even when deliveries are
// lost, repeated or out of order. A user has two streams: the changes of tasks and the changes of the inbox. The hub treats
// both in the same way.
//
// # How it works
//
// A connection is a Member. In each stream, a member has one number, last: that of the event that it was sent last. The only
// event that it can be sent next is last+1. So a repeated event changes nothing, and an early event waits.
//
// When the next event is not available, the hub reads the events from the service that keeps the stream (Source). There is one
// read at a time for a stream of a user, and it serves all of the user's members. A read starts after a join, after a gap, and
// when a sweep finds that the source is ahead of what arrived. A lost delivery therefore costs a read, never an event. The hub
// needs no stored state about a user to be correct: the window of early events only saves reads.
//
// # A member in one stream
//
//	Join without a place --> starting ---- the head is read ---------+
//	                                                                 v
//	Join with a place -----> unchecked -- it is confirmed ------> up to date <-- a gap, a read --> behind
//	                             |                                   ^
//	                             +--- it is too high: resync --------+
//
// A member is welcomed when it is past starting and unchecked in both streams, and late (Start.Wait) if it is not: late it is
// closed when its newest change is not known, and otherwise welcomed without what is missing.
//
// Any member ends with Leave, which the connection calls, or is evicted: its queue is full, its account or its session has
// ended, or it could not be welcomed.
//
// # Lifecycle
//
// Join adds a member. Update and Notify take deliveries and never wait for a connection. Leave removes the member. The
// hub forgets a user that has no members. Run sweeps until its context ends. Close ends the reads.
//
// # Promises
//
//   - A member is sent each number after its place exactly once, ascending, or a resync frame with the number up to which it
//     must read by itself. While the source answers, a member is behind without knowing it for at most one sweep. While the
//     source does not answer, members stay and the reads are retried. The streams do not wait for each other.
//   - A member is welcomed or closed within Start.Wait, whatever is down.
//   - A member of an account that has ended is closed with the code account_gone: at once when it comes or has missed
//     something, else Limits.Gone after the account was last seen, after the deletions of its tasks. Only an answer of the task API that
//     leaves out the account, or says that there is none, counts as its end. A failed call never does.
//   - A member whose session has ended is closed with the code session_ended as soon as the end is delivered, or is part of what
//     the source returns. It sees nothing that was delivered, or is on a page that was read, after that.
//   - A member with a full queue is closed with the code slow. It comes back with its last numbers and loses nothing.
//   - The memory for a user is bounded: for each stream Limits.Window events, one page of a read, maxRecentIDs ids.
//   - The lock of a user is taken before the lock of a sink. No member is evicted while a lock is held that a broadcast
//     needs.
package hub
